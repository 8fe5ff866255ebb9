//! One tool, served by crew.

use std::{borrow::Cow, sync::Arc};

use crew::protocol::{
    Context, Error, Host, Implementation, Info,
    tool::{Tool, ToolOutcome, ToolResult},
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

/// Answers with what it is given.
pub(crate) struct Echo {
    tools: Arc<[Tool]>,
}

impl Echo {
    pub(crate) fn new() -> Self {
        let schema =
            json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
        let tool = Tool {
            name: "echo".to_owned(),
            title: None,
            description: "Answers with what it is given".to_owned(),
            input_schema: Arc::new(schema),
            output_schema: None,
            annotations: None,
            icons: Vec::new(),
        };
        Self { tools: Arc::new([tool]) }
    }
}

impl Host for Echo {
    fn info(&self) -> Info {
        let (name, version) = ("echo".to_owned(), "1".to_owned());
        Info {
            implementation: Implementation { name, version, ..Implementation::default() },
            instructions: None,
        }
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(&self.tools)
    }

    fn call_tool<'a>(
        &'a self,
        _: &'a str,
        arguments: &'a RawValue,
        _: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        #[derive(Deserialize)]
        struct Arguments<'a> {
            #[serde(borrow)]
            text: Cow<'a, str>,
        }
        Box::pin(async move {
            Ok(ToolOutcome::Complete(match serde_json::from_str::<Arguments<'_>>(arguments.get()) {
                Ok(arguments) => ToolResult::text(arguments.text),
                Err(error) => ToolResult::error(error.to_string()),
            }))
        })
    }
}

//! The methods, each written down once: its name, the eras that have it, and who answers it.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Context, Error, Outcome, Server,
    context::Level,
    envelope::{object, present},
    host::{Asked, Subject},
    input::{Request, Rounds},
    listen::Wishes,
    named::Named,
    page::Page,
    prompt::Arguments,
    shape::{Payload, ResultType, Shape as _, Ttl},
    skill, task,
    tool::ToolOutcome,
    version::{Era, Version},
};

/// How long lists and the server's self-description may be kept: long enough for one conversation's burst of
/// requests, short enough that edited definitions show soon.
pub(super) const LISTS: Ttl = Ttl(5_000);
/// Contents of resources change at any time.
pub(super) const CONTENTS: Ttl = Ttl(0);

/// Most values that a completion may have.
const COMPLETIONS: usize = 100;

pub(super) type Answer<'a> = BoxFuture<'a, Result<Payload, Error>>;
type Handler = for<'a> fn(&'a Server, Option<&'a str>, &'a Context) -> Answer<'a>;

/// The method that opens a stream of changes. It ends by itself when it is cancelled, and then has an answer still.
pub const LISTEN: &str = "subscriptions/listen";

/// A method of the protocol.
#[derive(Debug)]
pub struct Method {
    /// As requests name it.
    pub name: &'static str,
    era: Option<Era>,
    handler: Handler,
}

/// All methods that are answered here.
pub static METHODS: &[Method] = &[
    Method { name: "initialize", era: Some(Era::Legacy), handler: initialize },
    Method { name: "ping", era: Some(Era::Legacy), handler: ping },
    Method { name: "logging/setLevel", era: Some(Era::Legacy), handler: set_level },
    Method { name: "server/discover", era: Some(Era::Modern), handler: discover },
    Method { name: "tools/list", era: None, handler: list_tools },
    Method { name: "tools/call", era: None, handler: call_tool },
    Method { name: "prompts/list", era: None, handler: list_prompts },
    Method { name: "prompts/get", era: None, handler: get_prompt },
    Method { name: "resources/list", era: None, handler: list_resources },
    Method { name: "resources/templates/list", era: None, handler: list_templates },
    Method { name: "resources/read", era: None, handler: read_resource },
    Method { name: "resources/subscribe", era: Some(Era::Legacy), handler: subscribe },
    Method { name: "resources/unsubscribe", era: Some(Era::Legacy), handler: unsubscribe },
    Method { name: LISTEN, era: Some(Era::Modern), handler: listen },
    Method { name: "completion/complete", era: None, handler: complete },
    Method { name: "tasks/get", era: Some(Era::Modern), handler: task::methods::get },
    Method { name: "tasks/update", era: Some(Era::Modern), handler: task::methods::update },
    Method { name: "tasks/cancel", era: Some(Era::Modern), handler: task::methods::cancel },
    Method { name: "skills/list", era: None, handler: skill::methods::list },
    Method { name: "skills/get", era: None, handler: skill::methods::get },
    Method { name: "resources/directory/read", era: None, handler: skill::methods::read_directory },
];

impl Method {
    /// The method called `name`, if there is one in any era.
    pub fn find(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    /// Answers one request.
    ///
    /// If the returned future is dropped before it is done, [`Context::cancelled`] fires; once it is done, what the
    /// context is still told goes nowhere.
    ///
    /// # Errors
    /// `-32601` when the revision of the request has no such method, else what the method answers.
    pub async fn answer(
        &self,
        server: &Server,
        params: Option<&str>,
        context: &Context,
    ) -> Result<Payload, Error> {
        let version = context.version();
        if self.era.is_some_and(|era| era != version.era()) {
            return Err(Error::method_not_found(self.name));
        }
        let given_up = context.cancelled().clone().drop_guard();
        let result = (self.handler)(server, params, context).await;
        given_up.disarm();
        context.close();
        result.map_err(|error| error.shaped(version))
    }
}

/// Obeys one notification of a peer. Unknown ones are ignored, as JSON-RPC wants.
pub fn notified(method: &str, params: Option<&str>, session: &super::Session) {
    if method == "notifications/cancelled" {
        session.cancel(params);
    }
}

/// Reads the parameters of a method; none are an empty object.
pub(super) fn read<'a, T: Deserialize<'a>>(method: &str, params: Option<&'a str>) -> Result<T, Error> {
    object(params.unwrap_or("{}"))
        .map_err(|error| Error::invalid_params(format!("params of `{method}`: {error}")))
}

fn initialize<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move {
        // The transport has settled the version already; what it could not read is complained of here.
        super::Session::new().negotiate(params)?;
        server.greeting(context.version())
    })
}

fn ping<'a>(server: &'a Server, _: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move { server.finish(&Empty {}, context.version(), None) })
}

fn set_level<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow)]
        level: &'a RawValue,
    }
    Box::pin(async move {
        let params: Params<'_> = read("logging/setLevel", params)?;
        let level = Level::from_json(params.level)?;
        if let Some(session) = context.session() {
            session.set_log_level(level);
        }
        server.finish(&Empty {}, context.version(), None)
    })
}

fn discover<'a>(server: &'a Server, _: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move { server.discovery(context.version(), LISTS) })
}

#[derive(Deserialize)]
pub(super) struct ListParams {
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

/// Defines the handler of a list: where it comes from, and the member that holds it.
macro_rules! list {
    ($handler:ident, $method:literal, $pages:ident, $member:literal, $host:ident => $source:expr) => {
        fn $handler<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
            #[derive(Serialize)]
            struct Listed<T> {
                #[serde(rename = $member)]
                items: Vec<T>,
                #[serde(rename = "nextCursor", skip_serializing_if = "Option::is_none")]
                next: Option<String>,
            }
            Box::pin(async move {
                let ListParams { cursor } = read($method, params)?;
                let version = context.version();
                let write =
                    |Page { items, next }: Page<_>| server.write(&Listed { items, next }, version, LISTS);
                let $host = server;
                let page = server.$pages.page($source, version, cursor.as_deref(), write)?;
                Ok(Payload::Shared(page))
            })
        }
    };
}

list!(list_tools, "tools/list", tool_pages, "tools", server => server.tools());
list!(list_prompts, "prompts/list", prompts, "prompts", server => server.host().prompts().await);
list!(list_resources, "resources/list", resources, "resources", server => server.host().resources().await);
list!(list_templates, "resources/templates/list", templates, "resourceTemplates", server => server.host().resource_templates());

fn call_tool<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move {
        let params = Named::of("tools/call", params, context)?;
        if server.mirrors(&params.name).is_none() {
            let name = crate::base::text::truncate(&params.name, 128);
            return Err(Error::invalid_params(format!("no tool `{name}`; `tools/list` tells what there is")));
        }
        let nothing: &RawValue = serde_json::from_str("{}").expect("this is JSON");
        let arguments = params.arguments.unwrap_or(nothing);
        if !arguments.get().starts_with('{') {
            return Err(Error::invalid_params("`arguments` of `tools/call` must be an object"));
        }
        let request = Request {
            method: "tools/call",
            target: &params.name,
            arguments: Some(arguments),
            responses: params.input_responses,
            state: params.request_state,
        };
        let mut rounds = Rounds::begin(server, request, context)?;
        loop {
            match server.host().call_tool(&params.name, arguments, rounds.context()).await? {
                ToolOutcome::Complete(mut result) => {
                    let version = context.version();
                    let facts = result.take_facts(version);
                    result.shape(version);
                    return match facts {
                        Some(facts) => server.finish(&facts.beside(&result), version, None),
                        None => server.finish(&result, version, None),
                    };
                }
                ToolOutcome::NeedInput(inquiry) => {
                    if let Some(questions) = rounds.ask(inquiry).await? {
                        return Ok(questions);
                    }
                }
                ToolOutcome::Task(task) => {
                    context.require_tasks()?;
                    let handle = task::Handle(&task);
                    return server.finish_as(ResultType::Task, &handle, context.version());
                }
            }
        }
    })
}

fn get_prompt<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move {
        let params = Named::of("prompts/get", params, context)?;
        let arguments: Arguments = match params.arguments {
            Some(arguments) => read("prompts/get", Some(arguments.get()))?,
            None => Arguments::default(),
        };
        let request = Request {
            method: "prompts/get",
            target: &params.name,
            arguments: params.arguments,
            responses: params.input_responses,
            state: params.request_state,
        };
        let mut rounds = Rounds::begin(server, request, context)?;
        loop {
            match server.host().get_prompt(&params.name, arguments.clone(), rounds.context()).await? {
                Outcome::Complete(mut filled) => {
                    filled.shape(context.version());
                    return server.finish(&filled, context.version(), None);
                }
                Outcome::NeedInput(inquiry) => {
                    if let Some(questions) = rounds.ask(inquiry).await? {
                        return Ok(questions);
                    }
                }
            }
        }
    })
}

fn read_resource<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params<'a> {
        uri: String,
        #[serde(borrow, default, deserialize_with = "present")]
        input_responses: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "present")]
        request_state: Option<&'a RawValue>,
    }
    #[derive(Serialize)]
    struct Read<T> {
        contents: T,
    }
    Box::pin(async move {
        let params: Params<'_> = read("resources/read", params)?;
        let request = Request {
            method: "resources/read",
            target: &params.uri,
            arguments: None,
            responses: params.input_responses,
            state: params.request_state,
        };
        let mut rounds = Rounds::begin(server, request, context)?;
        loop {
            match server.host().read_resource(&params.uri, rounds.context()).await? {
                Outcome::Complete(contents) => {
                    return server.finish(&Read { contents }, context.version(), Some(CONTENTS));
                }
                Outcome::NeedInput(inquiry) => {
                    if let Some(questions) = rounds.ask(inquiry).await? {
                        return Ok(questions);
                    }
                }
            }
        }
    })
}

#[derive(Deserialize)]
struct Followed {
    uri: String,
}

fn subscribe<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move {
        let method = "resources/subscribe";
        let Some(session) = context.session().filter(|_| server.host().bus().is_some()) else {
            return Err(Error::method_not_found(method));
        };
        let Followed { uri } = read(method, params)?;
        session.follow(&uri)?;
        server.finish(&Empty {}, context.version(), None)
    })
}

fn unsubscribe<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    Box::pin(async move {
        let method = "resources/unsubscribe";
        let Some(session) = context.session().filter(|_| server.host().bus().is_some()) else {
            return Err(Error::method_not_found(method));
        };
        let Followed { uri } = read(method, params)?;
        session.unfollow(&uri);
        server.finish(&Empty {}, context.version(), None)
    })
}

fn listen<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow)]
        notifications: &'a RawValue,
    }
    Box::pin(async move {
        let Params { notifications } = read(LISTEN, params)?;
        let wishes: Wishes = read(LISTEN, Some(notifications.get()))?;
        super::listen::listen(server, wishes, context).await
    })
}

#[derive(Deserialize)]
struct CompleteParams {
    #[serde(rename = "ref")]
    reference: Reference,
    argument: Typed,
    #[serde(default)]
    context: Others,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Template { uri: String },
}

#[derive(Deserialize)]
struct Typed {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
struct Others {
    #[serde(default)]
    arguments: Arguments,
}

fn complete<'a>(server: &'a Server, params: Option<&'a str>, context: &'a Context) -> Answer<'a> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Completion {
        values: Vec<String>,
        total: usize,
        has_more: bool,
    }
    #[derive(Serialize)]
    struct Completed {
        completion: Completion,
    }
    Box::pin(async move {
        let version: Version = context.version();
        let method = "completion/complete";
        let completer = server.host().completer().ok_or_else(|| Error::method_not_found(method))?;
        let params: CompleteParams = read(method, params)?;
        let subject = match &params.reference {
            Reference::Prompt { name } => Subject::Prompt(name),
            Reference::Template { uri } => Subject::Template(uri),
        };
        let asked = Asked {
            subject,
            argument: &params.argument.name,
            value: &params.argument.value,
            others: &params.context.arguments,
        };
        let mut values = completer.complete(asked).await?;
        let total = values.len();
        values.truncate(COMPLETIONS);
        let completion = Completion { has_more: total > values.len(), total, values };
        server.finish(&Completed { completion }, version, None)
    })
}

#[derive(Serialize)]
struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for (index, method) in METHODS.iter().enumerate() {
            let first = METHODS.iter().position(|other| other.name == method.name);
            assert_eq!(first, Some(index), "{}", method.name);
        }
    }
}

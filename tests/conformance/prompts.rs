//! The prompts that the suite asks for.

use crew::protocol::{
    Content, Context, Error,
    input::{Inquiry, Outcome},
    prompt::{Argument, Arguments, Filled, Message, Prompt, Role},
    resource::{Body, Contents},
};

use crate::tools::{PICTURE, form};

/// All prompts, as they are listed.
pub(crate) fn all() -> Vec<Prompt> {
    vec![
        prompt("test_simple_prompt", "A prompt without arguments", &[]),
        prompt("test_prompt_with_arguments", "A prompt with two arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", "A prompt with a resource in it", &["resourceUri"]),
        prompt("test_prompt_with_image", "A prompt with a picture in it", &[]),
        prompt("test_input_required_result_prompt", "A prompt that asks first", &[]),
    ]
}

/// Fills in the prompt `name`.
pub(crate) fn fill(name: &str, arguments: &Arguments, context: &Context) -> Result<Outcome<Filled>, Error> {
    let argument = |name: &str| arguments.get(name).map(String::as_str).unwrap_or_default();
    let contents = match name {
        "test_simple_prompt" => vec![Content::text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1"), argument("arg2"));
            vec![Content::text(format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            Content::Resource {
                resource: Contents {
                    uri: argument("resourceUri").to_owned(),
                    mime_type: Some("text/plain".to_owned()),
                    body: Body::Text("Embedded resource content for testing.".to_owned()),
                },
            },
            Content::text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            Content::Image { data: PICTURE.to_owned(), mime_type: "image/png".to_owned() },
            Content::text("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => match context.answers().get("user_context") {
            Some(reply) => {
                let text = reply.accepted().and_then(|form| form.get("context")?.as_str());
                vec![Content::text(text.unwrap_or("no context"))]
            }
            None => {
                let question = form("What context should the prompt use?", &[("context", "string")]);
                return Ok(Outcome::NeedInput(Inquiry::new().ask("user_context", question)));
            }
        },
        _ => return Err(Error::invalid_params(format!("no prompt `{name}`"))),
    };
    let messages = contents.into_iter().map(|content| Message { role: Role::User, content }).collect();
    Ok(Outcome::Complete(Filled { description: None, messages }))
}

fn prompt(name: &str, description: &str, arguments: &[&str]) -> Prompt {
    let argument = |name: &&str| Argument {
        name: (*name).to_owned(),
        description: Some(format!("Fills in {name}")),
        required: true,
        ..Argument::default()
    };
    Prompt {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        arguments: arguments.iter().map(argument).collect(),
        ..Prompt::default()
    }
}

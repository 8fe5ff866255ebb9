//! The prompts that the suite asks for.

use crew::protocol::{
    Content, Error,
    prompt::{Argument, Arguments, Filled, Message, Prompt, Role},
    resource::{Body, Contents},
};

use crate::tools::PICTURE;

/// All prompts, as they are listed.
pub(crate) fn all() -> Vec<Prompt> {
    vec![
        prompt("test_simple_prompt", "A prompt without arguments", &[]),
        prompt("test_prompt_with_arguments", "A prompt with two arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", "A prompt with a resource in it", &["resourceUri"]),
        prompt("test_prompt_with_image", "A prompt with a picture in it", &[]),
    ]
}

/// Fills in the prompt `name`.
pub(crate) fn fill(name: &str, arguments: &Arguments) -> Result<Filled, Error> {
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
        _ => return Err(Error::invalid_params(format!("no prompt `{name}`"))),
    };
    let messages = contents.into_iter().map(|content| Message { role: Role::User, content }).collect();
    Ok(Filled { description: None, messages })
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

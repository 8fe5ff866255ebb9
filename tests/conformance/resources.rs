//! The resources that the suite asks for.

use crew::protocol::{
    Error,
    resource::{Body, Contents, Resource, Template},
};
use serde_json::json;

use crate::{skills, tools::PICTURE};

/// All resources, as they are listed.
pub(crate) fn all() -> Vec<Resource> {
    vec![
        resource("test://static-text", "Static text", "text/plain"),
        resource("test://static-binary", "Static binary", "image/png"),
        resource("test://watched-resource", "A resource to subscribe to", "text/plain"),
        skills::manifest(),
    ]
}

/// All families of resources.
pub(crate) fn templates() -> Vec<Template> {
    vec![Template {
        uri: "test://template/{id}/data".to_owned(),
        name: "Data by id".to_owned(),
        description: Some("The id comes back in the data".to_owned()),
        mime_type: Some("application/json".to_owned()),
        ..Template::default()
    }]
}

/// What stands at `uri`.
pub(crate) fn read(uri: &str) -> Result<Vec<Contents>, Error> {
    if let Some(contents) = skills::read(uri) {
        return Ok(vec![contents]);
    }
    let (mime_type, body) = match uri {
        "test://static-text" => {
            ("text/plain", Body::Text("This is the content of the static text resource.".to_owned()))
        }
        "test://static-binary" => ("image/png", Body::Blob(PICTURE.to_owned())),
        "test://watched-resource" => ("text/plain", Body::Text("Watched resource content".to_owned())),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let id = id.ok_or_else(|| Error::resource_not_found(uri))?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            ("application/json", Body::Text(data.to_string()))
        }
    };
    Ok(vec![Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body }])
}

fn resource(uri: &str, name: &str, mime_type: &str) -> Resource {
    Resource {
        uri: uri.to_owned(),
        name: name.to_owned(),
        description: Some(format!("{name}, for tests")),
        mime_type: Some(mime_type.to_owned()),
        ..Resource::default()
    }
}

//! Content: what tools answer with and prompts are made of.

use serde::Serialize;

use super::{Version, resource::Contents, shape::Shape};

/// One piece of content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Base64.
        data: String,
        /// For instance `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// Base64.
        data: String,
        /// For instance `audio/wav`.
        mime_type: String,
    },
    /// The contents of a resource.
    Resource {
        /// The contents.
        resource: Contents,
    },
    /// A resource that the client may read.
    ResourceLink {
        /// Where it is.
        uri: String,
        /// Its name.
        name: String,
        /// What it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Of its contents.
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
    },
}

impl Content {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Shape for Content {
    fn shape(&mut self, version: Version) {
        match self {
            Self::Audio { mime_type, .. } if !version.has_audio() => {
                *self = Self::text(format!("[{mime_type}: this protocol version has no audio]"));
            }
            Self::ResourceLink { uri, .. } if !version.has_resource_links() => {
                *self = Self::text(std::mem::take(uri));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_revision_lacks_becomes_text() {
        #[track_caller]
        fn check(mut content: Content, version: Version, expected: &str) {
            content.shape(version);
            assert_eq!(serde_json::to_string(&content).unwrap(), expected);
        }
        let audio = Content::Audio { data: "AA==".into(), mime_type: "audio/wav".into() };
        let json = r#"{"type":"audio","data":"AA==","mimeType":"audio/wav"}"#;
        check(audio.clone(), Version::V2025_03_26, json);
        let text = r#"{"type":"text","text":"[audio/wav: this protocol version has no audio]"}"#;
        check(audio, Version::V2024_11_05, text);

        let link = Content::ResourceLink {
            uri: "crew://a".into(),
            name: "a".into(),
            description: None,
            mime_type: Some("text/plain".into()),
        };
        let json = r#"{"type":"resource_link","uri":"crew://a","name":"a","mimeType":"text/plain"}"#;
        check(link.clone(), Version::V2025_06_18, json);
        check(link, Version::V2025_03_26, r#"{"type":"text","text":"crew://a"}"#);
    }
}

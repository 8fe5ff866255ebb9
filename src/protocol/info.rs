//! Who the server is.

use serde::Serialize;

use super::{Version, shape::Shape};

/// What a server says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Its name and version.
    pub implementation: Implementation,
    /// How to use it, for a model.
    pub instructions: Option<String>,
}

/// A program that speaks MCP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Implementation {
    /// For programs.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its own version, not that of the protocol.
    pub version: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to read more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Pictures of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icons: Vec<Icon>,
}

impl Implementation {
    /// What each result says of it; the rest is said once, to those who ask who serves.
    pub(super) fn in_short(self) -> Self {
        Self { name: self.name, version: self.version, ..Self::default() }
    }
}

/// A picture that a client may show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Icon {
    /// `https:` or `data:` address.
    pub src: String,
    /// For instance `image/png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// For instance `48x48`, or `any`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<String>,
    /// `light` or `dark`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
}

impl Shape for Implementation {
    fn shape(&mut self, version: Version) {
        if !version.has_titles() {
            self.title = None;
        }
        if !version.has_icons() {
            self.description = None;
            self.website_url = None;
            self.icons.clear();
        }
    }
}

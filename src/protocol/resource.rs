//! Resources: what a client may read.

use serde::Serialize;

use super::{Version, info::Icon, shape::Shape};

/// A resource, as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Where it is.
    pub uri: String,
    /// What it is called.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of its contents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// In bytes, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Pictures of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icons: Vec<Icon>,
}

/// A family of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// RFC 6570, for instance `crew://employee/{name}`.
    #[serde(rename = "uriTemplate")]
    pub uri: String,
    /// What it is called.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of their contents, if all are alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Pictures of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icons: Vec<Icon>,
}

/// What stands in a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Where it is.
    pub uri: String,
    /// What it is, for instance `text/markdown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The contents themselves.
    #[serde(flatten)]
    pub body: Body,
}

/// Contents themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Text.
    Text(String),
    /// Anything else, in base64.
    Blob(String),
}

impl Shape for Resource {
    fn shape(&mut self, version: Version) {
        if !version.has_titles() {
            self.title = None;
        }
        if !version.has_icons() {
            self.icons.clear();
        }
        if version < Version::V2025_03_26 {
            self.size = None;
        }
    }
}

impl Shape for Template {
    fn shape(&mut self, version: Version) {
        if !version.has_titles() {
            self.title = None;
        }
        if !version.has_icons() {
            self.icons.clear();
        }
    }
}

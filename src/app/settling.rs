//! Which place has the word on a setting: the command line, then the environment, then `.crew/config.yaml`, then nobody.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::Serialize;

use super::{Environment, project};
use crate::base::Secret;

/// Who settled something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", content = "name", rename_all = "kebab-case")]
pub enum Origin {
    /// An option of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// `.crew/config.yaml`.
    File,
    /// Nobody: it is as it is without being said.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => f.write_str(name),
            Self::File => f.write_str(project::FILE),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// What is settled, as `.crew/config.yaml` would name it where it may say so.
    pub key: String,
    /// The value; absent when there is none. Of a secret, that there is one.
    pub value: Option<String>,
    /// Who said so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A setting that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SettingError {
    pub(super) place: String,
    pub(super) reason: String,
}

/// Settles one thing after the other, and keeps who had the word.
#[derive(Debug)]
pub(super) struct Settling<'e> {
    pub(super) env: &'e Environment,
    rows: Vec<Settled>,
}

/// Where one setting may be said, besides `.crew/config.yaml`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The part of `.crew/config.yaml`; empty for its top.
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// The option of the command line; empty where there is none.
    pub(super) flag: &'static str,
    /// The variable of the environment.
    pub(super) variable: &'static str,
}

impl Place {
    /// Who has the word: the first that says something.
    fn first<T>(self, flag: Option<T>, variable: Option<T>, file: Option<T>) -> Option<(T, Origin)> {
        let flag = flag.map(|value| (value, Origin::Flag(self.flag)));
        flag.or_else(|| variable.map(|value| (value, Origin::Variable(self.variable.to_owned()))))
            .or_else(|| file.map(|value| (value, Origin::File)))
    }

    fn path(self) -> String {
        if self.section.is_empty() { self.key.to_owned() } else { format!("{}.{}", self.section, self.key) }
    }
}

impl<'e> Settling<'e> {
    pub(super) fn new(env: &'e Environment) -> Self {
        Self { env, rows: Vec::new() }
    }

    /// All that was settled, in that order.
    pub(super) fn into_rows(self) -> Vec<Settled> {
        self.rows
    }

    /// A number within `range`.
    pub(super) fn number<T>(
        &mut self,
        place: Place,
        range: RangeInclusive<T>,
        flag: Option<T>,
        file: Option<T>,
        otherwise: T,
    ) -> Result<T, SettingError>
    where
        T: FromStr + PartialOrd + fmt::Display + Copy,
    {
        let variable = self.env.get(place.variable).map(str::trim);
        let variable = variable.map(|text| within(place.variable, text, &range)).transpose()?;
        let (value, origin) = place.first(flag, variable, file).unwrap_or((otherwise, Origin::Default));
        self.note(place.path(), Some(value.to_string()), origin);
        Ok(value)
    }

    /// A text; what it is `otherwise` is known here, too.
    pub(super) fn text_or(&mut self, place: Place, file: Option<String>, otherwise: &str) -> String {
        let said = self.text(place, file);
        if let (None, Some(row)) = (&said, self.rows.last_mut()) {
            row.value = Some(otherwise.to_owned());
        }
        said.unwrap_or_else(|| otherwise.to_owned())
    }

    /// A text, if anybody says one.
    pub(super) fn text(&mut self, place: Place, file: Option<String>) -> Option<String> {
        let variable = self.env.get(place.variable).map(|text| text.trim().to_owned());
        let settled = place.first(None, variable, file);
        let (value, origin) =
            settled.map_or((None, Origin::Default), |(value, origin)| (Some(value), origin));
        self.note(place.path(), value.clone(), origin);
        value
    }

    /// A list; one that is empty counts as not said. In the environment, commas part it.
    pub(super) fn list(&mut self, place: Place, flag: Vec<String>, file: Vec<String>) -> Vec<String> {
        let said = |list: Vec<String>| (!list.is_empty()).then_some(list);
        let variable = self.env.get(place.variable).unwrap_or_default().split([',', ' ']);
        let variable = variable.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        let settled = place.first(said(flag), said(variable.collect()), said(file));
        let (list, origin) = settled.unwrap_or((Vec::new(), Origin::Default));
        self.note(place.path(), said(list.clone()).map(|list| list.join(", ")), origin);
        list
    }

    /// Notes a secret: whether there is one, never what it is.
    pub(super) fn secret(&mut self, key: impl Into<String>, secret: Option<&Secret>, origin: Origin) {
        self.note(key, secret.map(|_| "set".to_owned()), origin);
    }

    /// Notes what was settled elsewhere.
    pub(super) fn note(&mut self, key: impl Into<String>, value: Option<String>, origin: Origin) {
        self.rows.push(Settled { key: key.into(), value, origin });
    }
}

fn within<T>(name: &str, text: &str, range: &RangeInclusive<T>) -> Result<T, SettingError>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let reason = format!("`{}` is no number from {least} to {most}", text.escape_debug());
        SettingError { place: name.to_owned(), reason }
    })
}

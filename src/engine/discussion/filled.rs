//! A discussion with its places filled: every text in one pass, the values never looked at again.

use crate::{
    defs::{
        Discussion,
        template::{Asking, Place, Template},
    },
    engine::{Args, Error, Missing},
};

/// Fills every text of `discussion` from `args`.
///
/// # Errors
/// [`Error::MissingArguments`] naming every `$name` that is not given.
pub(super) fn fill(discussion: &Discussion, args: &Args) -> Result<Discussion, Error> {
    let missing: Vec<_> = discussion
        .required_args()
        .into_iter()
        .filter(|name| !args.contains_key(name))
        .map(Missing::named)
        .collect();
    if !missing.is_empty() {
        return Err(Error::MissingArguments { of: format!("discussion `{}`", discussion.name), missing });
    }
    let mut filled = discussion.clone();
    for text in filled.texts_mut() {
        *text = fill_text(text, args);
    }
    Ok(filled)
}

fn fill_text(text: &str, args: &Args) -> String {
    let template = Template::parse(text, &Asking { names: args, words: &[] });
    let places = template.written_places().map(|(_, written)| written).collect::<Vec<_>>();
    let mut written = places.into_iter();
    let filled = template.fill(|place| {
        let written = written.next().unwrap_or_default();
        Ok::<_, std::convert::Infallible>(match place {
            // Only what somebody said on the spot has names that nobody gives.
            Place::Named(name) => args.get(name).cloned().unwrap_or_else(|| written.to_owned()),
            _ => written.to_owned(),
        })
    });
    match filled {
        Ok(text) => text,
        Err(never) => match never {},
    }
}

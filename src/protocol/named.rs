//! Requests for something by its name: a tool or a prompt, and what it is given.
//!
//! Who such a request is for has to be known before it is admitted. So its parameters are read once, there, and are kept
//! with the context until the method wants them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Context, Error, envelope::present, methods::read};

/// The parameters of `tools/call` and `prompts/get`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) request_state: Option<&'a RawValue>,
}

impl<'a> Named<'a> {
    /// Those that `context` has kept; only when it could not, `params` are read, to say what is wrong with them.
    ///
    /// # Errors
    /// `-32602` when `params` are not what `method` takes.
    pub(super) fn of(method: &str, params: Option<&'a str>, context: &'a Context) -> Result<Self, Error> {
        context.named().map_or_else(|| read(method, params), |kept| Ok(kept.named()))
    }

    /// The same, apart from the text they were read from.
    pub(super) fn keep(self) -> Kept {
        Kept {
            name: self.name.into(),
            arguments: self.arguments.map(ToOwned::to_owned),
            input_responses: self.input_responses.map(ToOwned::to_owned),
            request_state: self.request_state.map(ToOwned::to_owned),
        }
    }
}

/// What [`Named`] borrows, owned: a request may outlive its text.
#[derive(Debug)]
pub(super) struct Kept {
    name: Box<str>,
    arguments: Option<Box<RawValue>>,
    input_responses: Option<Box<RawValue>>,
    request_state: Option<Box<RawValue>>,
}

impl Kept {
    fn named(&self) -> Named<'_> {
        Named {
            name: Cow::Borrowed(&self.name),
            arguments: self.arguments.as_deref(),
            input_responses: self.input_responses.as_deref(),
            request_state: self.request_state.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::{Session, context::Outlet, era::Peek};

    struct Nowhere;

    impl Outlet for Nowhere {
        fn send(&self, _: String) -> bool {
            false
        }
    }

    #[test]
    fn what_was_kept_is_what_was_sent() {
        #[track_caller]
        fn check(params: &str, kept: bool, expected: Result<[&str; 4], &str>) {
            let raw = RawValue::from_string(params.to_owned()).unwrap();
            let session = Arc::new(Session::new());
            let context = Context::legacy(session, &Peek::of(Some(&raw)), "test".into(), Arc::new(Nowhere));
            assert_eq!(context.named().is_some(), kept);
            let named = Named::of("tools/call", Some(params), &context);
            let shown = named.as_ref().map(|named| {
                let text = |raw: Option<&'_ RawValue>| raw.map_or("-", RawValue::get).to_owned();
                let [arguments, responses, state] =
                    [named.arguments, named.input_responses, named.request_state].map(text);
                [named.name.clone().into_owned(), arguments, responses, state]
            });
            match (shown, expected) {
                (Ok(shown), Ok(expected)) => assert_eq!(shown, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (shown, expected) => panic!("{shown:?} is not {expected:?}"),
            }
        }
        check(r#"{"name":"a"}"#, true, Ok(["a", "-", "-", "-"]));
        check(r#"{"name":"\u0061","arguments":{"b":1}}"#, true, Ok(["a", r#"{"b":1}"#, "-", "-"]));
        let again = r#"{"requestState":"s","inputResponses":null,"name":"a","arguments":null}"#;
        check(again, true, Ok(["a", "-", "null", r#""s""#]));
        // What does not matter to the method is no reason to refuse it.
        check(r#"{"name":"a","uri":1,"uri":2}"#, false, Ok(["a", "-", "-", "-"]));
        check(r#"{"name":7}"#, false, Err("params of `tools/call`"));
        check(r#"{"name":"a","name":"b"}"#, false, Err("duplicate field `name`"));
        check("{}", false, Err("missing field `name`"));
    }
}

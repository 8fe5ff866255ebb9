//! What a client carries from one round of questions to the next, sealed so that it comes back as it went out.
//!
//! A sealed state is good for one caller, one method, one target and one set of arguments, for some minutes, and for
//! the life of this process. It can be read by the client, and it can be used twice.
//!
//! Source: MCP 2026-07-28, "Multi Round-Trip Requests", on the security of `requestState`.

use std::{collections::BTreeMap, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::{Answers, Reply};
use crate::{base::clock, protocol::Error};

/// How long a person may take over one round, in seconds.
const LIFETIME: i64 = 600;
/// The form of what is sealed; another form is another number.
const FORM: u8 = 1;

/// Seals and opens, with a key that nobody else has.
#[derive(Default)]
pub(in crate::protocol) struct Seal {
    key: OnceLock<[u8; 32]>,
}

/// The request that a state belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) caller: &'a str,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) arguments: &'a Value,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    form: u8,
    issued: i64,
    expires: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    replies: BTreeMap<String, Reply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Value>,
}

impl Seal {
    /// Seals what is known so far about `subject`.
    ///
    /// # Errors
    /// `-32603` when the system gives no random key.
    pub(super) fn close(&self, subject: &Subject<'_>, answers: Answers) -> Result<String, Error> {
        let issued = clock::now().as_second();
        let Answers { replies, state } = answers;
        let sealed = Sealed { form: FORM, issued, expires: issued + LIFETIME, replies, state };
        let payload = serde_json::to_vec(&sealed).map_err(|error| {
            tracing::error!(%error, "a state cannot be written as JSON");
            Error::internal("the state of the request cannot be written as JSON")
        })?;
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let mac = self.mac(subject, &payload)?.finalize().into_bytes();
        Ok(format!("{payload}.{}", URL_SAFE_NO_PAD.encode(mac)))
    }

    /// What `token` holds, if it was sealed here for `subject`.
    ///
    /// # Errors
    /// `-32602` for anything else; why is nobody's business.
    pub(super) fn open(&self, subject: &Subject<'_>, token: &str) -> Result<Answers, Error> {
        let sealed = self.read(subject, token)?.ok_or_else(|| {
            tracing::info!(method = subject.method, "a `requestState` was refused");
            Error::invalid_params("`requestState` is not valid for this request; send the request without it")
        })?;
        Ok(Answers { replies: sealed.replies, state: sealed.state })
    }

    fn read(&self, subject: &Subject<'_>, token: &str) -> Result<Option<Sealed>, Error> {
        let Some((payload, mac)) = token.split_once('.') else { return Ok(None) };
        let Ok(mac) = URL_SAFE_NO_PAD.decode(mac) else { return Ok(None) };
        // `verify_slice` takes the same time wherever the two differ.
        if self.mac(subject, payload)?.verify_slice(&mac).is_err() {
            return Ok(None);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        let sealed: Option<Sealed> = serde_json::from_slice(&payload).ok();
        let now = clock::now().as_second();
        Ok(sealed.filter(|sealed| sealed.form == FORM && (sealed.issued..sealed.expires).contains(&now)))
    }

    fn mac(&self, subject: &Subject<'_>, payload: &str) -> Result<Hmac<Sha256>, Error> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key()?).expect("a key of any length fits HMAC");
        for part in [subject.caller, subject.method, subject.target, payload] {
            write(&mut mac, part);
        }
        canonical(subject.arguments, &mut mac);
        Ok(mac)
    }

    fn key(&self) -> Result<&[u8; 32], Error> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "the system gives no random numbers");
            Error::internal("the state of the request cannot be sealed")
        })?;
        Ok(self.key.get_or_init(|| random))
    }
}

/// Text with its length before it, so that no two lists of parts look the same.
fn write(mac: &mut Hmac<Sha256>, text: &str) {
    mac.update(&(text.len() as u64).to_le_bytes());
    mac.update(text.as_bytes());
}

/// JSON in a form in which the order of members does not count: a client may write its request anew.
fn canonical(value: &Value, mac: &mut Hmac<Sha256>) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            write(mac, &format!("{{{}", members.len()));
            for (name, member) in members {
                write(mac, name);
                canonical(member, mac);
            }
        }
        Value::Array(items) => {
            write(mac, &format!("[{}", items.len()));
            for item in items {
                canonical(item, mac);
            }
        }
        other => write(mac, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answers() -> Answers {
        let replies = BTreeMap::from([("a".to_owned(), Reply::Result(json!({"action": "accept"})))]);
        Answers { replies, state: Some(json!({"step": 1})) }
    }

    #[test]
    fn a_state_is_good_for_its_request_alone() {
        let seal = Seal::default();
        let arguments = json!({"a": 1, "b": [{"c": null}, "x"]});
        let good = Subject { caller: "ann", method: "tools/call", target: "t", arguments: &arguments };
        let token = seal.close(&good, answers()).unwrap();
        assert_eq!(seal.open(&good, &token).unwrap(), answers());
        let turned = json!({"b": [{"c": null}, "x"], "a": 1});
        assert!(seal.open(&Subject { arguments: &turned, ..good }, &token).is_ok());

        let other = json!({"a": 1, "b": [{"c": null, "x": null}]});
        for subject in [
            Subject { caller: "bob", ..good },
            Subject { method: "prompts/get", ..good },
            Subject { target: "u", ..good },
            Subject { arguments: &other, ..good },
            Subject { arguments: &Value::Null, ..good },
        ] {
            let error = seal.open(&subject, &token).unwrap_err();
            assert_eq!(error.code(), -32602, "{subject:?}");
        }
        assert!(Seal::default().open(&good, &token).is_err(), "another key");
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let seal = Seal::default();
        let subject = Subject { caller: "ann", method: "tools/call", target: "t", arguments: &Value::Null };
        let token = seal.close(&subject, answers()).unwrap();
        let (payload, mac) = token.split_once('.').unwrap();
        let text = seal.open(&subject, "").unwrap_err();
        for changed in [
            format!("{token}-TAMPERED"),
            format!("A{token}"),
            format!("{payload}."),
            format!(".{mac}"),
            payload.to_owned(),
            format!("{}.{mac}", URL_SAFE_NO_PAD.encode("{}")),
            token.replace('.', ""),
            "x".repeat(10_000),
        ] {
            assert_eq!(seal.open(&subject, &changed).unwrap_err(), text, "{changed}");
        }
    }

    #[test]
    fn a_state_expires() {
        let seal = Seal::default();
        let subject = Subject { caller: "", method: "", target: "", arguments: &Value::Null };
        let forge = |form, issued: i64, expires: i64| {
            let now = clock::now().as_second();
            let payload = json!({"form": form, "issued": now + issued, "expires": now + expires});
            let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
            let mac = seal.mac(&subject, &payload).unwrap().finalize().into_bytes();
            seal.open(&subject, &format!("{payload}.{}", URL_SAFE_NO_PAD.encode(mac))).is_ok()
        };
        assert!(forge(FORM, -5, 5));
        assert!(!forge(FORM, -LIFETIME, -1));
        assert!(!forge(FORM, 5, LIFETIME));
        assert!(!forge(FORM + 1, -5, 5));
    }
}

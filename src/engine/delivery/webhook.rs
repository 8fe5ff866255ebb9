//! JSON for a program, signed in the way of Standard Webhooks when there is something to sign it with.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{
    courier::{Courier, Outcome, Parcel},
    message::Message,
    post,
    record::DeliveryId,
};
use crate::{base::clock, defs::EnvText};

/// What a definition cannot set: the connection's own, and what tells who sent it.
const OWN: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

pub(super) async fn send(
    courier: &Courier,
    parcel: &Parcel<'_>,
    url: &EnvText,
    headers: &IndexMap<String, EnvText>,
    secret: Option<&EnvText>,
) -> Result<Outcome, String> {
    let body = Value::Object(body(parcel.message)).to_string();
    let mut request = post::json(courier.fill(url)?, &Value::Null);
    for (name, value) in headers {
        let wrong = || format!("the header `{name}` cannot be sent");
        let key: HeaderName = name.parse().map_err(|_| wrong())?;
        if OWN.contains(&key.as_str()) {
            return Err(format!("the header `{name}` is not for a definition to set"));
        }
        let mut value = HeaderValue::from_str(&courier.fill(value)?).map_err(|_| wrong())?;
        value.set_sensitive(true);
        request = request.header(key, value);
    }
    let id = message_id(parcel.id);
    let at = clock::now().as_second();
    let header = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    request = request
        .header(HeaderName::from_static("webhook-id"), header(&id)?)
        .header(HeaderName::from_static("webhook-timestamp"), header(&at.to_string())?);
    if let Some(secret) = secret {
        let signature = sign(&courier.fill(secret)?, &id, at, &body)?;
        request = request.header(HeaderName::from_static("webhook-signature"), header(&signature)?);
    }
    request.body = body.into();
    match post::post(courier, request).await {
        Ok(response) => Ok(Outcome::Delivered(format!("HTTP {}", response.status.as_u16()))),
        Err(outcome) => Ok(outcome),
    }
}

/// The same for every attempt, so that a receiver can tell a repetition. It holds no `.`, which separates what is signed.
fn message_id(id: &DeliveryId) -> String {
    id.to_string().replace('.', "-")
}

fn body(message: &Message) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("task_id".to_owned(), message.task_id.clone().into());
    body.insert("task_name".to_owned(), message.name.clone().into());
    body.insert("status".to_owned(), if message.done { "completed" } else { "failed" }.into());
    if let Some(error) = message.error.as_ref().filter(|error| !error.is_empty()) {
        body.insert("error".to_owned(), error.clone().into());
    }
    if let Some(result) = message.result.as_ref().filter(|result| !result.is_null()) {
        body.insert("result".to_owned(), result.clone());
    }
    body
}

/// `v1,` and the digest of `id.timestamp.body`. A secret that begins with `whsec_` is Base64, any other is its bytes.
fn sign(secret: &str, id: &str, at: i64, body: &str) -> Result<String, String> {
    let key = match secret.trim().strip_prefix("whsec_") {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| "what follows `whsec_` in the secret is no Base64".to_owned())?,
        None => secret.trim().as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length fits HMAC");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_documented_example_is_signed_so() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert!(sign("whsec_?", "a", 1, "").is_err());
        assert!(sign("plain", "a", 1, "").is_ok());
    }
}

//! A card from a robot in a group of Feishu.
//!
//! Source: <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    courier::{Courier, Outcome, Parcel},
    message::Message,
    post,
};
use crate::{base::clock, defs::EnvText};

/// Most characters of a card.
const CHARS: usize = 4000;
/// The robot is asked too often.
const TOO_OFTEN: [i64; 2] = [9499, 11232];

pub(super) async fn send(
    courier: &Courier,
    parcel: &Parcel<'_>,
    url: &EnvText,
    secret: Option<&EnvText>,
) -> Result<Outcome, String> {
    let mut body = json!({"msg_type": "interactive", "card": card(parcel.message)});
    if let (Some(secret), Some(fields)) = (secret, body.as_object_mut()) {
        let at = clock::now().as_second().to_string();
        fields.insert("sign".to_owned(), sign(&courier.fill(secret)?, &at).into());
        fields.insert("timestamp".to_owned(), at.into());
    }
    let response = match post::post(courier, post::json(courier.fill(url)?, &body)).await {
        Ok(response) => response,
        Err(outcome) => return Ok(outcome),
    };
    Ok(judge(&response.body))
}

/// The answer is 200 whatever became of the card; its `code` tells.
fn judge(body: &[u8]) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Outcome::Never("the answer is none of Feishu's".to_owned());
    };
    let code = answer.get("code").or_else(|| answer.get("StatusCode")).and_then(Value::as_i64);
    match code {
        Some(0) => Outcome::Delivered("code 0".to_owned()),
        Some(code) if TOO_OFTEN.contains(&code) => Outcome::again(format!("code {code}")),
        Some(code) => Outcome::Never(format!("code {code}")),
        None => Outcome::Never("the answer has no `code`".to_owned()),
    }
}

fn sign(secret: &str, at: &str) -> String {
    let key = format!("{at}\n{secret}");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length fits HMAC");
    STANDARD.encode(mac.finalize().into_bytes())
}

fn card(message: &Message) -> Value {
    let mut text = message.main(CHARS);
    let outline = message.outline();
    if !outline.is_empty() {
        text = message.cut(&format!("{text}\n\n**{}**\n{outline}", message.words.steps), CHARS);
    }
    json!({
        "config": {"wide_screen_mode": true},
        "header": {
            "template": if message.done { "green" } else { "red" },
            "title": {"tag": "plain_text", "content": message.title()},
        },
        "elements": [
            {"tag": "markdown", "content": tame(&text)},
            {"tag": "note", "elements": [{"tag": "plain_text", "content": message.account}]},
        ],
    })
}

/// Text that calls nobody: in a card, `<at id=all></at>` would.
fn tame(text: &str) -> String {
    text.replace('<', "&#60;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_signed_with_time_and_secret_as_the_key() {
        // base64(hmac_sha256(key = "1599360473\ndemo", message = "")).
        assert_eq!(sign("demo", "1599360473"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    }

    #[test]
    fn only_code_0_is_a_success() {
        assert_eq!(judge(br#"{"code":0,"msg":"success"}"#), Outcome::Delivered("code 0".to_owned()));
        assert_eq!(judge(br#"{"StatusCode":0}"#), Outcome::Delivered("code 0".to_owned()));
        assert_eq!(
            judge(br#"{"code":19021,"msg":"sign match fail"}"#),
            Outcome::Never("code 19021".to_owned())
        );
        assert_eq!(judge(br#"{"code":9499}"#), Outcome::again("code 9499"));
        assert!(matches!(judge(b"<html>"), Outcome::Never(_)));
        assert!(matches!(judge(b"{}"), Outcome::Never(_)));
    }
}

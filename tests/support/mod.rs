//! A sealed place to try the program in: a project of its own, an environment of its own, ports that are free.

mod client;
mod elsewhere;
mod embedder;
mod five;
mod mail;
mod model;
pub mod project;
mod receiver;
mod relay;
pub mod served;
mod server;

use std::time::Duration;

pub use client::{Reply, client};
pub use elsewhere::{Kind, elsewhere};
pub use embedder::{FakeEmbedder, Mood};
pub use five::{FIVE, THREE_TWICE};
pub use mail::{MailServer, Tls};
pub use model::{FakeModel, WRONG_KEY, first_word, work};
pub use project::{Finished, Project};
pub use receiver::{Received, Receiver};
pub use relay::{Relay, certificate};
pub use server::Server;

/// The longest anything may take on a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a script would pause before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries again and again until there is an answer.
pub async fn patiently<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let trying = async {
        loop {
            if let Some(answer) = attempt().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("it never came to what was waited for")
}

/// Signs `body` as GitHub does.
pub fn github_signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Signs `body` as Standard Webhooks do, now; gives the time and the signature.
pub fn webhook_signature(secret: &str, id: &str, body: &str) -> (String, String) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use hmac::{Hmac, KeyInit, Mac};
    let time = crew::base::clock::now().as_second().to_string();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    (time, format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

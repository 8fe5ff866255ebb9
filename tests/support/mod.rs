//! A sealed place to try the program in: a project of its own, an environment of its own, ports that are free.

mod client;
mod model;
mod project;
mod server;

pub use client::{Reply, client};
pub use model::FakeModel;
pub use project::{Finished, Project};
pub use server::Server;

/// Signs `body` as GitHub does.
pub fn github_signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

//! Mail: text with HTML beside it, over a connection that is encrypted and whose other end has proved who it is.

mod letter;
mod settings;

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls as Wire, TlsParameters},
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use self::settings::Tls;
pub use self::settings::{Fault, Mail, Parts};
use super::courier::{Courier, Outcome, Parcel};
use crate::{
    base::{blocking, text::chain},
    defs::{EnvText, Subject},
};

/// What one command of the conversation may take.
const COMMAND: Duration = Duration::from_secs(20);
/// What a conversation may take in which nothing is sent.
const GREETING: Duration = Duration::from_secs(15);
/// What all of it may take.
const WHOLE: Duration = Duration::from_mins(1);

/// Sends the mail.
pub(super) async fn send(
    courier: &Courier,
    parcel: &Parcel<'_>,
    to: &[EnvText],
    subject: Option<&Subject>,
) -> Result<Outcome, String> {
    let mail = courier.mail.as_ref().map_err(ToString::to_string)?;
    let to: Vec<String> = to.iter().map(|to| courier.fill(to)).collect::<Result<_, _>>()?;
    let letter = letter::write(mail, parcel, &to, subject)?;
    let transport = transport(mail).await?;
    let sending = tokio::time::timeout(WHOLE, transport.send(letter));
    Ok(match sending.await {
        Ok(Ok(answer)) => Outcome::Delivered(format!("SMTP {} to {}", answer.code(), to.join(", "))),
        Ok(Err(error)) => judge(&error),
        Err(_) => Outcome::again(format!("the server of mail did not end within {} s", WHOLE.as_secs())),
    })
}

impl Mail {
    /// Makes sure of the certificates that its server is to be known by; asks nobody.
    ///
    /// # Errors
    /// Why nobody could be trusted.
    pub async fn check(&self) -> Result<(), String> {
        if self.tls == Tls::None { Ok(()) } else { parameters(self).await.map(drop) }
    }

    /// Whether its server wants to know who sends.
    pub fn signs_in(&self) -> bool {
        self.login.is_some()
    }

    /// Goes as far as a mail would before it says from whom it is: connects, encrypts and signs in. Nothing is sent.
    ///
    /// # Errors
    /// Why no mail would be taken. What the server said is left out, as it may repeat what it was told.
    pub async fn greet(&self) -> Result<(), String> {
        let transport = transport(self).await?;
        let greeting = tokio::time::timeout(GREETING, transport.test_connection());
        match greeting.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("it stopped answering once it was connected".to_owned()),
            Ok(Err(error)) => Err(match error.status() {
                Some(code) => format!("it answered {code}"),
                None if error.is_response() => "it answered what is no SMTP".to_owned(),
                None => chain(&error),
            }),
            Err(_) => Err(format!("it did not answer within {} s", GREETING.as_secs())),
        }
    }
}

/// A connection is made anew for each mail.
async fn transport(mail: &Mail) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = match mail.tls {
        Tls::None => Wire::None,
        Tls::Start => Wire::Required(parameters(mail).await?),
        Tls::Implicit => Wire::Wrapper(parameters(mail).await?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(mail.host.clone())
        .port(mail.port)
        .tls(tls)
        .timeout(Some(COMMAND));
    if let Some((user, pass)) = &mail.login {
        builder = builder.credentials(Credentials::new(user.clone(), pass.expose().to_owned()));
    }
    Ok(builder.build())
}

/// Whom to trust. Reading the certificates of the system takes a while, and blocks.
async fn parameters(mail: &Mail) -> Result<TlsParameters, String> {
    let (host, file) = (mail.host.clone(), mail.ca_file.clone());
    let build = move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(file) = file {
            let wrong = |error: &dyn std::fmt::Display| format!("SMTP_CA_FILE `{}`: {error}", file.display());
            let pem = std::fs::read(&file).map_err(|error| wrong(&error))?;
            // It would be taken for a list of nobody.
            if CertificateDer::pem_slice_iter(&pem).next().is_none() {
                return Err(wrong(&"it holds no certificate in PEM"));
            }
            let authority = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
        }
        builder.build().map_err(|error| chain(&error))
    };
    blocking(build).await.unwrap_or_else(|| Err("the program ends".to_owned()))
}

/// What the server says for good is for good; what broke on the way may go better.
fn judge(error: &lettre::transport::smtp::Error) -> Outcome {
    let mut detail = chain(error);
    // Such as `openssl req -x509` makes, unless told.
    if detail.contains("CaUsedAsEndEntity") {
        detail.push_str(
            "; it is one of an authority, which no server may have: make it with `basicConstraints=CA:FALSE`",
        );
    }
    if error.is_permanent() || error.is_client() {
        return Outcome::Never(detail);
    }
    Outcome::again(detail)
}

//! How mail is sent: what the environment says, made sure of before it is used.

use std::path::PathBuf;

use lettre::message::Mailbox;

use crate::base::Secret;

/// What the environment says of mail, as it is written.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// `SMTP_HOST`.
    pub host: Option<String>,
    /// `SMTP_PORT`; 587 unless given.
    pub port: Option<String>,
    /// `SMTP_USER`.
    pub user: Option<String>,
    /// `SMTP_PASS`.
    pub pass: Option<Secret>,
    /// `SMTP_FROM`; the user unless given.
    pub from: Option<String>,
    /// `SMTP_CA_FILE`: authorities in PEM that are trusted in place of those of the system.
    pub ca_file: Option<PathBuf>,
    /// `SMTP_TLS`: `starttls`, `implicit` or `none`; what fits the port unless given.
    pub tls: Option<String>,
}

/// A server that takes mail.
#[derive(Debug, Clone)]
pub struct Mail {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Option<(String, Secret)>,
    pub(super) from: Mailbox,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) tls: Tls,
}

/// How the connection is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// It begins in clear, and nothing is said before it is encrypted.
    Start,
    /// It is encrypted from the beginning.
    Implicit,
    /// It is not; for a server on this machine.
    None,
}

/// Why no mail can be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody says where.
    #[error("SMTP_HOST is not set, so no mail is sent")]
    NoHost,
    /// What is no port.
    #[error("SMTP_PORT is `{0}`; a port is a number from 1 to 65535, usually 587 or 465")]
    Port(String),
    /// Nobody says from whom.
    #[error("neither SMTP_FROM nor SMTP_USER says from whom mail comes")]
    NoFrom,
    /// What is no sender.
    #[error("`{0}` is no address mail can come from; set SMTP_FROM to one such as `Crew <crew@example.com>`")]
    From(String),
    /// What is no way to encrypt.
    #[error("SMTP_TLS is `{0}`; it is `starttls`, `implicit` or `none`")]
    Tls(String),
    /// Others could read along.
    #[error("SMTP_TLS=none is for a server on this machine, not for `{0}`")]
    InClear(String),
}

impl Mail {
    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes sure of what the environment says.
    ///
    /// # Errors
    /// What is missing or cannot be meant.
    pub fn read(parts: Parts) -> Result<Self, Fault> {
        let host = parts.host.map(|host| host.trim().to_owned()).ok_or(Fault::NoHost)?;
        let port = match &parts.port {
            None => 587,
            Some(text) => match text.trim().parse::<u16>() {
                Ok(port) if port != 0 => port,
                _ => return Err(Fault::Port(text.trim().escape_debug().to_string())),
            },
        };
        let from = parts.from.as_deref().or(parts.user.as_deref()).ok_or(Fault::NoFrom)?.trim();
        let no_sender = |_| Fault::From(from.escape_debug().to_string());
        let tls = match parts.tls.as_deref().map(str::trim) {
            None if port == 465 => Tls::Implicit,
            None | Some("starttls") => Tls::Start,
            Some("implicit") => Tls::Implicit,
            Some("none") if is_local(&host) => Tls::None,
            Some("none") => return Err(Fault::InClear(host)),
            Some(other) => return Err(Fault::Tls(other.escape_debug().to_string())),
        };
        Ok(Self {
            port,
            login: parts.user.clone().zip(parts.pass),
            from: from.parse().map_err(no_sender)?,
            ca_file: parts.ca_file,
            tls,
            host,
        })
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(port: Option<&str>, tls: Option<&str>) -> Parts {
        let text = |text: &str| Some(text.to_owned());
        Parts {
            host: text("mail.example.com"),
            port: port.map(str::to_owned),
            user: text("crew@example.com"),
            pass: Secret::new("secret"),
            tls: tls.map(str::to_owned),
            ..Parts::default()
        }
    }

    #[test]
    fn what_cannot_be_meant_is_said_before_anything_is_sent() {
        #[track_caller]
        fn check(parts: Parts, expected: Result<(u16, Tls), &str>) {
            let read = Mail::read(parts).map(|mail| (mail.port, mail.tls));
            assert_eq!(read.map_err(|fault| fault.to_string()), expected.map_err(str::to_owned));
        }
        check(parts(None, None), Ok((587, Tls::Start)));
        check(parts(Some("465"), None), Ok((465, Tls::Implicit)));
        check(parts(Some("2465"), Some("implicit")), Ok((2465, Tls::Implicit)));
        for port in ["abc", "0", "70000", "-1", "58 7"] {
            let told =
                format!("SMTP_PORT is `{port}`; a port is a number from 1 to 65535, usually 587 or 465");
            check(parts(Some(port), None), Err(&told));
        }
        check(parts(None, Some("ssl")), Err("SMTP_TLS is `ssl`; it is `starttls`, `implicit` or `none`"));
        check(
            parts(None, Some("none")),
            Err("SMTP_TLS=none is for a server on this machine, not for `mail.example.com`"),
        );
        let local = Parts { host: Some("127.0.0.1".to_owned()), ..parts(Some("25"), Some("none")) };
        check(local, Ok((25, Tls::None)));
        check(Parts::default(), Err("SMTP_HOST is not set, so no mail is sent"));
        let nobody = Parts { user: None, ..parts(None, None) };
        check(nobody, Err("neither SMTP_FROM nor SMTP_USER says from whom mail comes"));
        let broken = Parts { from: Some("crew\r\nBcc: x@example.com".to_owned()), ..parts(None, None) };
        let told = Mail::read(broken).unwrap_err().to_string();
        assert!(told.contains(r"`crew\r\nBcc: x@example.com` is no address"), "{told}");
    }

    #[test]
    fn the_password_is_never_shown() {
        assert!(!format!("{:?}", Mail::read(parts(None, None)).unwrap()).contains("secret"));
    }
}

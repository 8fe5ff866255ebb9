//! Why a request got no answer. The host is named and no more of an address: paths and queries hold secrets.

use std::{error::Error as StdError, io, net::IpAddr};

use reqwest::Url;

/// What keeps a request from being answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no address that can be gone to.
    #[error("this is no address that can be asked: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// It leads to a place that is not for everyone.
    #[error(
        "`{host}` is not asked: its address {address} is {what}, and `outbound.allow` of .crew/config.yaml does not allow it"
    )]
    Refused {
        /// The host.
        host: String,
        /// The address of it that must not be gone to.
        address: IpAddr,
        /// What that is.
        what: &'static str,
    },
    /// Nobody knows an address of it.
    #[error("the address of `{host}` cannot be found")]
    Unresolved {
        /// The host.
        host: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("`{host}` did not answer within {seconds} s")]
    Timeout {
        /// The host.
        host: String,
        /// How long it may have taken.
        seconds: u64,
    },
    /// No connection, or one that broke.
    #[error("no connection to `{host}`, or it broke")]
    Connection {
        /// The host.
        host: String,
        /// What happened.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// It leads from one place to the next without an end.
    #[error("it redirects more than {most} times")]
    Redirects {
        /// How many are followed.
        most: usize,
    },
    /// What it sent is not packed as it says.
    #[error("what `{host}` sent cannot be unpacked")]
    Packing {
        /// The host.
        host: String,
    },
}

impl Error {
    /// Whether the same request may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unresolved { .. } | Self::Timeout { .. } | Self::Connection { .. })
    }

    /// With its causes, in one line.
    pub fn chain(&self) -> String {
        crate::base::text::chain(self)
    }
}

/// What went wrong on the way to `url`. What the gate says comes wrapped in what the connector makes of it.
pub(super) fn classify(url: &Url, error: reqwest::Error) -> Error {
    let host = || url.host_str().unwrap_or_default().to_owned();
    if error.is_timeout() {
        return Error::Timeout { host: host(), seconds: super::CONNECT.as_secs() };
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<Error>() {
            Some(Error::Refused { host, address, what }) => {
                return Error::Refused { host: host.clone(), address: *address, what };
            }
            Some(Error::Unresolved { host, source }) => {
                let source = io::Error::new(source.kind(), source.to_string());
                return Error::Unresolved { host: host.clone(), source };
            }
            _ => cause = inner.source(),
        }
    }
    Error::Connection { host: host(), source: Box::new(error.without_url()) }
}

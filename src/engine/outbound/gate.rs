//! Who may be gone to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::Error;
use crate::base::reach::{self, Allowed};

/// Knows the addresses of hosts.
pub(crate) trait Resolver: Send + Sync {
    /// The addresses of `host`.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the system.
pub(crate) struct System;

impl Resolver for System {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let place = (host.to_owned(), 0);
        Box::pin(
            async move { Ok(tokio::net::lookup_host(place).await?.map(|address| address.ip()).collect()) },
        )
    }
}

/// Lets through what everyone can reach, and what is allowed besides.
#[derive(Clone)]
pub(super) struct Gate {
    allow: Arc<[Allowed]>,
    resolver: Arc<dyn Resolver>,
}

impl Gate {
    pub(super) fn new(allow: Vec<Allowed>, resolver: Arc<dyn Resolver>) -> Self {
        Self { allow: allow.into(), resolver }
    }

    /// Checks a host that is an address; one that is a name is checked when its addresses are known.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(super) fn check(&self, url: &Url) -> Result<(), Error> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => self.admit(host, &[address]),
            Err(_) => Ok(()),
        }
    }

    fn admit(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Error> {
        if self.allow.iter().any(|allowed| allowed.names(host)) {
            return Ok(());
        }
        for address in addresses {
            if let Some(what) = reach::special(*address)
                && !self.allow.iter().any(|allowed| allowed.holds(*address))
            {
                tracing::warn!(host, %address, what, "a request to a place that is not for everyone was refused");
                return Err(Error::Refused { host: host.to_owned(), address: *address, what });
            }
        }
        Ok(())
    }

    /// The addresses of `host`, all of which may be gone to.
    async fn addresses(self, host: String) -> Result<Vec<IpAddr>, Error> {
        let nobody = |source| Error::Unresolved { host: host.clone(), source };
        let addresses = self.resolver.resolve(&host).await.map_err(nobody)?;
        if addresses.is_empty() {
            return Err(nobody(io::ErrorKind::NotFound.into()));
        }
        self.admit(&host, &addresses)?;
        Ok(addresses)
    }
}

/// A connection is made to what this answers, and to nothing else.
impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = addresses.await?;
            let places: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(places)
        })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("allow", &self.allow).finish_non_exhaustive()
    }
}

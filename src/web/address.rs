//! Where a request comes from: the address of the client, not that of the proxy in front.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// More entries than any chain of proxies has; what is before them is not looked at.
const HOPS: usize = 32;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The proxies whose word on where a request comes from is taken.
#[derive(Debug, Default)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    told: AtomicBool,
}

/// A text that is no address and no range of addresses.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither an address nor a range such as `10.0.0.0/8`")]
pub struct NotARange(String);

impl Proxies {
    /// Those at these addresses (`10.0.0.7`) or in these ranges (`10.0.0.0/8`).
    ///
    /// # Errors
    /// The first that is neither.
    pub fn new<T: AsRef<str>>(ranges: impl IntoIterator<Item = T>) -> Result<Self, NotARange> {
        let range = |text: T| {
            let text = text.as_ref().trim();
            let one = || IpAddr::from_str(text).map(IpNet::from).ok();
            text.parse().ok().or_else(one).ok_or_else(|| NotARange(text.to_owned()))
        };
        Ok(Self {
            trusted: ranges.into_iter().map(range).collect::<Result<_, _>>()?,
            told: AtomicBool::new(false),
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(&address))
    }

    /// Where the request comes from. `X-Forwarded-For` is read from the right, as far as those who wrote it are trusted:
    /// whatever a client puts there itself stands further left. An entry that is no address ends the reading, and the
    /// proxy that passed it on is who is known.
    pub(super) fn resolve(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer.to_canonical();
        if !self.trusts(known) {
            if known.is_loopback()
                && headers.contains_key(FORWARDED_FOR)
                && !self.told.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    "X-Forwarded-For comes from {known}, which is no trusted proxy: all its clients count as one; if it is \
                     yours, say --trusted-proxy {known}"
                );
            }
            return known;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries.take(HOPS) {
            let Some(address) = std::str::from_utf8(entry).ok().and_then(address) else { break };
            known = address;
            if !self.trusts(known) {
                break;
            }
        }
        known
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || SocketAddr::from_str(text).ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// The address that `address` is counted under. Who has one address of IPv6 has a whole /64 of them.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(trusted: &[&str], peer: &str, lines: &[&str], expected: &str) {
        let proxies = Proxies::new(trusted).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let found = proxies.resolve(peer.parse().unwrap(), &headers);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{lines:?}");
    }

    #[test]
    fn a_client_cannot_choose_its_address() {
        check(&[], "127.0.0.1", &["1.1.1.1"], "127.0.0.1");
        check(&["10.0.0.0/8"], "192.0.2.1", &["1.1.1.1"], "192.0.2.1");
        let nginx = ["127.0.0.1"];
        check(&nginx, "127.0.0.1", &[], "127.0.0.1");
        check(&nginx, "127.0.0.1", &["1.1.1.1, 2.2.2.2"], "2.2.2.2");
        check(&nginx, "127.0.0.1", &["1.1.1.1", "2.2.2.2"], "2.2.2.2");
        check(&nginx, "127.0.0.1", &["127.0.0.1, 2.2.2.2,127.0.0.1"], "2.2.2.2");
        check(&nginx, "::ffff:127.0.0.1", &["::ffff:2.2.2.2"], "2.2.2.2");
        check(&nginx, "127.0.0.1", &["2.2.2.2:4711"], "2.2.2.2");
        check(&["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", &["6.6.6.6, 2.2.2.2, 10.1.2.3"], "2.2.2.2");
        check(&["::1"], "::1", &["[2001:db8::7]:443"], "2001:db8::7");
    }

    #[test]
    fn what_is_no_address_ends_the_reading() {
        let nginx = ["127.0.0.1", "10.0.0.0/8"];
        check(&nginx, "127.0.0.1", &["garbage"], "127.0.0.1");
        check(&nginx, "127.0.0.1", &["2.2.2.2, garbage, 10.0.0.1"], "10.0.0.1");
        check(&nginx, "127.0.0.1", &["2.2.2.2,"], "127.0.0.1");
        check(&nginx, "127.0.0.1", &["unknown"], "127.0.0.1");
        assert!(Proxies::new(["10.0.0.0/33"]).is_err());
        assert!(Proxies::new(["proxy.example.com"]).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let counted = |text: &str| super::counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("192.0.2.1"), "192.0.2.1");
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
    }
}

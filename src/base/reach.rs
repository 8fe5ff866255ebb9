//! Which places on the network the program may go to on somebody else's word: those that everyone can reach, and what
//! the operator allows besides.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is no public address of IPv4, and what it is.
///
/// Source: IANA IPv4 Special-Purpose Address Registry; the last is where Azure keeps what only its machines may know
/// (other clouds keep it at link-local, private and shared addresses).
const SPECIAL_V4: [([u8; 4], u8, &str); 16] = [
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a provider's customers"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "for documentation"),
    ([192, 88, 99, 0], 24, "reserved"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "for measurements"),
    ([198, 51, 100, 0], 24, "for documentation"),
    ([203, 0, 113, 0], 24, "for documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
    ([168, 63, 129, 16], 32, "metadata of a cloud"),
];

/// The same of IPv6, inside the block that public addresses are from.
///
/// Source: IANA IPv6 Special-Purpose Address Registry.
const SPECIAL_V6: [([u16; 3], u8, &str); 3] = [
    ([0x2001, 0, 0], 23, "reserved"),
    ([0x2001, 0x0db8, 0], 32, "for documentation"),
    ([0x3fff, 0, 0], 20, "for documentation"),
];

/// What an address is, in a word or a few; `None` for one that everyone can reach. An address that stands for one of
/// IPv4 (mapped, NAT64, 6to4) is what that is.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4.iter().find_map(|(begin, length, what)| {
        let net = Ipv4Net::new((*begin).into(), *length).ok()?;
        net.contains(&address).then_some(*what)
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = address.to_ipv4_mapped() {
        return special_v4(inner);
    }
    let parts = address.segments();
    let inner = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => return inner(high, low),
        [0, 0, 0, 0, 0, 0, 0, 0] => return Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => return Some("loopback"),
        [first, ..] if first & 0xff00 == 0xff00 => return Some("multicast"),
        [first, ..] if first & 0xffc0 == 0xfe80 => return Some("link-local"),
        [first, ..] if first & 0xfe00 == 0xfc00 => return Some("private"),
        // Nothing outside 2000::/3 has been given to anybody.
        [first, ..] if first & 0xe000 != 0x2000 => return Some("reserved"),
        _ => {}
    }
    SPECIAL_V6.iter().find_map(|([a, b, c], length, what)| {
        let net = Ipv6Net::new(Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0), *length).ok()?;
        net.contains(&address).then_some(*what)
    })
}

/// A place that an operator allows although not everyone can reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A host by its name in lower case, whatever its addresses are.
    Host(Box<str>),
    /// Every host below a name: `*.example.com` is kept as `.example.com`.
    Below(Box<str>),
    /// A range of addresses, or one.
    Net(IpNet),
}

impl Allowed {
    /// Reads `internal.example.com`, `*.example.com`, `10.1.0.0/16`, `fd00::/8` or `127.0.0.1`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NoPlace> {
        let text = text.trim();
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        if text.contains('/') {
            return text.parse::<IpNet>().map(|net| Self::Net(net.trunc())).map_err(|_| NoPlace);
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is_label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty() && label.bytes().all(plain)
        };
        // What ends in a number is an address, or a misspelt one.
        let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if !name.split('.').all(is_label) || numeric {
            return Err(NoPlace);
        }
        let name = name.to_ascii_lowercase();
        Ok(if below { Self::Below(format!(".{name}").into()) } else { Self::Host(name.into()) })
    }

    /// Whether this is about the host `name`, which may end in a dot.
    pub fn names(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Host(host) => **host == *name,
            Self::Below(end) => name.len() > end.len() && name.ends_with(&**end),
            Self::Net(_) => false,
        }
    }

    /// Whether this is about `address`, or about that of IPv4 which it is another form of.
    pub fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&address) || net.contains(&address.to_canonical()),
            Self::Host(_) | Self::Below(_) => false,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => f.write_str(name),
            Self::Below(end) => write!(f, "*{end}"),
            Self::Net(net) => net.fmt(f),
        }
    }
}

/// A text that names no host and no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is neither the name of a host nor a range of addresses")]
pub struct NoPlace;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_not_everyone_can_reach_is_told_apart() {
        #[track_caller]
        fn check(address: &str, expected: Option<&str>) {
            assert_eq!(special(address.parse().unwrap()), expected, "{address}");
        }
        check("93.184.216.34", None);
        check("100.63.255.255", None);
        check("172.32.0.1", None);
        check("2606:2800:220:1::1", None);
        check("2001:4860:4860::8888", None);
        check("0.0.0.0", Some("unspecified"));
        check("0.1.2.3", Some("unspecified"));
        check("10.255.0.1", Some("private"));
        check("100.100.100.200", Some("shared by a provider's customers"));
        check("127.8.9.1", Some("loopback"));
        check("169.254.169.254", Some("link-local"));
        check("172.31.255.255", Some("private"));
        check("192.0.0.192", Some("reserved"));
        check("192.0.2.1", Some("for documentation"));
        check("192.168.1.1", Some("private"));
        check("198.19.0.1", Some("for measurements"));
        check("203.0.113.9", Some("for documentation"));
        check("224.0.0.251", Some("multicast"));
        check("255.255.255.255", Some("reserved"));
        check("168.63.129.16", Some("metadata of a cloud"));
        check("::", Some("unspecified"));
        check("::1", Some("loopback"));
        check("::7f00:1", Some("reserved"));
        check("::ffff:127.0.0.1", Some("loopback"));
        check("::ffff:93.184.216.34", None);
        check("64:ff9b::7f00:1", Some("loopback"));
        check("64:ff9b::5db8:d822", None);
        check("64:ff9b:1::a00:1", Some("reserved"));
        check("2002:7f00:1::", Some("loopback"));
        check("2002:a9fe:a9fe::1", Some("link-local"));
        check("2001::1", Some("reserved"));
        check("2001:db8::1", Some("for documentation"));
        check("3fff::1", Some("for documentation"));
        check("fd00:ec2::254", Some("private"));
        check("fe80::1", Some("link-local"));
        check("fec0::1", Some("reserved"));
        check("ff02::1", Some("multicast"));
    }

    #[test]
    fn hosts_and_ranges_are_allowed_by_what_they_are() {
        let allowed = |text: &str| Allowed::parse(text).unwrap();
        assert!(allowed("Internal.Example.com").names("internal.example.com."));
        assert!(!allowed("example.com").names("evil-example.com"));
        assert!(!allowed("example.com").names("a.example.com"));
        assert!(allowed("*.example.com").names("a.b.example.com"));
        assert!(!allowed("*.example.com").names("example.com"));
        assert!(!allowed("*.example.com").names("evilexample.com"));
        assert!(allowed("10.1.2.3/8").holds("10.200.0.1".parse().unwrap()));
        assert!(allowed("127.0.0.1").holds("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!allowed("127.0.0.1").holds("127.0.0.2".parse().unwrap()));
        assert!(allowed("[::1]").holds("::1".parse().unwrap()));
        assert!(!allowed("fd00::/8").names("fd00"));
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in
            ["", "*", "*.", "http://a.example", "a.example:80", "10.0.0.0/33", "10.0.0", "a/b", "a..b", "例"]
        {
            assert_eq!(Allowed::parse(text), Err(NoPlace), "{text}");
        }
    }
}

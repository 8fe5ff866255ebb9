//! The names a server goes by, to tell a page that makes its own name point to this machine from a caller who means it.

/// The names under which a server may be called by a browser.
///
/// Source: MCP, "Streamable HTTP", security warning about DNS rebinding; it holds for any server without a token.
#[derive(Debug, Clone)]
pub struct HostNames {
    any: bool,
    names: Vec<String>,
}

impl HostNames {
    /// `localhost`, the loopback addresses, and `extra`; with `*` among them, every name.
    pub fn new(extra: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let names = extra.iter().map(|name| name.to_ascii_lowercase());
        Self { any: extra.iter().any(|name| name == "*"), names: loopback.into_iter().chain(names).collect() }
    }

    /// Whether the value of a `Host` (`name:port`) or `Origin` (`scheme://name:port`) header is among them.
    pub fn allow(&self, header: &str) -> bool {
        self.any
            || name_of(header).is_some_and(|name| self.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
    }
}

fn name_of(text: &str) -> Option<&str> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (name, port) = text.split_at_checked(end)?;
    let port = port.strip_prefix(':').unwrap_or(port);
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_schemes_do_not_count_names_do() {
        let names = HostNames::new(&["Crew.example.com".to_owned()]);
        let check = |header: &str, expected: bool| assert_eq!(names.allow(header), expected, "{header}");
        check("localhost", true);
        check("LOCALHOST:8765", true);
        check("http://127.0.0.1:3000", true);
        check("[::1]:8765", true);
        check("https://crew.example.com", true);
        check("evil.example.com", false);
        check("localhost.evil.example.com", false);
        check("localhost:80@evil.example.com", false);
        check("null", false);
        check("", false);
        check("[::1", false);
        assert!(HostNames::new(&["*".to_owned()]).allow("anything"));
    }

    #[test]
    fn the_name_is_what_stands_between_scheme_and_port() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(name_of(text), expected, "{text}");
        }
        check("localhost", Some("localhost"));
        check("localhost:8000", Some("localhost"));
        check("http://localhost:8000", Some("localhost"));
        check("[::1]:8000", Some("[::1]"));
        check("http://[::1]", Some("[::1]"));
        check("localhost:8000.evil.example", None);
        check("localhost:evil.example", None);
        check("[::1", None);
        check("[::1].evil.example", None);
        check("localhost@evil.example", Some("localhost@evil.example"));
        check("null", Some("null"));
        check("", Some(""));
    }
}

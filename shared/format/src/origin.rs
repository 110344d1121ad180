//! Origins of issuers, in the one spelling a browser gives them.

use core::fmt;

use satchel_json::{Error, Slot, Value};
use serde::Serialize;

/// Longest origin in bytes: scheme, a 253-byte host name (RFC 1035 §2.3.4), port.
pub const MAX_ORIGIN_BYTES: usize = 267;

/// The text is not an origin in canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOrigin;

impl fmt::Display for NotOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an origin such as https://satchel.example")
    }
}

impl core::error::Error for NotOrigin {}

/// `https://HOST[:PORT]` or `http://HOST[:PORT]`: lower case, no path, no default port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Origin(String);

impl Origin {
    /// Reads an origin.
    pub fn parse(text: &str) -> Result<Self, NotOrigin> {
        if text.len() > MAX_ORIGIN_BYTES {
            return Err(NotOrigin);
        }
        let (default_port, rest) =
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(rest), _) => (443, rest),
                (_, Some(rest)) => (80, rest),
                _ => return Err(NotOrigin),
            };
        let (host, port) = split_port(rest);
        if !is_host(host) || port.is_some_and(|port| !is_port(port, default_port)) {
            return Err(NotOrigin);
        }
        Ok(Self(text.to_owned()))
    }

    /// The origin as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there can't be read on the way: TLS, or it never leaves the machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else {
            return true;
        };
        let (host, _) = split_port(rest);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
    }
}

/// Cuts `HOST[:PORT]`; a bracketed IPv6 address holds colons of its own.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address
            .parse::<core::net::Ipv6Addr>()
            // Those with an IPv4 address in them are written in two ways by those who write them.
            .is_ok_and(|ip| ip.to_string() == address && ip.to_ipv4_mapped().is_none());
    }
    !host.is_empty()
        && host
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        && !host.starts_with('.')
        && !host.contains("..")
        && (!ends_in_a_number(host) || is_ipv4(host))
}

/// Whether browsers take the host for an IPv4 address (WHATWG URL, "ends in a number").
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// Written as browsers write it: four decimal numbers.
fn is_ipv4(host: &str) -> bool {
    host.parse::<core::net::Ipv4Addr>()
        .is_ok_and(|ip| ip.to_string() == host)
}

fn is_port(port: &str, default: u16) -> bool {
    port.parse::<u16>()
        .is_ok_and(|number| number != default && number.to_string() == port)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Slot for Origin {
    fn blank() -> Self {
        Self(String::new())
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        *self = Self::parse(&value.text()?).map_err(|_| Error::new("not an origin"))?;
        Ok(())
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_origins_are_read() {
        for (good, private) in [
            ("https://satchel.example", true),
            ("https://satchel.example:8443", true),
            ("http://localhost:8787", true),
            ("http://wallet.localhost:8787", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:8787", true),
            ("http://satchel.example", false),
            ("http://localhost.example:8787", false),
        ] {
            assert_eq!(Origin::parse(good).unwrap().is_private(), private, "{good}");
        }
    }

    /// A browser reads a host whose last label is a number as an IPv4 address, and writes that out.
    #[test]
    fn a_number_is_an_address() {
        for good in [
            "https://127.0.0.1",
            "https://1.2.3.example",
            "https://0xg",
            "https://a.0b",
            "https://a.",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://727.0.0.1",
            "https://127.1",
            "https://127.0.0.1.",
            "https://127.0.0.01",
            "https://1",
            "https://0x",
            "https://0x7f.1",
            "https://a.0x7f",
            "https://a.09",
            "https://a.1.",
            "https://1.2.3.4.5",
        ] {
            assert_eq!(Origin::parse(bad), Err(NotOrigin), "{bad}");
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for bad in [
            "",
            "https://",
            "https://a/",
            "https://a/b",
            "https://A",
            "HTTPS://a",
            "ftp://a",
            "https://a:443",
            "http://a:80",
            "https://a:",
            "https://a:0x1",
            "https://a:01",
            "https://a:65536",
            "https://user@a",
            "https://a?b",
            "https://a#b",
            "https://a b",
            "https://ä.example",
            "https://.a",
            "https://a..b",
            "https://[::1",
            "https://[zz]",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:7f00:1]",
            " https://a",
            "https://a\n",
        ] {
            assert_eq!(Origin::parse(bad), Err(NotOrigin), "{bad:?}");
        }
        assert!(Origin::parse(&format!("https://{}", "a".repeat(300))).is_err());
    }
}

//! Which addresses a webhook may have: names of public hosts by https. A request of ours must not reach
//! what only we can reach.

/// Longest address, bytes.
const MAX_URL_BYTES: usize = 500;
/// Names that are of no public host (RFC 6761, RFC 6762, RFC 8375 and what networks use inside).
const PRIVATE: [&str; 12] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "test",
    "invalid",
    "onion",
    "home.arpa",
];
/// Where development may send to, without a certificate.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What a deployment allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// Development: http to this very machine too.
    pub(crate) loopback: bool,
    /// Our own origins, which are never called by us.
    pub(crate) ours: &'a [&'a str],
}

/// Scheme, host and port of an address without user name and without characters that readers differ about.
fn parts(url: &str) -> Option<(&str, &str, Option<&str>)> {
    // No backslash, blank or control character, which some would read as something else.
    let plain = |b: u8| (0x21..0x7f).contains(&b) && !b"\\<>\"`{}|^".contains(&b);
    if url.len() > MAX_URL_BYTES || !url.bytes().all(plain) || url.contains('#') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    if authority.contains('@') {
        return None;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => Some((scheme, host, Some(port))),
        _ => Some((scheme, authority, None)),
    }
}

/// A name with a dot, of the characters of host names, and no number at its end: that would be an
/// address, in one of its many spellings.
fn is_public_name(host: &str) -> bool {
    let label = |label: &str| {
        let fits = (1..=63).contains(&label.len());
        let plain = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fits && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let Some((_, last)) = host.rsplit_once('.') else {
        return false;
    };
    let lower = host.to_ascii_lowercase();
    // Punycode may have digits anywhere; its letters before them are known.
    let named = last.bytes().all(|b| b.is_ascii_alphabetic())
        || lower
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with("xn--"));
    let below = |name: &&str| {
        lower
            .strip_suffix(*name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    host.len() <= 253 && host.split('.').all(label) && named && !PRIVATE.iter().any(below)
}

/// Whether a webhook may have this address; why not.
pub(crate) fn check(url: &str, rules: &Rules<'_>) -> Result<(), &'static str> {
    let (scheme, host, port) = parts(url).ok_or("not an address")?;
    let in_range = |port: &str| port.parse::<u16>().is_ok_and(|n| n > 0);
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    if !port.is_none_or(|port| digits(port) && in_range(port)) {
        return Err("not a port");
    }
    if rules.loopback && matches!(scheme, "http" | "https") && LOOPBACK.contains(&host) {
        return Ok(());
    }
    if scheme != "https" {
        return Err("the address must begin with https://");
    }
    if !is_public_name(host) {
        return Err("the address must name a public host, and none by its number");
    }
    let ours = |origin: &&str| {
        origin
            .split_once("://")
            .and_then(|(_, rest)| rest.split(['/', ':']).next())
            .is_some_and(|name| name.eq_ignore_ascii_case(host))
    };
    if rules.ours.iter().any(ours) {
        return Err("the address is our own");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: Rules<'_> = Rules {
        loopback: false,
        ours: &["https://satchel.example"],
    };

    #[test]
    fn public_hosts_by_https_are_allowed() {
        for url in [
            "https://shop.example.org/hooks",
            "https://shop.example.org",
            "https://shop.example.org?x=1",
            "https://a-b.example.co.uk:8443/hooks?key=%20a&b=c",
            "https://xn--bcher-kva.example/",
            "https://example.xn--p1ai/hook",
            "https://127.0.0.1.example.org/",
        ] {
            assert_eq!(check(url, &LIVE), Ok(()), "{url}");
        }
    }

    #[test]
    fn what_only_we_could_reach_is_refused() {
        for url in [
            "",
            "https://",
            "https:///hooks",
            "http://shop.example.org/",
            "HTTPS://shop.example.org/",
            "ftp://shop.example.org/",
            "https://localhost/",
            "https://localhost.:1/",
            "https://x.localhost/",
            "https://LOCALHOST/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://router.home.arpa/",
            "https://intranet/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0x7f000001/",
            "https://017700000001/",
            "https://a.0x1/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://192.168.1.1:80/",
            "https://8.8.8.8/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fe80::1%25eth0]/",
            "https://user@shop.example.org/",
            "https://shop.example.org@127.0.0.1/",
            "https://shop.example.org\\@127.0.0.1/",
            "https://shop.example.org:0/",
            "https://shop.example.org:+80/",
            "https://shop.example.org:99999/",
            "https://shop.example.org:80:80/",
            "https://shop..example.org/",
            "https://.example.org/",
            "https://example.org./",
            "https://-x.example.org/",
            "https://ex%61mple.org/",
            "https://bücher.example/",
            "https://１２７.０.０.１/",
            "https://shop.example.org/#x",
            "https://shop.example.org/a b",
            "https://shop.example.org/\n",
            "https://satchel.example/v1/works",
            "https://SATCHEL.example:444/",
            "javascript:alert(1)",
            "//shop.example.org",
        ] {
            assert!(check(url, &LIVE).is_err(), "{url}");
        }
        let long = format!("https://shop.example.org/{}", "a".repeat(500));
        assert!(check(&long, &LIVE).is_err());
    }

    #[test]
    fn only_development_sends_to_this_machine_and_nowhere_else_without_a_certificate() {
        let rules = Rules {
            loopback: true,
            ..LIVE
        };
        for url in [
            "http://127.0.0.1:9000/hook",
            "http://localhost:9000",
            "http://[::1]:9000/",
            "https://shop.example.org/",
        ] {
            assert_eq!(check(url, &rules), Ok(()), "{url}");
        }
        for url in [
            "http://127.0.0.2/",
            "http://shop.example.org/",
            "http://10.0.0.1/",
            "http://127.0.0.1@evil.example/",
            "http://localhost.evil.example/",
        ] {
            assert!(check(url, &rules).is_err(), "{url}");
        }
    }
}

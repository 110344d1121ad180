//! Which part of Satchel answers a request. Pure: method and address in, destination out.
//!
//! The address is decided on exactly as the next worker will read it: nothing is decoded and nothing
//! is normalised here. Every route of Satchel is made of unreserved characters, so a path with any
//! other character, with an empty segment or with a dot segment leads nowhere.

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The worker behind this service binding, request and answer untouched.
    Worker(&'static str),
    /// This file of the built site.
    Asset(String),
    /// Another address.
    Redirect(String),
    /// The gateway's own sign of life.
    Health,
    /// A page of ours that can only be read.
    WrongMethod,
    /// Nowhere; clients of the API are told in JSON, people in HTML.
    NotFound {
        /// Whether the path is one of the API.
        api: bool,
    },
    /// Somebody else's host name.
    WrongHost,
}

/// The two origins of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origins {
    issuer: String,
    wallet: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Public,
    Wallet,
}

impl Origins {
    /// The configured origins; `None` unless each has a host and the hosts differ. On one host a
    /// stranger's frame would share an origin's storage and powers with the wallet.
    pub(crate) fn new(issuer: &str, wallet: &str) -> Option<Self> {
        let (issuer_host, _) = split(issuer)?;
        let (wallet_host, _) = split(wallet)?;
        let differ = !issuer_host.eq_ignore_ascii_case(wallet_host);
        differ.then(|| Self {
            issuer: issuer.to_owned(),
            wallet: wallet.to_owned(),
        })
    }

    fn side(&self, host: &str) -> Option<Side> {
        let is = |origin: &str| split(origin).is_some_and(|(h, _)| h.eq_ignore_ascii_case(host));
        if is(&self.issuer) {
            Some(Side::Public)
        } else {
            is(&self.wallet).then_some(Side::Wallet)
        }
    }
}

/// Host (without port) and path (without query) of an absolute address, as written. An address
/// with a user name in it has no host here: nobody honest sends one.
fn split(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "/"),
    };
    // A host name with `#` or `?` in it looks as if there were no path.
    let path = path
        .split(['?', '#'])
        .next()
        .filter(|path| !path.is_empty())?;
    let host = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((host, port)) if !port.contains(']') => {
            // Two Host headers arrive joined: what is no number is no port.
            if !port.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            host
        }
        _ => authority,
    };
    let ok = !host.is_empty() && !authority.contains('@');
    ok.then_some((host, path))
}

fn is_plain(segment: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(unreserved)
}

/// Decides where a request goes. `url` is the absolute address as the runtime gives it.
pub(crate) fn route(origins: &Origins, method: &str, url: &str) -> Destination {
    let Some((host, path)) = split(url) else {
        return Destination::WrongHost;
    };
    let Some(side) = origins.side(host) else {
        return Destination::WrongHost;
    };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if path != "/" && !segments.iter().all(|segment| is_plain(segment)) {
        return nowhere(path);
    }
    if let Some(binding) = api(&segments) {
        return Destination::Worker(binding);
    }
    let found = match side {
        Side::Public => public_page(origins, path, &segments),
        Side::Wallet => wallet_page(origins, path, &segments),
    };
    match found {
        Destination::Asset(_) | Destination::Redirect(_) | Destination::Health
            if !matches!(method, "GET" | "HEAD") =>
        {
            Destination::WrongMethod
        }
        // The other workers know their own methods.
        found => found,
    }
}

/// Whoever asks for a path of the API is a program.
fn nowhere(path: &str) -> Destination {
    Destination::NotFound {
        api: path.starts_with("/v1") || path.starts_with("/.well-known"),
    }
}

/// The API answers on both hosts.
fn api(segments: &[&str]) -> Option<&'static str> {
    match segments {
        ["v1", "works" | "uploads" | "shops", ..] => Some("UPLOAD"),
        ["v1", "quotes" | "orders" | "grants" | "keys" | "intake", ..]
        | [".well-known", "jwks.json" | "did.json"] => Some("PURCHASE"),
        // What a session costs: whoever streams cannot say.
        ["v1", "sessions", work] if work.starts_with("wrk_") => Some("PURCHASE"),
        ["v1", "sessions", ..] | ["v1", "hls"] => Some("STREAM"),
        ["v1", "accounts" | "operator" | "refunds", ..] | ["v1", "config"] => Some("LEDGER"),
        _ => None,
    }
}

fn file(path: &str) -> Destination {
    Destination::Asset(path.to_owned())
}

fn elsewhere(origin: &str, path: &str) -> Destination {
    Destination::Redirect(format!("{origin}{path}"))
}

fn public_page(origins: &Origins, path: &str, segments: &[&str]) -> Destination {
    match segments {
        ["v1", "health"] => Destination::Health,
        // Payment discovery looks for it at the root.
        ["openapi.json"] | ["v1", "openapi.json"] => file("/openapi.json"),
        ["llms.txt"] => file("/llms.txt"),
        ["f", _, ..] => Destination::Worker("FILES"),
        ["widget.js" | "widget.json" | "oembed"] | ["embed" | "w" | "badge", _, ..] => {
            Destination::Worker("WIDGET")
        }
        ["hls", _, ..] => Destination::Worker("HLS"),
        // `widget`: the script under a name that never changes its content.
        ["widget", _] | ["assets", _, ..] => file(path),
        [""] => file("/home.html"),
        ["open"] => file("/open.html"),
        ["studio" | "wallet"] => elsewhere(&origins.wallet, path),
        _ => nowhere(path),
    }
}

/// Nothing a stranger wrote is served here: not works, and not packed files either, whose first
/// bytes are their maker's choice.
fn wallet_page(origins: &Origins, path: &str, segments: &[&str]) -> Destination {
    match segments {
        ["v1", "health"] => Destination::Health,
        ["v1", "openapi.json"] => file("/openapi.json"),
        ["assets", _, ..] => file(path),
        ["" | "wallet"] => file("/wallet.html"),
        ["studio"] => file("/studio.html"),
        ["approve"] => file("/approve.html"),
        ["f" | "w", _, ..] | ["open"] => elsewhere(&origins.issuer, path),
        _ => nowhere(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ISSUER: &str = "https://satchel.example";
    const WALLET: &str = "https://wallet.satchel.example";

    fn origins() -> Origins {
        Origins::new(ISSUER, WALLET).unwrap()
    }

    fn get(url: &str) -> Destination {
        route(&origins(), "GET", url)
    }

    fn public(path: &str) -> Destination {
        get(&format!("{ISSUER}{path}"))
    }

    fn wallet(path: &str) -> Destination {
        get(&format!("{WALLET}{path}"))
    }

    const NOT_FOUND: Destination = Destination::NotFound { api: false };
    const NO_SUCH_CALL: Destination = Destination::NotFound { api: true };

    #[test]
    fn each_prefix_of_the_api_goes_to_its_worker_on_both_hosts() {
        for (path, binding) in [
            ("/v1/works", "UPLOAD"),
            ("/v1/works/wrk_x/publish", "UPLOAD"),
            ("/v1/uploads/upl_x/sign", "UPLOAD"),
            (
                "/v1/shops/abc_-/webhooks/whk_x/deliveries/1/resend",
                "UPLOAD",
            ),
            ("/v1/quotes", "PURCHASE"),
            ("/v1/orders/ord_x", "PURCHASE"),
            ("/v1/grants", "PURCHASE"),
            ("/v1/keys", "PURCHASE"),
            ("/v1/intake", "PURCHASE"),
            ("/.well-known/jwks.json", "PURCHASE"),
            ("/.well-known/did.json", "PURCHASE"),
            ("/v1/keys/wrk_x", "PURCHASE"),
            ("/v1/sessions/wrk_x", "PURCHASE"),
            ("/v1/sessions/ses_x/windows/3", "STREAM"),
            ("/v1/hls", "STREAM"),
            ("/v1/accounts/abc_-/purchases?after=x", "LEDGER"),
            ("/v1/accounts/abc_-/transfers.csv?after=1", "LEDGER"),
            ("/v1/accounts/abc_-/sign-out", "LEDGER"),
            ("/v1/refunds", "LEDGER"),
            ("/v1/operator", "LEDGER"),
            ("/v1/config", "LEDGER"),
        ] {
            assert_eq!(public(path), Destination::Worker(binding), "{path}");
            assert_eq!(wallet(path), Destination::Worker(binding), "{path}");
        }
    }

    #[test]
    fn every_binding_routed_to_is_configured() {
        let config = include_str!("../../../wrangler.toml");
        for path in [
            "/v1/works",
            "/v1/keys",
            "/v1/sessions",
            "/v1/config",
            "/f/x/y",
            "/hls/x/index.m3u8",
            "/w/x",
        ] {
            let Destination::Worker(binding) = public(path) else {
                panic!("{path}")
            };
            assert!(
                config.contains(&format!("binding = \"{binding}\"")),
                "{binding}"
            );
        }
    }

    #[test]
    fn a_worker_decides_itself_which_methods_it_has() {
        for method in ["POST", "OPTIONS", "PATCH", "X"] {
            let to = route(&origins(), method, "https://satchel.example/v1/keys");
            assert_eq!(to, Destination::Worker("PURCHASE"));
            let to = route(&origins(), method, "https://satchel.example/embed/wrk_x");
            assert_eq!(to, Destination::Worker("WIDGET"));
        }
    }

    #[test]
    fn pages_can_only_be_read() {
        for path in ["/", "/open", "/studio", "/assets/a.js", "/v1/health"] {
            let url = format!("{ISSUER}{path}");
            assert_eq!(
                route(&origins(), "POST", &url),
                Destination::WrongMethod,
                "{path}"
            );
            assert_eq!(
                route(&origins(), "get", &url),
                Destination::WrongMethod,
                "{path}"
            );
            assert_eq!(route(&origins(), "HEAD", &url), public(path), "{path}");
        }
    }

    #[test]
    fn the_public_host_serves_works_and_sends_the_owner_to_the_wallet_host() {
        assert_eq!(public("/"), Destination::Asset("/home.html".into()));
        assert_eq!(public("/?x=1"), Destination::Asset("/home.html".into()));
        assert_eq!(get(ISSUER), Destination::Asset("/home.html".into()));
        assert_eq!(public("/open"), Destination::Asset("/open.html".into()));
        assert_eq!(
            public("/studio"),
            Destination::Redirect(format!("{WALLET}/studio"))
        );
        assert_eq!(
            public("/wallet"),
            Destination::Redirect(format!("{WALLET}/wallet"))
        );
        for path in [
            "/widget.js",
            "/widget.json",
            "/embed/wrk_x",
            "/embed/batch?works=wrk_x",
            "/w/wrk_x",
            "/w/wrk_x/qr.svg",
            "/badge/wrk_x.svg",
            "/oembed?url=x",
        ] {
            assert_eq!(public(path), Destination::Worker("WIDGET"), "{path}");
        }
        assert_eq!(
            public("/widget/0123.js"),
            Destination::Asset("/widget/0123.js".into())
        );
        assert_eq!(public("/f/wrk_x/1.satchel"), Destination::Worker("FILES"));
        assert_eq!(
            public("/assets/a-B7.js"),
            Destination::Asset("/assets/a-B7.js".into())
        );
        for path in [
            "/approve",
            "/home.html",
            "/manifest.json",
            "/_headers",
            "/robots.txt",
        ] {
            assert_eq!(public(path), NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn the_wallet_host_serves_nothing_a_stranger_wrote() {
        assert_eq!(wallet("/"), Destination::Asset("/wallet.html".into()));
        assert_eq!(wallet("/wallet"), Destination::Asset("/wallet.html".into()));
        assert_eq!(wallet("/studio"), Destination::Asset("/studio.html".into()));
        assert_eq!(
            wallet("/approve"),
            Destination::Asset("/approve.html".into())
        );
        assert_eq!(
            wallet("/w/wrk_x?a=b"),
            Destination::Redirect(format!("{ISSUER}/w/wrk_x"))
        );
        let packed = "/f/wrk_x/1.satchel";
        assert_eq!(
            wallet(packed),
            Destination::Redirect(format!("{ISSUER}{packed}"))
        );
        assert_eq!(
            wallet("/open"),
            Destination::Redirect(format!("{ISSUER}/open"))
        );
        for path in [
            "/embed/wrk_x",
            "/widget.js",
            "/widget/0123.js",
            "/widget.json",
            "/badge/wrk_x.svg",
            "/oembed",
            "/open.html",
        ] {
            assert_eq!(wallet(path), NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn what_is_between_workers_is_never_reachable_however_it_is_spelled() {
        for path in [
            "/internal",
            "/internal/works/wrk_x",
            "/INTERNAL/works",
            "//internal/works",
            "/%69nternal/works",
            "/./internal/works",
            "/%2e/internal/works",
            "/w/../internal/works",
            "/w/%2e%2e/internal/works",
            "/w/%2E%2e/internal/works",
            "/w/.%2e/internal/works",
            "/w/x%2f..%2f..%2finternal",
            "/w/..\\internal",
            "/w/x/;/internal",
            "/embed//internal/works",
            "/f/x/\u{0}",
            "/f/é/1.satchel",
        ] {
            assert_eq!(public(path), NOT_FOUND, "{path}");
            assert_eq!(wallet(path), NOT_FOUND, "{path}");
        }
        for path in [
            "/v1/internal/works",
            "/v1/works/../../internal/works",
            "/v1/works/%2e%2e/%2e%2e/internal/works",
            "/v1/works/..%2f..%2finternal",
            "/v1//works",
            "/v1/works/",
            "/v1/Works",
            "/V1/works",
            "/v1/worksx",
            "/v1/%77orks",
            "/v1",
            "/v1/",
            "/.well-known/jwks.json/x",
            "/.well-known/internal",
        ] {
            let to = public(path);
            assert!(matches!(to, Destination::NotFound { .. }), "{path} {to:?}");
            assert_eq!(to == NO_SUCH_CALL, !path.starts_with("/V1"), "{path}");
        }
    }

    #[test]
    fn prefixes_match_whole_segments_and_need_something_behind_them() {
        for path in [
            "/f",
            "/fx/1",
            "/w",
            "/wallets",
            "/embed",
            "/assets",
            "/assetsx/a",
            "/widget.jsx",
            "/widget.js/x",
            "/widget",
            "/widget/a/b.js",
        ] {
            assert_eq!(public(path), NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn only_the_two_hosts_are_served_on_any_port() {
        let home = Destination::Asset("/home.html".into());
        for url in [
            "http://satchel.example/",
            "https://satchel.example:8787/",
            "https://SATCHEL.example/",
        ] {
            assert_eq!(get(url), home, "{url}");
        }
        for url in [
            "https://evil.example/",
            "https://satchel.example.evil.example/",
            "https://xsatchel.example/",
            "https://satchel.example./",
            "https://evil@satchel.example/",
            "https://satchel.example@evil.example/",
            "https://satchel.example:80@evil.example/",
            "https://satchel.example#x/internal",
            "https://satchel.example?/internal",
            "https://satchel.example:80, evil.example/",
            "https://satchel.example:junk/",
            "https://:8787/",
            "https://[::1]/",
            "https://[::1]:8787/",
            "https://",
            "https:///",
            "/",
            "",
        ] {
            assert_eq!(get(url), Destination::WrongHost, "{url}");
        }
        let local = Origins::new("http://[::1]:8787", "http://[::2]:8787").unwrap();
        assert_eq!(route(&local, "GET", "http://[::1]:9/"), home);
    }

    #[test]
    fn one_host_for_both_sides_is_no_configuration() {
        assert_eq!(Origins::new(ISSUER, ISSUER), None);
        assert_eq!(
            Origins::new("http://localhost:1", "http://LOCALHOST:2"),
            None
        );
        assert_eq!(Origins::new("localhost", WALLET), None);
        assert_eq!(Origins::new(ISSUER, ""), None);
    }

    proptest! {
        #[test]
        fn nothing_odd_is_ever_forwarded(path in "(/([a-z.%/]{0,3}|v1|w|f|embed|works|internal|\\.\\.|%2e|\\PC{0,4})){1,6}") {
            for origin in [ISSUER, WALLET] {
                if let Destination::Worker(_) | Destination::Asset(_) = get(&format!("{origin}{path}")) {
                    let path = path.split(['?', '#']).next().unwrap();
                    prop_assert!(!path.starts_with("/internal"));
                    prop_assert!(path == "/" || !path.contains("//"));
                    prop_assert!(!path.contains('%') && !path.contains('\\'));
                    prop_assert!(path.split('/').all(|segment| segment != ".." && segment != "."));
                }
            }
        }

        #[test]
        fn any_text_is_routed_somewhere(method in "\\PC{0,8}", url in "\\PC{0,40}") {
            let _ = route(&origins(), &method, &url);
        }
    }
}

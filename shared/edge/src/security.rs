//! Security headers of rendered pages. Those of static pages are in `site/_headers`; a test reads
//! both for every route.

/// What kind of page is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// The frame in a stranger's page: may be framed by anybody.
    Embed,
    /// A page of its own on the public host: never framed.
    Page,
    /// An SVG, which is a document as soon as somebody opens it: it runs and loads nothing.
    Picture,
}

/// The headers of a page. `wallet` is the wallet origin, which the frame may open.
#[must_use]
pub fn page_headers(kind: PageKind) -> Vec<(&'static str, &'static str)> {
    // Media and images come from blobs the player decrypted; packed bytes may come from any mirror.
    let policy = match kind {
        PageKind::Embed => {
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' blob: data:; media-src blob:; connect-src *; frame-src blob:; \
             base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors *"
        }
        PageKind::Page => {
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' blob: data:; media-src blob:; connect-src *; frame-src blob:; \
             base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
        }
        PageKind::Picture => {
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        }
    };
    vec![
        ("content-security-policy", policy),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        (
            "permissions-policy",
            "camera=(), microphone=(), geolocation=()",
        ),
    ]
}

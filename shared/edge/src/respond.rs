//! Answers. Nothing here can fail in a way that leaves a client without one.

use satchel_crypto::{b64, sha256};
use satchel_json::Value;
use satchel_wire::{ApiError, ErrorCode, Result};
use serde::Serialize;
use worker::{Headers, Response, ResponseBuilder};

use crate::internal;

fn build(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let list = Headers::new();
    for (name, value) in headers {
        if let Err(error) = list.set(name, value) {
            let _ = internal(error);
        }
    }
    let builder = ResponseBuilder::new()
        .with_status(status)
        .with_headers(list);
    // 204 and 304 must have no body, not an empty one.
    if body.is_empty() {
        builder.empty()
    } else {
        builder.fixed(body)
    }
}

fn json_with<T: Serialize>(status: u16, cache: &str, value: &T) -> Result<Response> {
    let body = satchel_json::to_vec(value).map_err(internal)?;
    Ok(with_cache(status, cache, body))
}

fn with_cache(status: u16, cache: &str, body: Vec<u8>) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", cache),
        ("x-content-type-options", "nosniff"),
    ];
    build(status, &headers, body)
}

/// Of every answer in JSON.
pub(crate) const JSON: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
];

/// JSON that is written already, never stored.
#[must_use]
pub fn json_bytes(status: u16, body: Vec<u8>) -> Response {
    with_cache(status, "no-store", body)
}

/// 200 with JSON, never stored.
pub fn json<T: Serialize>(value: &T) -> Result<Response> {
    json_with(200, "no-store", value)
}

/// JSON with another status, never stored.
pub fn json_status<T: Serialize>(status: u16, value: &T) -> Result<Response> {
    json_with(status, "no-store", value)
}

/// 201 with JSON, never stored.
pub fn created<T: Serialize>(value: &T) -> Result<Response> {
    json_with(201, "no-store", value)
}

/// 200 with JSON that anybody may keep for `max_age_s`.
pub fn json_cached<T: Serialize>(value: &T, max_age_s: u32) -> Result<Response> {
    json_with(200, &format!("public, max-age={max_age_s}"), value)
}

/// As [`json_cached`], with an `ETag`: 304 where `if_none_match` says that the client has it.
pub fn json_tagged<T: Serialize>(
    value: &T,
    max_age_s: u32,
    if_none_match: Option<&str>,
) -> Result<Response> {
    let body = satchel_json::to_vec(value).map_err(internal)?;
    let tag = format!("\"{}\"", b64::encode(&sha256(&body)));
    let cache = format!("public, max-age={max_age_s}");
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", cache.as_str()),
        ("etag", tag.as_str()),
        ("x-content-type-options", "nosniff"),
    ];
    let known = if_none_match.is_some_and(|known| has_tag(known, &tag));
    let (status, body) = if known {
        (304, Vec::new())
    } else {
        (200, body)
    };
    Ok(build(status, &headers, body))
}

/// RFC 9110 §13.1.2: weak comparison with each tag of the list.
fn has_tag(if_none_match: &str, tag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Plain text of a kind, with further headers.
#[must_use]
pub fn text(status: u16, kind: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut all = vec![
        ("content-type", kind),
        ("x-content-type-options", "nosniff"),
    ];
    all.extend_from_slice(headers);
    build(status, &all, body.as_bytes().to_vec())
}

/// An HTML page with its security headers ([`crate::page_headers`]).
#[must_use]
pub fn html(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    text(status, "text/html; charset=utf-8", headers, body)
}

/// 302 to another address.
#[must_use]
pub fn redirect(to: &str) -> Response {
    build(
        302,
        &[("location", to), ("cache-control", "no-store")],
        Vec::new(),
    )
}

/// An RFC 9457 problem document.
#[must_use]
pub fn problem(error: &ApiError) -> Response {
    let problem = error.problem();
    let body = satchel_json::to_vec(&problem).unwrap_or_default();
    let retry = error.retry_after_s.map(|s| s.to_string());
    let allow = match error.member("allow") {
        Some(Value::Text(methods)) => Some(&**methods),
        _ => None,
    };
    let mut headers = vec![
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ];
    headers.extend(retry.as_deref().map(|s| ("retry-after", s)));
    headers.extend(allow.map(|methods| ("allow", methods)));
    if matches!(
        error.code,
        ErrorCode::ProofRequired | ErrorCode::ProofInvalid
    ) {
        headers.push(("www-authenticate", r#"DPoP algs="EdDSA""#));
    }
    build(problem.status, &headers, body)
}

/// The answer to a CORS preflight.
pub(crate) fn preflight() -> Response {
    let headers = [
        ("access-control-allow-methods", "GET, HEAD, POST, DELETE"),
        (
            "access-control-allow-headers",
            // x402's client sends the last one, meant for answers, with its requests.
            "authorization, content-type, dpop, range, if-range, if-none-match, payment-signature, x-payment, access-control-expose-headers",
        ),
        ("access-control-max-age", "86400"),
    ];
    build(204, &headers, Vec::new())
}

/// Lets every page read the answer, without credentials: authority is in signed documents and
/// proofs, never in cookies.
pub(crate) const OPEN_TO_ALL: [(&str, &str); 3] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "accept-ranges, content-length, content-range, crawler-price, etag, link, payment-receipt, payment-required, payment-response, retry-after, www-authenticate, x-payment-response",
    ),
    ("cross-origin-resource-policy", "cross-origin"),
];

/// Sets [`OPEN_TO_ALL`].
pub(crate) fn open_to_all(headers: &mut Headers) -> worker::Result<()> {
    for (name, value) in OPEN_TO_ALL {
        headers.set(name, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_the_tag_is_told_so() {
        assert!(has_tag(r#""x", W/"a""#, r#""a""#));
        assert!(has_tag("*", r#""a""#));
        assert!(!has_tag(r#""ab", a"#, r#""a""#));
    }
}

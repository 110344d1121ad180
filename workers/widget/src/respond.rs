//! From a request to a page: asks the ledger, renders, tells caches how long it holds.

use std::{rc::Rc, sync::OnceLock};

use satchel_crypto::{b64, sha256};
use satchel_domain::id::WorkId;
use satchel_edge::{
    Call, Env, PageKind, Response, Settings, TtlCache, html, now_ms, page_headers, service, text,
};
use satchel_wire::{ErrorCode, Result, internal::WorkSnapshot};

use crate::{
    page::{self, Page, View},
    site::{Site, WIDGET_JS},
};

/// A page is at most this old when it leaves: with what caches are told below, 30 s.
const RENDERED_LIFE_MS: u64 = 10_000;
const RENDERED: usize = 500;
const PAGE_CACHE: &str = "public, max-age=20";
/// Pages that count copies are at most 5 s old in all: enough for a crowd to be served from memory.
const COUNTED_LIFE_MS: u64 = 2_000;
const COUNTED_CACHE: &str = "public, max-age=3";
/// The script's name never changes, so browsers look again often.
const SCRIPT_CACHE: &str = "public, max-age=300";

thread_local! {
    static PAGES: TtlCache<Rc<Tagged>> = TtlCache::new(RENDERED_LIFE_MS, RENDERED);
    static COUNTED: TtlCache<Rc<Tagged>> = TtlCache::new(COUNTED_LIFE_MS, RENDERED);
}

/// A page and the name of its content.
#[derive(Debug)]
struct Tagged {
    page: Page,
    tag: String,
}

/// `GET /widget.js`.
pub(crate) fn script(call: &Call) -> Response {
    static TAG: OnceLock<String> = OnceLock::new();
    let tag = TAG.get_or_init(|| tag_of(WIDGET_JS));
    let headers = [("cache-control", SCRIPT_CACHE), ("etag", tag)];
    let known = has(call, tag);
    let (status, body) = if known { (304, "") } else { (200, WIDGET_JS) };
    text(status, "text/javascript; charset=utf-8", &headers, body)
}

/// `GET /embed/{work}` and `GET /w/{work}`. People see a page whatever happens.
pub(crate) async fn page(call: &Call, env: &Env, view: View, work: &str) -> Result<Response> {
    let rendered = match rendered(env, view, work).await {
        Ok(rendered) => rendered,
        Err(error) => tagged(page::refuse(view, error.code)),
    };
    let Tagged { page, tag } = &*rendered;
    let kind = match view {
        View::Frame => PageKind::Embed,
        View::Work => PageKind::Page,
    };
    let mut headers = page_headers(kind);
    let cache = match (page.cached, page.counts) {
        (false, _) => "no-store",
        (true, false) => PAGE_CACHE,
        (true, true) => COUNTED_CACHE,
    };
    headers.push(("cache-control", cache));
    headers.push(("etag", tag));
    if page.status == 503 {
        headers.push(("retry-after", "5"));
    }
    if page.status == 200 && has(call, tag) {
        return Ok(html(304, &headers, ""));
    }
    Ok(html(page.status, &headers, &page.body))
}

async fn rendered(env: &Env, view: View, work: &str) -> Result<Rc<Tagged>> {
    let key = format!("{view:?} {work}");
    for cache in [&PAGES, &COUNTED] {
        if let Some(known) = cache.with(|pages| pages.get(&key, now_ms())) {
            return Ok(known);
        }
    }
    let work = WorkId::parse(work).map_err(|_| ErrorCode::UnknownWork)?;
    let snapshot: WorkSnapshot = service(env, "LEDGER")?
        .get(&format!("/internal/works/{work}"))
        .await?;
    let settings = Settings::of(env);
    let site = Site {
        issuer: settings.issuer()?,
        wallet: settings.var("WALLET_ORIGIN")?,
    };
    let fresh = tagged(page::render(view, &site, &snapshot.record));
    if fresh.page.cached {
        let cache = if fresh.page.counts { &COUNTED } else { &PAGES };
        cache.with(|pages| pages.put(&key, Rc::clone(&fresh), now_ms()));
    }
    Ok(fresh)
}

fn tagged(page: Page) -> Rc<Tagged> {
    let tag = tag_of(&page.body);
    Rc::new(Tagged { page, tag })
}

fn tag_of(body: &str) -> String {
    format!("\"{}\"", b64::encode(&sha256(body.as_bytes())))
}

fn has(call: &Call, tag: &str) -> bool {
    call.header("if-none-match")
        .is_some_and(|known| names(&known, tag))
}

/// Whether `If-None-Match` names `tag`, compared weakly (RFC 9110 §13.1.2).
fn names(if_none_match: &str, tag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_body_has_another_tag() {
        assert_eq!(tag_of("a"), tag_of("a"));
        assert_ne!(tag_of("a"), tag_of("b"));
        assert_eq!(tag_of("a").len(), 45);
    }

    #[test]
    fn a_client_that_has_the_page_is_told_so() {
        let tag = tag_of("a");
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", W/{tag}"),
            "*".into(),
        ] {
            assert!(names(&known, &tag), "{known}");
        }
        for other in [tag_of("b"), tag.replace('"', ""), String::new()] {
            assert!(!names(&other, &tag), "{other}");
        }
    }
}

//! From a request to an answer: asks the ledger, renders, tells caches how long it holds.

use std::{future::poll_fn, pin::Pin, rc::Rc, sync::OnceLock, task::Poll};

use satchel_crypto::{b64, sha256};
use satchel_domain::id::WorkId;
use satchel_edge::{
    Answer, Call, Env, PageKind, Ready, Settings, TtlCache, now_ms, page_headers, service, text,
};
use satchel_json::{Value, to_string};
use satchel_wire::{ErrorCode, Result, api::Record, internal::WorkSnapshot};

use crate::{
    badge, batch,
    lang::Lang,
    oembed::{self, Format},
    page::{self, Kind, Page, View},
    qr,
    query::Query,
    shown::Shown,
    site::{PINNED_INTEGRITY, PINNED_JS, Site, WIDGET_JS},
};

/// A record is at most this old when it is shown: with what caches are told below, 30 s.
const RECORD_LIFE_MS: u64 = 10_000;
const PAGE_CACHE: &str = "public, max-age=20";
/// Pages that count copies are at most 5 s old in all: enough for a crowd to be served from memory.
const COUNTED_LIFE_MS: u64 = 2_000;
const COUNTED_CACHE: &str = "public, max-age=3";
/// A page is good as long as its record is what it was rendered from.
const RENDERED_LIFE_MS: u64 = 3_600_000;
const RECORDS: usize = 1_000;
const RENDERED: usize = 500;
/// The script's name never changes, so browsers look again often.
const SCRIPT_CACHE: &str = "public, max-age=300";
/// A picture in somebody's README: proxies between keep it anyway.
const BADGE_CACHE: &str = "public, max-age=60";
const QR_CACHE: &str = "public, max-age=86400";

type Rendered = (Rc<Record>, Ready);

thread_local! {
    static FRESH: TtlCache<Rc<Record>> = TtlCache::new(RECORD_LIFE_MS, RECORDS);
    static COUNTED: TtlCache<Rc<Record>> = TtlCache::new(COUNTED_LIFE_MS, RECORDS);
    static PAGES: TtlCache<Rendered> = TtlCache::new(RENDERED_LIFE_MS, RENDERED);
    static SCRIPT: OnceLock<Ready> = const { OnceLock::new() };
}

/// `GET /widget.js`.
pub(crate) fn script() -> Answer {
    let made = || {
        let headers = [
            ("cache-control", SCRIPT_CACHE),
            ("content-type", "text/javascript; charset=utf-8"),
        ];
        Ready::new(200, &headers, WIDGET_JS, Some(&tag_of(WIDGET_JS)))
    };
    Answer::Ready(SCRIPT.with(|script| script.get_or_init(made).clone()))
}

/// `GET /widget.json`: where the script lies under a name that never changes its content.
pub(crate) fn versions(env: &Env) -> Result<Answer> {
    let issuer = Settings::of(env).issuer()?;
    let text_of = |text: &str| Value::from(text.to_owned());
    let body = Value::Object(vec![
        ("contract".into(), Value::from(1_u64)),
        ("script".into(), text_of(&format!("{issuer}/widget.js"))),
        ("pinned".into(), text_of(&format!("{issuer}{PINNED_JS}"))),
        ("integrity".into(), text_of(PINNED_INTEGRITY)),
    ]);
    let body = to_string(&body).unwrap_or_default();
    let headers = [("cache-control", SCRIPT_CACHE)];
    Ok(Answer::Fresh(text(
        200,
        "application/json",
        &headers,
        &body,
    )))
}

/// `GET /embed/{work}` and `GET /w/{work}`. People see a page whatever happens.
pub(crate) async fn page(call: &Call, env: &Env, kind: Kind, work: &str) -> Result<Answer> {
    let search = call.search();
    let query = Query(&search);
    let named = query.raw("lang").and_then(Lang::of_tag).is_some();
    let view = query.view(kind, || call.header("accept-language"));
    let record = match record(env, work).await {
        Ok(record) => record,
        Err(error) => {
            let page = page::refuse(view, error.code);
            return Ok(Answer::Ready(ready(view, named, &page)));
        }
    };
    let View {
        lang,
        layout,
        theme,
        amount,
        ..
    } = view;
    // What was chosen to pay is one of few amounts, or not shown at all.
    let amount = amount.filter(|_| record.terms.pay_more);
    let key = format!("{kind:?} {work} {lang:?} {layout} {theme} {amount:?} {named}");
    let known = PAGES.with(|pages| pages.get(&key, now_ms()));
    if let Some((of, page)) = known
        && (Rc::ptr_eq(&of, &record) || *of == *record)
    {
        return Ok(Answer::Ready(page));
    }
    let page = page::render(View { amount, ..view }, &site(env)?, &record);
    let made = ready(view, named, &page);
    if page.cached {
        PAGES.with(|pages| pages.put(&key, (record, made.clone()), now_ms()));
    }
    Ok(Answer::Ready(made))
}

fn ready(view: View, named: bool, page: &Page) -> Ready {
    let mut headers = page_headers(match view.kind {
        Kind::Frame => PageKind::Embed,
        Kind::Work => PageKind::Page,
    });
    let cache = match (page.cached, page.counts) {
        (false, _) => "no-store",
        (true, false) => PAGE_CACHE,
        (true, true) => COUNTED_CACHE,
    };
    headers.push(("cache-control", cache));
    headers.push(("content-type", "text/html; charset=utf-8"));
    headers.push(("content-language", view.lang.tag()));
    if !named {
        headers.push(("vary", "accept-language"));
    }
    if page.status == 503 {
        headers.push(("retry-after", "5"));
    }
    let tag = (page.status == 200).then(|| tag_of(&page.body));
    Ready::new(page.status, &headers, &page.body, tag.as_deref())
}

/// `GET /embed/batch?works=…&lang=…`.
pub(crate) async fn cards(call: &Call, env: &Env) -> Result<Answer> {
    let search = call.search();
    let query = Query(&search);
    let view = query.view(Kind::Frame, || call.header("accept-language"));
    let works = batch::works(query);
    let asked = works.iter().map(|work| record(env, work)).collect();
    let mut cards = Vec::new();
    let mut counts = false;
    for (work, found) in works.iter().zip(all(asked).await) {
        match found {
            Ok(found) => {
                counts |= found.terms.counted() || found.version == 0;
                cards.push(batch::card(view.lang, work, Some(&found)));
            }
            Err(error) if error.code == ErrorCode::UnknownWork => {
                cards.push(batch::card(view.lang, work, None));
            }
            // The others are shown; for this one the plain link stays.
            Err(_) => counts = true,
        }
    }
    let headers = [
        ("content-security-policy", &*batch::policy()),
        (
            "cache-control",
            if counts { COUNTED_CACHE } else { PAGE_CACHE },
        ),
        ("referrer-policy", "no-referrer"),
        ("vary", "accept-language"),
    ];
    let body = batch::document(cards);
    Ok(Answer::Fresh(text(
        200,
        "text/html; charset=utf-8",
        &headers,
        &body,
    )))
}

/// `GET /oembed?url=…`.
pub(crate) async fn oembed(call: &Call, env: &Env) -> Result<Answer> {
    let search = call.search();
    let query = Query(&search);
    let format = Format::of(query).ok_or(ErrorCode::FormatUnknown)?;
    let site = site(env)?;
    let work = oembed::work_of(query, &site.issuer).ok_or(ErrorCode::UnknownWork)?;
    let record = record(env, &work).await?;
    let view = query.view(Kind::Work, || call.header("accept-language"));
    let shown = Shown::of(&record, view.lang);
    if shown.status != 200 {
        return Err(ErrorCode::UnknownWork.into());
    }
    let body = oembed::document(format, query, &site, &shown);
    let headers = [("cache-control", BADGE_CACHE)];
    Ok(Answer::Fresh(text(
        200,
        format.media_type(),
        &headers,
        &body,
    )))
}

/// `GET /badge/{work}.svg`. A picture whatever happens: in somebody's README an error would be a hole.
pub(crate) async fn badge(call: &Call, env: &Env, file: &str) -> Result<Answer> {
    let work = file.strip_suffix(".svg").ok_or(ErrorCode::NotFound)?;
    let search = call.search();
    // Its reader's language is not that of who wrote the README: only the address decides.
    let lang = Query(&search).view(Kind::Work, || None).lang;
    let (status, label, on_sale) = match record(env, work).await {
        Ok(record) => {
            let shown = Shown::of(&record, lang);
            // Proxies of pictures show nothing but a 200.
            (200, badge::label(&shown), shown.on_sale())
        }
        Err(error) if error.code == ErrorCode::UnknownWork => {
            (404, lang.unknown().to_owned(), false)
        }
        Err(error) => return Err(error),
    };
    let svg = badge::svg(lang, &label, on_sale);
    Ok(picture(status, BADGE_CACHE, &svg))
}

/// `GET /w/{work}/qr.svg`.
pub(crate) fn qr(env: &Env, work: &str) -> Result<Answer> {
    let work = WorkId::parse(work).map_err(|_| ErrorCode::UnknownWork)?;
    let address = site(env)?.work_page(work.as_str());
    let svg = qr::svg(&address).ok_or(ErrorCode::NotFound)?;
    Ok(picture(200, QR_CACHE, &svg))
}

fn picture(status: u16, cache: &str, svg: &str) -> Answer {
    let mut headers = page_headers(PageKind::Picture);
    headers.push(("cache-control", cache));
    Answer::Fresh(text(status, "image/svg+xml", &headers, svg))
}

fn site(env: &Env) -> Result<Site> {
    let settings = Settings::of(env);
    Ok(Site {
        issuer: settings.issuer()?,
        wallet: settings.var("WALLET_ORIGIN")?,
    })
}

/// A work's record, as fresh as pages promise to be.
async fn record(env: &Env, work: &str) -> Result<Rc<Record>> {
    for cache in [&FRESH, &COUNTED] {
        if let Some(known) = cache.with(|records| records.get(work, now_ms())) {
            return Ok(known);
        }
    }
    let id = WorkId::parse(work).map_err(|_| ErrorCode::UnknownWork)?;
    let snapshot: WorkSnapshot = service(env, "LEDGER")?
        .get(&format!("/internal/works/{id}"))
        .await?;
    let record = Rc::new(snapshot.record);
    // A creator who publishes a draft wants to see it at once.
    if record.version > 0 {
        let cache = if record.terms.counted() {
            &COUNTED
        } else {
            &FRESH
        };
        cache.with(|records| records.put(work, Rc::clone(&record), now_ms()));
    }
    Ok(record)
}

/// All of them at once, in their order.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut asked: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, answer) in &mut asked {
            if answer.is_none() {
                match Pin::new(future).poll(context) {
                    Poll::Ready(value) => *answer = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    asked.into_iter().filter_map(|(_, answer)| answer).collect()
}

fn tag_of(body: &str) -> String {
    format!("\"{}\"", b64::encode(&sha256(body.as_bytes())))
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
}

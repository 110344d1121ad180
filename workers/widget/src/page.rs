//! The pages of a work: the frame in a stranger's page, and its own page. Pure: record in, HTML out.
//!
//! Titles are strangers' text. Markup in them is escaped; direction marks in them stay within their
//! own element or are fenced by isolates, so that they can't turn a price or a host name around.

use maud::{DOCTYPE, Markup, html};
use satchel_wire::{ErrorCode, api::Record};

use crate::{
    amount::amounts,
    head,
    lang::Lang,
    listing,
    shown::Shown,
    site::{FRAME_CSS, FRAME_JS, Site, WORK_CSS},
    work_page,
};

/// Which of the two pages, and how it should look. All of it is part of a page's name in caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub kind: Kind,
    pub lang: Lang,
    pub layout: &'static str,
    pub theme: &'static str,
    /// What a visitor without scripts has chosen to pay.
    pub amount: Option<u64>,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/embed/{work}`
    Frame,
    /// `/w/{work}`
    Work,
}

/// How much room a widget takes, the first unless said otherwise.
pub(crate) const LAYOUTS: [&str; 3] = ["card", "button", "player"];
/// Light or dark, the first unless said otherwise.
pub(crate) const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// The one that was named, else the first.
pub(crate) fn one_of<const N: usize>(
    known: [&'static str; N],
    named: Option<&str>,
) -> &'static str {
    let first = known.first().copied().unwrap_or_default();
    known
        .into_iter()
        .find(|name| Some(*name) == named)
        .unwrap_or(first)
}

/// A rendered page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// HTTP status.
    pub status: u16,
    /// Whether others may keep it for a while.
    pub cached: bool,
    /// Whether it says how many copies are left, so that the while is short.
    pub counts: bool,
    /// The HTML.
    pub body: String,
}

/// The page of a work, in whatever state it is.
pub(crate) fn render(view: View, site: &Site, record: &Record) -> Page {
    let shown = Shown::of(record, view.lang);
    let address = site.work_page(record.work.as_str());
    let (head, body) = match view.kind {
        Kind::Frame => (
            html! {},
            html! { main { (card(view, site, &shown, &address)) } },
        ),
        Kind::Work => (
            head::work(site, &shown, &address),
            work_page::body(view, site, &shown, &address),
        ),
    };
    let head = html! {
        (head)
        script type="module" src=(FRAME_JS) crossorigin {}
    };
    let indexed = view.kind == Kind::Work && shown.status == 200;
    Page {
        status: shown.status,
        // A creator who publishes a draft wants to see it at once.
        cached: shown.state != "draft",
        counts: record.terms.counted(),
        body: document(view, shown.title, indexed, &head, &body),
    }
}

/// The page where there is no work to show. No script: nothing can be done here.
pub(crate) fn refuse(view: View, code: ErrorCode) -> Page {
    let (title, next) = match (code, view.lang) {
        (ErrorCode::UnknownWork, lang) => (lang.unknown(), lang.unknown_next()),
        (ErrorCode::Unavailable, lang) => (lang.unavailable(), lang.unavailable_next()),
        (code, _) => (code.title().trim_end_matches('.'), code.next()),
    };
    let body = html! {
        main {
            div #satchel data-state="none" data-layout=(view.layout) {
                h1 .title { (title) }
                p #status role="status" { (next) }
            }
        }
    };
    let html = document(view, title, false, &html! {}, &body);
    Page {
        status: code.status(),
        cached: false,
        counts: false,
        body: html,
    }
}

fn document(view: View, title: &str, indexed: bool, head: &Markup, body: &Markup) -> String {
    let style = match view.kind {
        Kind::Frame => FRAME_CSS,
        Kind::Work => WORK_CSS,
    };
    let lang = view.lang.tag();
    let page = html! {
        (DOCTYPE)
        html lang=(lang) data-lang=(lang) data-theme=[(view.theme != "auto").then_some(view.theme)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if !indexed { meta name="robots" content="noindex"; }
                title { (fenced(title)) " · Satchel" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(style);
                (head)
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// Text whose direction marks end with it: FIRST STRONG ISOLATE … POP DIRECTIONAL ISOLATE.
pub(crate) fn fenced(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

/// The work with its price tag; the same in the frame and on the work's page.
pub(crate) fn card(view: View, site: &Site, shown: &Shown<'_>, address: &str) -> Markup {
    let lang = view.lang;
    let version = shown.version;
    let preview = version.and_then(listing::preview);
    let due = shown.on_sale().then(|| shown.copies.due(shown.record));
    html! {
        div #satchel
            data-work=(shown.record.work)
            data-issuer=(site.issuer)
            data-wallet=(site.wallet)
            data-state=(shown.state)
            data-layout=(view.layout)
            data-kind=(shown.kind())
            data-version=[version.map(|v| v.version)]
            data-use=[version.map(|v| v.usage.as_str())]
            data-media-type=[version.map(|v| &v.media_type)]
            data-url=[version.map(|v| &v.url)]
            data-manifest-digest=[version.map(|v| &v.manifest_digest)]
            data-usd-micros=[due]
            data-preview=[preview.map(|p| format!("{}+{}", p.offset, p.length))]
            data-preview-type=[preview.map(|p| &p.media_type)]
        {
            @if view.kind == Kind::Frame { (cover(site, shown)) }
            h1 .title dir="auto" { (shown.title) }
            div .line {
                @if let Some(price) = &shown.price {
                    p .price { (price) (after_price(view, shown)) }
                }
                @if preview.is_some() {
                    button #preview .link type="button" hidden {
                        (match shown.kind() {
                            "audio" => lang.preview(),
                            "video" => lang.preview_watch(),
                            _ => lang.preview_see(),
                        })
                    }
                }
                a #link target="_blank" rel="noopener" href=(address) { (lang.see_on(site.host())) }
            }
            @if view.kind == Kind::Work { (amounts(view, shown)) }
            // Hidden until the script has given it something to do.
            button #buy type="button" hidden { (shown.action().unwrap_or_else(|| lang.open().to_owned())) }
            p #status role="status" aria-live="polite" { (shown.says) }
            div #stage {}
            @if shown.on_sale() { (without_script(view, site, shown)) }
        }
    }
}

/// The cover, or a tile that says what kind of thing it is.
pub(crate) fn cover(site: &Site, shown: &Shown<'_>) -> Markup {
    // What was taken down shows nothing of itself.
    let cover = shown
        .version
        .and_then(|_| listing::cover(shown.record, &site.issuer));
    html! {
        @match cover {
            Some(cover) => {
                img .cover src=(cover.url) width=(cover.width) height=(cover.height) alt="" decoding="async";
            }
            None => { span .cover.tile data-kind=(shown.kind()) aria-hidden="true" {} }
        }
    }
}

/// What kind of money it is, and what is left. The frame is small: its page has the rest.
fn after_price(view: View, shown: &Shown<'_>) -> Markup {
    let money = shown.money();
    html! {
        @if !money.is_empty() { small { " " (money) } }
        @if let Some(left) = shown.left(view.kind == Kind::Work) {
            small .left { " · " (left) }
        }
    }
}

/// What is left where no script runs.
fn without_script(view: View, site: &Site, shown: &Shown<'_>) -> Markup {
    let lang = view.lang;
    html! {
        noscript {
            p .hint {
                (lang.needs_script())
                @if view.kind == Kind::Frame { " " (lang.link_leads(site.host())) }
                @if let (Kind::Work, Some(version)) = (view.kind, shown.version) {
                    @match lang {
                        Lang::En => {
                            " Without it, get the " a href=(version.url) { (lang.packed_file()) }
                            " and open it with the satchel command, at the same price."
                        }
                        Lang::De => {
                            " Ohne: die " a href=(version.url) { (lang.packed_file()) }
                            " laden und mit dem Befehl satchel öffnen, zum selben Preis."
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
pub(crate) mod tests;

//! The pages of a work: the frame in a stranger's page, and its own page. Pure: record in, HTML out.
//!
//! Titles are strangers' text. Markup in them is escaped; direction marks in them stay within their
//! own element or are fenced by isolates, so that they can't turn a price or a host name around.

use maud::{DOCTYPE, Markup, html};
use satchel_domain::{ledger::LedgerId, work::WorkState};
use satchel_wire::{
    ErrorCode,
    api::{Record, VersionRecord},
};

use crate::{
    copies::Copies,
    price::dollars,
    site::{FRAME_CSS, FRAME_JS, Site, WORK_CSS},
};

/// Which of the two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// `/embed/{work}`
    Frame,
    /// `/w/{work}`
    Work,
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

/// A work as it may be shown now.
struct Shown<'a> {
    state: &'static str,
    status: u16,
    title: &'a str,
    /// What is said instead of a price.
    says: &'static str,
    /// The version owners can open.
    version: Option<&'a VersionRecord>,
    /// What the next copy costs.
    price: Option<String>,
    copies: Copies,
}

impl<'a> Shown<'a> {
    fn of(record: &'a Record) -> Self {
        let version = record.versions.iter().find(|v| v.version == record.version);
        let copies = Copies::of(record);
        let (state, status, says) = match (record.state, version) {
            (WorkState::Published, Some(_)) if copies.sold_out() => {
                ("sold_out", 200, "Sold out. There are no more copies.")
            }
            (WorkState::Published, Some(_)) => ("published", 200, ""),
            // Published without a version can't be; if it were, it would not be on sale.
            (WorkState::Draft | WorkState::Published, _) => ("draft", 404, "Not on sale yet."),
            (WorkState::Unpublished, _) => ("unpublished", 410, "No longer for sale."),
            (WorkState::TakenDown, _) => (
                "taken_down",
                451,
                "This work was taken down after a notice.",
            ),
        };
        // The title may be what the notice was about.
        let down = state == "taken_down";
        Self {
            state,
            status,
            title: if down { "Taken down" } else { &record.title },
            says,
            version: version.filter(|_| !down),
            price: (state == "published").then(|| {
                if copies.free() {
                    "Free".to_owned()
                } else {
                    dollars(record.terms.usd_micros)
                }
            }),
            copies,
        }
    }
}

/// The page of a work, in whatever state it is.
pub(crate) fn render(view: View, site: &Site, record: &Record) -> Page {
    let shown = Shown::of(record);
    let address = format!("{}/w/{}", site.issuer, record.work);
    let alternate = format!("{}/v1/works/{}", site.issuer, record.work);
    let head = html! {
        @if view == View::Work {
            link rel="canonical" href=(address);
            link rel="alternate" type="application/json" href=(alternate);
            @if shown.status == 200 { (open_graph(site, record, &shown, &address)) }
        }
        script type="module" src=(FRAME_JS) crossorigin {}
    };
    let body = card(view, site, record, &shown, &address);
    let indexed = view == View::Work && shown.status == 200;
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
    let title = code.title().trim_end_matches('.');
    let body = html! {
        main #satchel data-state="none" {
            h1 .title { (title) }
            p #status role="status" { (code.next()) }
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
    let style = if view == View::Frame {
        FRAME_CSS
    } else {
        WORK_CSS
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
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
fn fenced(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

fn card(view: View, site: &Site, record: &Record, shown: &Shown<'_>, address: &str) -> Markup {
    let version = shown.version;
    html! {
        main #satchel
            data-work=(record.work)
            data-issuer=(site.issuer)
            data-wallet=(site.wallet)
            data-state=(shown.state)
            data-version=[version.map(|v| v.version)]
            data-use=[version.map(|v| v.usage.as_str())]
            data-media-type=[version.map(|v| &v.media_type)]
            data-url=[version.map(|v| &v.url)]
            data-manifest-digest=[version.map(|v| &v.manifest_digest)]
            data-usd-micros=[shown.price.as_ref().map(|_| shown.copies.due(record))]
        {
            h1 .title dir="auto" { (shown.title) }
            @if let Some(price) = &shown.price {
                p .price { (price) (after_price(view, record, shown)) }
            }
            // Hidden until the script has given it something to do.
            button #buy type="button" hidden {
                @match &shown.price {
                    Some(_) if shown.copies.free() => { "Get it free" }
                    Some(price) => { "Buy " (price) }
                    None => { "Open" }
                }
            }
            a #link target="_blank" rel="noopener" href=(address) { "See on " (site.host()) }
            p #status role="status" aria-live="polite" { (shown.says) }
            div #stage {}
            @if shown.price.is_some() { (without_script(view, site, version)) }
        }
    }
}

/// What kind of money it is, and what is left. The frame is small: its page has the rest.
fn after_price(view: View, record: &Record, shown: &Shown<'_>) -> Markup {
    let test = record.ledger == LedgerId::Test;
    let money = if test { " test money" } else { "" };
    let left = shown.copies.left(view == View::Work);
    let then = (view == View::Work && shown.copies.free())
        .then(|| format!(", then {}{money}", dollars(record.terms.usd_micros)));
    html! {
        // What is free is in no money.
        @if test && !shown.copies.free() { small { (money) } }
        @if let Some(left) = left { small .left { " · " (left) (then.unwrap_or_default()) } }
    }
}

/// What is left where no script runs.
fn without_script(view: View, site: &Site, version: Option<&VersionRecord>) -> Markup {
    html! {
        noscript {
            p .hint {
                "Buying here needs JavaScript."
                @if view == View::Frame { " The link leads to the page on " (site.host()) "." }
                @if let (View::Work, Some(version)) = (view, version) {
                    " Without it, get the " a href=(version.url) { "packed file" }
                    " and open it with the satchel command, at the same price."
                }
            }
        }
    }
}

fn open_graph(site: &Site, record: &Record, shown: &Shown<'_>, address: &str) -> Markup {
    let kind = shown.version.map_or("A file", |v| kind(&v.media_type));
    let way = if record.terms.usage.as_str() == "stream" {
        "to play"
    } else {
        "to keep"
    };
    let offer = match &shown.price {
        Some(_) if shown.copies.free() => "free while copies are left".to_owned(),
        Some(price) => format!("for {price}"),
        None => "that is sold out".to_owned(),
    };
    let about = format!(
        "{kind} {way} {offer}. Sold by its creator on {}.",
        site.host()
    );
    html! {
        meta name="description" content=(about);
        meta property="og:type" content="website";
        meta property="og:site_name" content="Satchel";
        meta property="og:title" content=(record.title);
        meta property="og:description" content=(about);
        meta property="og:url" content=(address);
        meta name="twitter:card" content="summary";
    }
}

/// A media type in one word. The type itself is a stranger's text and is not shown.
fn kind(media_type: &str) -> &'static str {
    match media_type.split('/').next().unwrap_or_default() {
        "audio" => "Audio",
        "video" => "Video",
        "image" => "A picture",
        "text" => "A text",
        _ => "A file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORK: &str = "wrk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn site() -> Site {
        Site {
            issuer: "https://satchel.example".into(),
            wallet: "https://wallet.satchel.example".into(),
        }
    }

    fn record(state: &str, title: &str) -> Record {
        let digest = "A".repeat(43);
        let version = serde_json::json!({
            "version": 2, "manifest_digest": digest, "size": 9, "name": "song.mp3",
            "media_type": "audio/mpeg", "use": "download", "signer": digest,
            "url": format!("https://satchel.example/f/{WORK}/2.satchel"),
        });
        let draft = state == "draft";
        let record = serde_json::json!({
            "work": WORK, "state": state, "creator": {"kty": "OKP", "crv": "Ed25519", "x": digest},
            "title": title, "media_type": "audio/mpeg",
            "terms": {"pay_more": false, "usd_micros": 250_000, "use": "download"},
            "terms_digest": digest, "version": if draft { 0 } else { 2 },
            "versions": if draft { vec![] } else { vec![version] }, "ledger": "live",
        });
        satchel_json::from_slice(record.to_string().as_bytes()).unwrap()
    }

    fn html(view: View, state: &str, title: &str) -> String {
        render(view, &site(), &record(state, title)).body
    }

    #[test]
    fn a_price_in_test_money_says_so() {
        let mut record = record("published", "Song");
        record.ledger = LedgerId::Test;
        for view in [View::Frame, View::Work] {
            let body = render(view, &site(), &record).body;
            assert!(body.contains(r#"<p class="price">$0.25<small> test money</small></p>"#));
        }
    }

    fn counted(giveaway: Option<u32>, limit: Option<u32>, sold: u32, given: u32) -> Record {
        let mut record = record("published", "Song");
        (record.terms.giveaway, record.terms.limit) = (giveaway, limit);
        record.stock = Some(satchel_wire::api::Stock { sold, given });
        record
    }

    #[test]
    fn a_giveaway_is_free_while_it_lasts() {
        let left = counted(Some(10), None, 9, 7);
        let frame = render(View::Frame, &site(), &left);
        assert_eq!(
            (frame.status, frame.cached, frame.counts),
            (200, true, true)
        );
        for part in [
            r#"data-state="published""#,
            r#"data-usd-micros="0""#,
            r#"<p class="price">Free<small class="left"> · 3 of 10 left</small></p>"#,
            "hidden>Get it free</button>",
        ] {
            assert!(frame.body.contains(part), "{part}\n{}", frame.body);
        }
        let work = render(View::Work, &site(), &left).body;
        assert!(work.contains("Free<small class=\"left\"> · 3 of 10 left, then $0.25</small>"));
        assert!(work.contains("Audio to keep free while copies are left."));
        let gone = render(View::Frame, &site(), &counted(Some(10), None, 12, 10)).body;
        assert!(gone.contains(r#"<p class="price">$0.25</p>"#), "{gone}");
        assert!(gone.contains("Buy $0.25") && gone.contains(r#"data-usd-micros="250000""#));
    }

    #[test]
    fn a_limited_edition_says_how_many_are_left_and_then_that_none_is() {
        let left = counted(None, Some(100), 88, 0);
        let frame = render(View::Frame, &site(), &left).body;
        assert!(frame.contains(r#"$0.25<small class="left"> · 12 left</small>"#));
        let work = render(View::Work, &site(), &left).body;
        assert!(work.contains(r#"$0.25<small class="left"> · 12 of 100 left</small>"#));
        for view in [View::Frame, View::Work] {
            let page = render(view, &site(), &counted(Some(10), Some(100), 100, 9));
            assert_eq!((page.status, page.cached), (200, true));
            for part in [r#"data-state="sold_out""#, "Sold out.", "data-url=", "Song"] {
                assert!(page.body.contains(part), "{part}");
            }
            for absent in ["Buy", "$0", "data-usd-micros", "class=\"price\"", "free"] {
                assert!(!page.body.contains(absent), "{absent}\n{}", page.body);
            }
        }
    }

    #[test]
    fn a_published_work_has_everything_its_script_reads() {
        for view in [View::Frame, View::Work] {
            let page = render(view, &site(), &record("published", "Song"));
            assert_eq!((page.status, page.cached), (200, true));
            for part in [
                r#"<html lang="en">"#,
                &format!(
                    r#"<main id="satchel" data-work="{WORK}" data-issuer="https://satchel.example""#
                ),
                r#" data-wallet="https://wallet.satchel.example" data-state="published" data-version="2""#,
                r#" data-use="download" data-media-type="audio/mpeg""#,
                &format!(r#" data-url="https://satchel.example/f/{WORK}/2.satchel""#),
                &format!(
                    r#" data-manifest-digest="{}" data-usd-micros="250000">"#,
                    "A".repeat(43)
                ),
                r#"<h1 class="title" dir="auto">Song</h1>"#,
                r#"<p class="price">$0.25</p>"#,
                r#"<button id="buy" type="button" hidden>Buy $0.25</button>"#,
                r#"<div id="stage"></div>"#,
                r#"<p id="status" role="status" aria-live="polite"></p>"#,
                &format!(
                    r#"<a id="link" target="_blank" rel="noopener" href="https://satchel.example/w/{WORK}">See on satchel.example</a>"#
                ),
                r#"<noscript><p class="hint">"#,
                &format!(r#"<script type="module" src="{FRAME_JS}" crossorigin></script>"#),
            ] {
                assert!(page.body.contains(part), "{part}\n{}", page.body);
            }
        }
        assert!(html(View::Frame, "published", "x").contains(&format!(r#"href="{FRAME_CSS}""#)));
        assert!(html(View::Work, "published", "x").contains(&format!(r#"href="{WORK_CSS}""#)));
    }

    #[test]
    fn a_work_page_can_be_shared_and_found_and_a_frame_cannot() {
        let work = html(View::Work, "published", "Song");
        for part in [
            &format!(r#"<link rel="canonical" href="https://satchel.example/w/{WORK}">"#),
            &format!(
                r#"<link rel="alternate" type="application/json" href="https://satchel.example/v1/works/{WORK}">"#
            ),
            r#"<meta property="og:title" content="Song">"#,
            r#"content="Audio to keep for $0.25. Sold by its creator on satchel.example.">"#,
        ] {
            assert!(work.contains(part), "{part}\n{work}");
        }
        assert!(!work.contains("noindex"));
        let frame = html(View::Frame, "published", "Song");
        assert!(
            frame.contains("noindex") && !frame.contains("og:") && !frame.contains("canonical")
        );
    }

    #[test]
    fn a_work_that_is_not_on_sale_says_why_and_shows_no_price() {
        for (state, status, says) in [
            ("draft", 404, "Not on sale yet."),
            ("unpublished", 410, "No longer for sale."),
            (
                "taken_down",
                451,
                "This work was taken down after a notice.",
            ),
        ] {
            for view in [View::Frame, View::Work] {
                let page = render(view, &site(), &record(state, "Song"));
                assert_eq!(page.status, status, "{state}");
                assert_eq!(page.cached, state != "draft");
                assert!(page.body.contains(says), "{}", page.body);
                assert!(page.body.contains(&format!(r#"data-state="{state}""#)));
                for absent in [
                    "$0",
                    "class=\"price\"",
                    "data-usd-micros",
                    "og:",
                    "Buy",
                    "noscript",
                ] {
                    assert!(!page.body.contains(absent), "{state} {absent}");
                }
                assert!(page.body.contains("noindex"));
            }
        }
    }

    #[test]
    fn who_owns_a_withdrawn_work_can_open_it_and_nobody_a_taken_down_one() {
        let unpublished = html(View::Frame, "unpublished", "Song");
        assert!(unpublished.contains("data-url=") && unpublished.contains("Song"));
        let down = html(View::Work, "taken_down", "An insult");
        assert!(!down.contains("data-url=") && !down.contains("data-manifest-digest"));
        assert!(!down.contains("An insult"));
    }

    #[test]
    fn a_record_without_its_version_is_not_on_sale() {
        let mut broken = record("published", "Song");
        broken.versions.clear();
        assert_eq!(render(View::Work, &site(), &broken).status, 404);
    }

    #[test]
    fn a_page_without_a_work_runs_no_script() {
        for (code, status) in [(ErrorCode::UnknownWork, 404), (ErrorCode::Unavailable, 503)] {
            let page = refuse(View::Frame, code);
            assert_eq!((page.status, page.cached), (status, false));
            assert!(page.body.contains(code.next()));
            assert!(!page.body.contains("<script"), "{}", page.body);
        }
    }

    #[test]
    fn markup_in_a_title_is_text() {
        let title = r#"</title><script>alert(1)</script>"><img src=x onerror='alert(1)'>&lt;"#;
        for view in [View::Frame, View::Work] {
            let page = html(view, "published", title);
            assert_eq!(page.matches("<script").count(), 1, "{page}");
            assert!(!page.contains("<img") && page.contains("&lt;img"), "{page}");
            assert!(page.contains("&amp;lt;"));
        }
    }

    #[test]
    fn direction_marks_in_a_title_end_with_it() {
        let title = "gnos \u{202e}00.1$";
        let page = html(View::Work, "published", title);
        assert!(page.contains(&format!("<title>\u{2068}{title}\u{2069} · Satchel</title>")));
        // A block of its own: the algorithm (UAX #9, P1) starts anew after it.
        assert!(page.contains(&format!(r#"<h1 class="title" dir="auto">{title}</h1>"#)));
        assert!(!page.replace(title, "").contains('\u{202e}'));
    }

    /// Tags of a page, in order: a parser's view that needs no parser, since maud writes no `<` or
    /// `>` of ours inside attributes.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<')
            .skip(1)
            .filter_map(|rest| rest.split([' ', '>']).next())
            .collect()
    }

    proptest! {
        #[test]
        fn no_title_changes_the_markup(title in "\\PC{0,60}|[<>\"'&/a-z =!-]{0,60}") {
            for view in [View::Frame, View::Work] {
                let page = html(view, "published", &title);
                let plain = html(view, "published", "x");
                prop_assert_eq!(tags(&page), tags(&plain));
                prop_assert_eq!(page.matches('"').count(), plain.matches('"').count());
            }
        }
    }
}

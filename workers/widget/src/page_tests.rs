//! What pages of works say and never say.

use super::*;
use proptest::prelude::*;
use satchel_domain::ledger::LedgerId;

pub(crate) const WORK: &str = "wrk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

const FRAME: View = View {
    kind: Kind::Frame,
    lang: Lang::En,
    layout: "card",
    theme: "auto",
    amount: None,
};
const OWN: View = View {
    kind: Kind::Work,
    ..FRAME
};

pub(crate) fn site() -> Site {
    Site {
        issuer: "https://satchel.example".into(),
        wallet: "https://wallet.satchel.example".into(),
    }
}

pub(crate) fn record(state: &str, title: &str) -> Record {
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
    for view in [FRAME, OWN] {
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
    let frame = render(FRAME, &site(), &left);
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
    let work = render(OWN, &site(), &left).body;
    assert!(work.contains("Free<small class=\"left\"> · 3 of 10 left, then $0.25</small>"));
    assert!(work.contains("Audio to keep free while copies are left."));
    let gone = render(FRAME, &site(), &counted(Some(10), None, 12, 10)).body;
    assert!(gone.contains(r#"<p class="price">$0.25</p>"#), "{gone}");
    assert!(gone.contains("Buy $0.25") && gone.contains(r#"data-usd-micros="250000""#));
}

#[test]
fn a_limited_edition_says_how_many_are_left_and_then_that_none_is() {
    let left = counted(None, Some(100), 88, 0);
    let frame = render(FRAME, &site(), &left).body;
    assert!(frame.contains(r#"$0.25<small class="left"> · 12 left</small>"#));
    let work = render(OWN, &site(), &left).body;
    assert!(work.contains(r#"$0.25<small class="left"> · 12 of 100 left</small>"#));
    for view in [FRAME, OWN] {
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
    for view in [FRAME, OWN] {
        let page = render(view, &site(), &record("published", "Song"));
        assert_eq!((page.status, page.cached), (200, true));
        for part in [
            r#"<html lang="en" data-lang="en">"#,
            &format!(
                r#"<div id="satchel" data-work="{WORK}" data-issuer="https://satchel.example""#
            ),
            r#" data-wallet="https://wallet.satchel.example" data-state="published" data-layout="card" data-kind="audio" data-version="2""#,
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
    assert!(html(FRAME, "published", "x").contains(&format!(r#"href="{FRAME_CSS}""#)));
    assert!(html(OWN, "published", "x").contains(&format!(r#"href="{WORK_CSS}""#)));
}

#[test]
fn a_work_page_can_be_shared_and_found_and_a_frame_cannot() {
    let work = html(OWN, "published", "Song");
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
    let frame = html(FRAME, "published", "Song");
    assert!(frame.contains("noindex") && !frame.contains("og:") && !frame.contains("canonical"));
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
        for view in [FRAME, OWN] {
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
    let unpublished = html(FRAME, "unpublished", "Song");
    assert!(unpublished.contains("data-url=") && unpublished.contains("Song"));
    let down = html(OWN, "taken_down", "An insult");
    assert!(!down.contains("data-url=") && !down.contains("data-manifest-digest"));
    assert!(!down.contains("An insult"));
}

#[test]
fn a_record_without_its_version_is_not_on_sale() {
    let mut broken = record("published", "Song");
    broken.versions.clear();
    assert_eq!(render(OWN, &site(), &broken).status, 404);
}

#[test]
fn a_page_without_a_work_runs_no_script() {
    for (code, status) in [(ErrorCode::UnknownWork, 404), (ErrorCode::Unavailable, 503)] {
        for lang in [Lang::En, Lang::De] {
            let page = refuse(View { lang, ..FRAME }, code);
            assert_eq!((page.status, page.cached), (status, false));
            assert!(!page.body.contains("<script"), "{}", page.body);
            let says = match code {
                ErrorCode::UnknownWork => lang.unknown_next(),
                _ => lang.unavailable_next(),
            };
            assert!(page.body.contains(says));
        }
    }
}

#[test]
fn markup_in_a_title_is_text() {
    let title = r#"</title><script>alert(1)</script>"><img src=x onerror='alert(1)'>&lt;"#;
    for view in [FRAME, OWN] {
        let page = html(view, "published", title);
        // The frame's script, and on the work's own page the data for search engines.
        let scripts = if view == OWN { 2 } else { 1 };
        assert_eq!(page.matches("<script").count(), scripts, "{page}");
        assert!(
            !page.contains("<img src=x") && page.contains("&lt;img"),
            "{page}"
        );
        assert!(page.contains("&amp;lt;"));
    }
}

#[test]
fn direction_marks_in_a_title_end_with_it() {
    let title = "gnos \u{202e}00.1$";
    let page = html(OWN, "published", title);
    assert!(page.contains(&format!("<title>\u{2068}{title}\u{2069} · Satchel</title>")));
    // A block of its own: the algorithm (UAX #9, P1) starts anew after it.
    assert!(page.contains(&format!(r#"<h1 class="title" dir="auto">{title}</h1>"#)));
    assert!(!page.replace(title, "").contains('\u{202e}'));
}

/// A page without the data in it, which has quotes of its own.
fn markup(page: &str) -> String {
    let (before, data) = page
        .split_once("<script type=\"application/ld+json\">")
        .unwrap_or((page, "</script>"));
    let (_, after) = data.split_once("</script>").unwrap();
    format!("{before}{after}")
}

/// What a page says to search engines.
fn data(page: &str) -> serde_json::Value {
    let (_, data) = page.split_once("ld+json\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn search_engines_are_told_the_price_and_whether_there_are_copies() {
    let said = data(&html(OWN, "published", "Song \"</script>"));
    assert_eq!(said["name"], "Song \"</script>");
    assert_eq!(said["@type"], serde_json::json!(["Product", "AudioObject"]));
    let offer = &said["offers"];
    assert_eq!(
        (&offer["price"], &offer["priceCurrency"]),
        (&"0.25".into(), &"USD".into())
    );
    assert_eq!(offer["availability"], "https://schema.org/InStock");
    let gone = render(OWN, &site(), &counted(None, Some(3), 3, 0)).body;
    assert_eq!(
        data(&gone)["offers"]["availability"],
        "https://schema.org/SoldOut"
    );
}

#[test]
fn other_programs_find_the_oembed_document_and_the_sold_out_page_still_has_one() {
    for page in [
        html(OWN, "published", "Song"),
        render(OWN, &site(), &counted(None, Some(3), 3, 0)).body,
    ] {
        for format in ["json", "xml"] {
            assert!(page.contains(&format!(
                "href=\"https://satchel.example/oembed?url=https%3A%2F%2Fsatchel.example%2Fw%2F{WORK}&amp;format={format}\""
            )));
        }
    }
    assert!(!html(OWN, "unpublished", "Song").contains("oembed"));
}

#[test]
fn both_pages_speak_german() {
    let german = View {
        lang: Lang::De,
        ..FRAME
    };
    let frame = html(german, "published", "Lied");
    for part in [
        r#"<html lang="de" data-lang="de">"#,
        "hidden>Für 0,25\u{a0}$ kaufen</button>",
        ">Auf satchel.example ansehen</a>",
        "Zum Kaufen wird hier JavaScript gebraucht.",
    ] {
        assert!(frame.contains(part), "{part}\n{frame}");
    }
    let own = html(
        View {
            kind: Kind::Work,
            ..german
        },
        "published",
        "Lied",
    );
    assert!(
        own.contains("Audio zum Behalten, für 0,25\u{a0}$."),
        "{own}"
    );
    for english in ["Buy", "Sold", "Yours", "Share", "Without"] {
        assert!(!own.contains(english), "{english}\n{own}");
    }
}

#[test]
fn a_page_is_as_it_was_asked_for() {
    let asked = View {
        layout: "player",
        theme: "dark",
        ..FRAME
    };
    let page = html(asked, "published", "Song");
    assert!(page.contains(r#" data-theme="dark">"#) && page.contains(r#" data-layout="player" "#));
    assert!(!html(FRAME, "published", "Song").contains("data-theme"));
}

#[test]
fn more_may_be_paid_where_the_creator_lets_it_and_without_scripts_too() {
    let mut record = record("published", "Song");
    assert!(!render(OWN, &site(), &record).body.contains("<form"));
    record.terms.pay_more = true;
    let chosen = View {
        amount: Some(750_000),
        ..OWN
    };
    let page = render(chosen, &site(), &record).body;
    for part in [
        &format!(r#"<form id="amount" method="get" action="/w/{WORK}">"#),
        r#"<input type="radio" name="amount" value="250000"><span>$0.25</span>"#,
        r#"<input type="radio" name="amount" value="750000" checked><span>$0.75</span>"#,
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // Less than the price is no choice.
    let less = View {
        amount: Some(1),
        ..OWN
    };
    assert!(!render(less, &site(), &record).body.contains("value=\"1\""));
}

/// A work its creator has said something about.
fn listed() -> Record {
    let mut record = record("published", "Song");
    record.terms.pay_more = true;
    let listing = serde_json::json!({
        "description": "First & best.\n\nSecond <b>part</b>.",
        "cover": {"url": format!("https://satchel.example/f/{WORK}/cover-x.webp"), "width": 1200, "height": 1200, "media_type": "image/webp"},
        "suggest": [500_000, 1_000_000], "monetization": "https://wallet.example/alice",
    });
    record.listing = Some(satchel_json::from_slice(listing.to_string().as_bytes()).unwrap());
    let preview = serde_json::json!({"offset": 16384, "length": 900, "media_type": "audio/mpeg"});
    let preview = satchel_json::from_slice(preview.to_string().as_bytes()).unwrap();
    record.versions[0].preview = Some(preview);
    record
}

#[test]
fn what_the_creator_says_is_on_the_page_and_in_link_previews() {
    let page = render(OWN, &site(), &listed()).body;
    let cover = format!("https://satchel.example/f/{WORK}/cover-x.webp");
    for part in [
        r#"<p dir="auto">First &amp; best.</p><p dir="auto">Second &lt;b&gt;part&lt;/b&gt;.</p>"#,
        &format!(r#"<img class="cover" src="{cover}" width="1200" height="1200" alt="""#),
        &format!(r#"<meta property="og:image" content="{cover}">"#),
        r#"<meta name="twitter:card" content="summary_large_image">"#,
        r#"<meta property="og:description" content="First &amp; best. Second &lt;b&gt;part&lt;/b&gt;.">"#,
        r#"<link rel="monetization" href="https://wallet.example/alice">"#,
        r#"name="amount" value="500000"><span>$0.50</span>"#,
        r#"data-preview="16384+900" data-preview-type="audio/mpeg""#,
        ">Listen to a preview</button>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert_eq!(data(&page)["image"], cover);
    let frame = render(FRAME, &site(), &listed()).body;
    assert!(frame.contains(&cover) && !frame.contains("monetization") && !frame.contains("First"));
}

#[test]
fn a_cover_from_elsewhere_is_not_shown_and_a_taken_down_one_nowhere() {
    let mut foreign = listed();
    if let Some(cover) = foreign.listing.as_mut().and_then(|l| l.cover.as_mut()) {
        cover.url = "https://evil.example/f/x/cover-x.webp".into();
    }
    let mut down = listed();
    down.state = satchel_domain::work::WorkState::TakenDown;
    for record in [foreign, down] {
        for view in [FRAME, OWN] {
            assert!(!render(view, &site(), &record).body.contains("cover-x"));
        }
    }
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
        for view in [FRAME, OWN] {
            let page = html(view, "published", &title);
            let plain = html(view, "published", "x");
            prop_assert_eq!(tags(&page), tags(&plain));
            let quotes = |page: &str| markup(page).matches('"').count();
            prop_assert_eq!(quotes(&page), quotes(&plain));
        }
    }
}

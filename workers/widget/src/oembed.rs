//! oEmbed 1.0: what a page that was handed a work's address shows in its place.

use maud::html;
use satchel_json::{Value, to_string};

use crate::{listing, query::Query, shown::Shown, site::Site, urls::decoded};

/// The widest a widget gets, pixels.
const WIDTH: u32 = 640;
/// Below this a card breaks into more lines (frame/card.css).
const NARROW: u32 = 416;
const CARD: u32 = 104;
const NARROW_CARD: u32 = 152;
const BUTTON: u32 = 46;
/// What is in the frame is always fresh; the rest hardly changes.
const CACHE_S: u64 = 3600;

/// The written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

impl Format {
    /// JSON unless another one is asked for; nothing for one that does not exist here.
    pub(crate) fn of(query: Query<'_>) -> Option<Self> {
        match query.raw("format") {
            None | Some("" | "json") => Some(Self::Json),
            Some("xml") => Some(Self::Xml),
            Some(_) => None,
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "text/xml; charset=utf-8",
        }
    }
}

/// The work that an address on this issuer's pages is of.
pub(crate) fn work_of(query: Query<'_>, issuer: &str) -> Option<String> {
    let url = decoded(query.raw("url")?)?;
    let path = url.strip_prefix(issuer)?;
    let work = path
        .strip_prefix("/w/")
        .or_else(|| path.strip_prefix("/embed/"))?;
    let work = work.split(['?', '#']).next()?;
    Some(work.to_owned())
}

/// The most of a measure; what is no number limits nothing.
fn most(query: Query<'_>, name: &str) -> u32 {
    let given = query.raw(name).and_then(|value| value.parse().ok());
    given.filter(|most| *most > 0).unwrap_or(u32::MAX)
}

/// The document.
pub(crate) fn document(format: Format, query: Query<'_>, site: &Site, shown: &Shown<'_>) -> String {
    let (max_width, max_height) = (most(query, "maxwidth"), most(query, "maxheight"));
    let width = WIDTH.min(max_width);
    let card = if width < NARROW { NARROW_CARD } else { CARD };
    let small = max_height < card;
    let height = if small { BUTTON.min(max_height) } else { card };
    let record = shown.record;
    let address = site.work_page(record.work.as_str());
    let frame = format!(
        "{}/embed/{}{}",
        site.issuer,
        record.work,
        if small { "?layout=button" } else { "" }
    );
    // The link first: who takes nothing but text still has that. WordPress looks for exactly these two elements.
    let html = html! {
        blockquote { a href=(address) { (record.title) } }
        iframe src=(frame) width=(width) height=(height) title=(format!("Satchel: {}", record.title)) frameborder="0"
            allow="autoplay; fullscreen; encrypted-media; picture-in-picture; clipboard-write"
            referrerpolicy="origin" loading="lazy" {}
    };
    let text = |text: &str| Value::from(text.to_owned());
    let number = |number: u32| Value::from(u64::from(number));
    let mut members = vec![
        ("version", text("1.0")),
        ("type", text("rich")),
        ("title", text(&record.title)),
        ("html", text(&html.into_string())),
        ("width", number(width)),
        ("height", number(height)),
        ("provider_name", text("Satchel")),
        ("provider_url", text(&site.issuer)),
        ("cache_age", Value::from(CACHE_S)),
    ];
    // A picture that is larger than what was asked for may not be offered.
    let cover = listing::cover(record, &site.issuer);
    if let Some(cover) = cover.filter(|c| c.width <= max_width && c.height <= max_height) {
        members.push(("thumbnail_url", text(&cover.url)));
        members.push(("thumbnail_width", number(cover.width)));
        members.push(("thumbnail_height", number(cover.height)));
    }
    match format {
        Format::Json => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name.into(), value));
            to_string(&Value::Object(members.collect())).unwrap_or_default()
        }
        Format::Xml => xml(&members),
    }
}

fn xml(members: &[(&str, Value<'_>)]) -> String {
    let mut out =
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<oembed>\n".to_owned();
    for (name, value) in members {
        let value = match value {
            Value::Text(text) => escaped(text),
            other => to_string(other).unwrap_or_default(),
        };
        for part in ["  <", name, ">", &value, "</", name, ">\n"] {
            out.push_str(part);
        }
    }
    out.push_str("</oembed>\n");
    out
}

/// Character data of XML 1.0; characters it can't hold are left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lang::Lang,
        page::tests::{WORK, record, site},
    };

    fn asked(query: &str, title: &str) -> serde_json::Value {
        let record = record("published", title);
        let shown = Shown::of(&record, Lang::En);
        let text = document(Format::Json, Query(query), &site(), &shown);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_document_has_what_the_specification_asks_of_rich_ones() {
        let said = asked("", "A & B");
        assert_eq!(
            (&said["version"], &said["type"]),
            (&"1.0".into(), &"rich".into())
        );
        assert_eq!(
            (&said["width"], &said["height"]),
            (&640.into(), &104.into())
        );
        assert_eq!(said["title"], "A & B");
        let html = said["html"].as_str().unwrap();
        assert!(html.starts_with(&format!(
            "<blockquote><a href=\"https://satchel.example/w/{WORK}\">A &amp; B</a></blockquote><iframe src=\"https://satchel.example/embed/{WORK}\""
        )), "{html}");
        assert!(!html.contains("<script") && html.ends_with("></iframe>"));
    }

    #[test]
    fn it_is_never_larger_than_it_may_be() {
        for (query, width, height) in [
            ("maxwidth=300", 300, 152),
            ("maxwidth=416", 416, 104),
            ("maxwidth=0&maxheight=x", 640, 104),
            ("maxheight=104", 640, 104),
            ("maxheight=103", 640, 46),
            ("maxwidth=300&maxheight=150", 300, 46),
            ("maxheight=20", 640, 20),
            ("maxwidth=99999999999", 640, 104),
        ] {
            let said = asked(query, "x");
            assert_eq!(
                (&said["width"], &said["height"]),
                (&width.into(), &height.into()),
                "{query}"
            );
            let button = said["html"].as_str().unwrap().contains("?layout=button");
            assert_eq!(button, height < 104, "{query}");
        }
    }

    #[test]
    fn only_addresses_of_our_own_pages_have_one() {
        let issuer = "https://satchel.example";
        let of = |url: &str| {
            work_of(
                Query(&format!("url={}", crate::urls::component(url))),
                issuer,
            )
        };
        for path in ["/w/wrk_x", "/embed/wrk_x", "/w/wrk_x?lang=de#owned"] {
            assert_eq!(of(&format!("{issuer}{path}")).as_deref(), Some("wrk_x"));
        }
        for url in [
            "https://satchel.example.evil/w/wrk_x",
            "http://satchel.example/w/wrk_x",
            "/w/wrk_x",
            "https://satchel.example/f/wrk_x",
            "",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
        assert_eq!(work_of(Query(""), issuer), None);
        assert_eq!(work_of(Query("url=%"), issuer), None);
    }

    #[test]
    fn there_are_two_forms_and_no_third() {
        for (query, format) in [
            ("", Some(Format::Json)),
            ("format=json", Some(Format::Json)),
            ("format=xml", Some(Format::Xml)),
            ("format=yaml", None),
            ("format=XML", None),
        ] {
            assert_eq!(Format::of(Query(query)), format, "{query}");
        }
    }

    #[test]
    fn xml_holds_the_same_and_no_title_breaks_it() {
        let title = "a <b> & \u{1} \u{ffff} ]]> \u{1f3b5}";
        let record = record("published", "x");
        let record = satchel_wire::api::Record {
            title: title.into(),
            ..record
        };
        let shown = Shown::of(&record, Lang::En);
        let xml = document(Format::Xml, Query(""), &site(), &shown);
        assert!(
            xml.contains("<title>a &lt;b&gt; &amp;   ]]&gt; \u{1f3b5}</title>"),
            "{xml}"
        );
        assert!(xml.contains("<html>&lt;blockquote&gt;") && xml.contains("<width>640</width>"));
    }
}

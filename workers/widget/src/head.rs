//! What a work's page says to those who only read its head: link previews, search engines, oEmbed
//! consumers, Web Monetization.

use maud::{Markup, PreEscaped, html};
use satchel_json::{Value, to_string};

use crate::{listing, price::plain, shown::Shown, site::Site, urls::oembed_address};

/// Longest description in a link preview, characters.
const SHORT: usize = 200;

/// The head of a work's page. A work that is not on offer is described to nobody.
pub(crate) fn work(site: &Site, shown: &Shown<'_>, address: &str) -> Markup {
    let record = shown.record;
    let data = format!("{}/v1/works/{}", site.issuer, record.work);
    html! {
        link rel="canonical" href=(address);
        link rel="alternate" type="application/json" href=(data);
        link rel="alternate" hreflang="en" href={ (address) "?lang=en" };
        link rel="alternate" hreflang="de" href={ (address) "?lang=de" };
        @if shown.status == 200 { (described(site, shown, address)) }
    }
}

fn described(site: &Site, shown: &Shown<'_>, address: &str) -> Markup {
    let record = shown.record;
    let own = listing::description(record);
    let about = if own.is_empty() {
        shown.about(site.host())
    } else {
        shortened(own)
    };
    let cover = listing::cover(record, &site.issuer);
    let oembed = |format| oembed_address(&site.issuer, address, format);
    html! {
        meta name="description" content=(about);
        meta property="og:type" content=(match shown.kind() { "audio" => "music.song", "video" => "video.other", _ => "website" });
        meta property="og:site_name" content="Satchel";
        meta property="og:title" content=(record.title);
        meta property="og:description" content=(about);
        meta property="og:url" content=(address);
        meta property="og:locale" content=(match shown.lang.tag() { "de" => "de_DE", _ => "en_US" });
        meta name="twitter:card" content=(if cover.is_some() { "summary_large_image" } else { "summary" });
        meta name="twitter:title" content=(record.title);
        meta name="twitter:description" content=(about);
        @if let Some(cover) = cover {
            meta property="og:image" content=(cover.url);
            meta property="og:image:width" content=(cover.width);
            meta property="og:image:height" content=(cover.height);
            meta name="twitter:image" content=(cover.url);
        }
        @if shown.on_sale() {
            meta property="product:price:amount" content=(plain(shown.copies.due(record)));
            meta property="product:price:currency" content="USD";
        }
        link rel="alternate" type="application/json+oembed" title=(record.title) href=(oembed("json"));
        link rel="alternate" type="text/xml+oembed" title=(record.title) href=(oembed("xml"));
        link rel="iframely player" type="text/html" href={ (site.issuer) "/embed/" (record.work) } media="(min-height: 152px)";
        @if let Some(pointer) = listing::monetization(record) { link rel="monetization" href=(pointer); }
        script type="application/ld+json" { (PreEscaped(json_ld(site, shown, address))) }
    }
}

/// schema.org's words for it. `<` is written so that no title ends the script element.
fn json_ld(site: &Site, shown: &Shown<'_>, address: &str) -> String {
    let record = shown.record;
    let text = |text: &str| Value::from(text.to_owned());
    let kind = match shown.kind() {
        "audio" => "AudioObject",
        "video" => "VideoObject",
        "image" => "ImageObject",
        _ => "DigitalDocument",
    };
    let stock = if shown.on_sale() {
        "InStock"
    } else {
        "SoldOut"
    };
    let offer = vec![
        ("@type".into(), text("Offer")),
        ("price".into(), text(&plain(shown.copies.due(record)))),
        ("priceCurrency".into(), text("USD")),
        (
            "availability".into(),
            text(&format!("https://schema.org/{stock}")),
        ),
        ("url".into(), text(address)),
    ];
    let mut product = vec![
        ("@context".into(), text("https://schema.org")),
        (
            "@type".into(),
            Value::List(vec![text("Product"), text(kind)]),
        ),
        ("@id".into(), text(address)),
        ("name".into(), text(&record.title)),
        ("sku".into(), text(record.work.as_str())),
        (
            "description".into(),
            text(&match listing::description(record) {
                "" => shown.about(site.host()),
                own => own.to_owned(),
            }),
        ),
        ("encodingFormat".into(), text(&record.media_type)),
        ("offers".into(), Value::Object(offer)),
    ];
    if let Some(cover) = listing::cover(record, &site.issuer) {
        product.push(("image".into(), text(&cover.url)));
    }
    to_string(&Value::Object(product))
        .unwrap_or_default()
        .replace('<', "\\u003c")
}

/// The beginning of a text, whole words of it.
fn shortened(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(SHORT) {
        None => flat,
        Some((end, _)) => {
            let cut = flat.get(..end).unwrap_or_default();
            let cut = cut.rsplit_once(' ').map_or(cut, |(whole, _)| whole);
            format!("{cut}…")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_description_is_cut_between_words() {
        assert_eq!(shortened("a  b\n\nc"), "a b c");
        let long = "word ".repeat(60);
        let short = shortened(&long);
        assert!(short.ends_with("word…") && short.chars().count() <= SHORT + 1);
        // One long word is cut all the same.
        assert_eq!(shortened(&"é".repeat(300)).chars().count(), SHORT + 1);
    }
}

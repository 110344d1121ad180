//! The work's own page: what the frame shows, with room for the rest.

use maud::{Markup, html};

use crate::{
    lang::Lang,
    listing,
    page::{View, card, cover, fenced},
    shown::Shown,
    site::Site,
};

/// The page's body.
pub(crate) fn body(view: View, site: &Site, shown: &Shown<'_>, address: &str) -> Markup {
    let lang = view.lang;
    let other = match lang {
        Lang::En => Lang::De,
        Lang::De => Lang::En,
    };
    html! {
        header .page.wide.top {
            a .wordmark href="/" { "Satchel" }
        }
        main .page.wide.work {
            div .art { (cover(site, shown)) }
            div .side {
                (card(view, site, shown, address))
                @if shown.state == "unpublished" { p .muted { (lang.owners_keep()) } }
                @if shown.version.is_some() && shown.status == 200 {
                    (description(shown))
                    (facts(shown))
                    (share(site, shown, address))
                }
            }
        }
        footer .page.wide.foot.muted.small {
            p { (lang.direct()) }
            p {
                a lang=(other.tag()) hreflang=(other.tag()) href={ "?lang=" (other.tag()) } { (lang.other_language()) }
            }
        }
    }
}

/// The creator's words: paragraphs, and nothing else.
fn description(shown: &Shown<'_>) -> Markup {
    let text = listing::description(shown.record);
    html! {
        @if !text.is_empty() {
            div .description {
                @for paragraph in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
                    p dir="auto" { (paragraph) }
                }
            }
        }
    }
}

fn facts(shown: &Shown<'_>) -> Markup {
    let lang = shown.lang;
    html! {
        @if let Some(version) = shown.version {
            ul .facts {
                li { (if version.usage.as_str() == "stream" { lang.streamed() } else { lang.kept() }) }
                li { (lang.format()) ": " (fenced(&version.name)) ", " (bytes(lang, version.size)) }
            }
        }
    }
}

/// Decimal units, as file managers and providers count.
fn bytes(lang: Lang, size: u64) -> String {
    let (unit, scale) = match size {
        0..1_000 => return format!("{size} B"),
        1_000..1_000_000 => ("KB", 1_000),
        1_000_000..1_000_000_000 => ("MB", 1_000_000),
        _ => ("GB", 1_000_000_000_u64),
    };
    let tenths = size.saturating_mul(10).checked_div(scale).unwrap_or(0);
    let (whole, tenth) = (
        tenths.checked_div(10).unwrap_or(0),
        tenths.checked_rem(10).unwrap_or(0),
    );
    let mark = match lang {
        Lang::En => '.',
        Lang::De => ',',
    };
    if tenth == 0 || whole >= 100 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}{mark}{tenth} {unit}")
    }
}

/// What others paste elsewhere.
fn share(site: &Site, shown: &Shown<'_>, address: &str) -> Markup {
    let lang = shown.lang;
    let (issuer, work) = (&site.issuer, shown.record.work.as_str());
    let snippet =
        format!("<script async src=\"{issuer}/widget.js\" data-work=\"{work}\"></script>");
    let badge = format!("[![Satchel]({issuer}/badge/{work}.svg)]({address})");
    html! {
        details .share {
            summary { (lang.share()) }
            dl {
                dt { (lang.share_snippet()) }
                dd { code .value tabindex="0" { (snippet) } }
                dt { (lang.share_badge()) }
                dd { code .value tabindex="0" { (badge) } }
                dt { (lang.share_qr()) }
                dd { img .qr src={ "/w/" (work) "/qr.svg" } width="160" height="160" alt=(address) loading="lazy"; }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_and_in_the_words_of_the_language() {
        for (size, en, de) in [
            (0, "0 B", "0 B"),
            (999, "999 B", "999 B"),
            (1_000, "1 KB", "1 KB"),
            (1_999, "1.9 KB", "1,9 KB"),
            (4_200_000, "4.2 MB", "4,2 MB"),
            (123_456_789, "123 MB", "123 MB"),
            (10_000_000_000, "10 GB", "10 GB"),
        ] {
            assert_eq!(bytes(Lang::En, size), en);
            assert_eq!(bytes(Lang::De, size), de);
        }
        assert!(bytes(Lang::En, u64::MAX).ends_with(" GB"));
    }
}

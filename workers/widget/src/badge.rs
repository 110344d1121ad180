//! The price as a picture, for READMEs and other places where only pictures may stand.

use maud::html;

use crate::{lang::Lang, shown::Shown};

const HEIGHT: u32 = 20;
const PAD: u32 = 7;

/// Width of a text in Verdana 11 px, in pixels: rounded up per letter, since nothing can be measured
/// here. `textLength` makes it true.
fn width(text: &str) -> u32 {
    let each = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | '|' | ':' | ' ' | '\u{a0}' => 4,
        'm' | 'w' | 'M' | 'W' => 11,
        'A'..='Z' | '0'..='9' | '$' => 8,
        // What is not Latin may be wide.
        c if !c.is_ascii() && !c.is_alphabetic() => 11,
        _ => 7,
    };
    text.chars().map(each).fold(0, u32::saturating_add)
}

/// What the badge says: what can be bought for how much, or why it can't.
pub(crate) fn label(shown: &Shown<'_>) -> String {
    match &shown.price {
        Some(price) if shown.copies.free() => price.clone(),
        Some(price) => shown.lang.badge(price),
        None => shown.says.split('.').next().unwrap_or_default().to_owned(),
    }
}

/// An SVG that is light or dark as its reader is.
pub(crate) fn svg(lang: Lang, label: &str, on_sale: bool) -> String {
    let name = "Satchel";
    let pad = PAD.saturating_mul(2);
    let left = width(name).saturating_add(pad);
    let right = width(label).saturating_add(pad);
    let all = left.saturating_add(right);
    let x = |from: u32| from.saturating_add(PAD);
    let style = "rect.n{fill:#3d3630}rect.p{fill:#9a4210}rect.p.off{fill:#6a5f55}\
        @media(prefers-color-scheme:dark){rect.n{fill:#55493f}rect.p{fill:#b3531b}}";
    let class = if on_sale { "p" } else { "p off" };
    let image = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height=(HEIGHT)
            viewBox={ "0 0 " (all) " " (HEIGHT) } role="img" lang=(lang.tag()) aria-label={ (name) ": " (label) } {
            title { (name) ": " (label) }
            style { (style) }
            clipPath id="r" { rect width=(all) height=(HEIGHT) rx="4" {} }
            g clip-path="url(#r)" {
                rect class="n" width=(left) height=(HEIGHT) {}
                rect class=(class) x=(left) width=(right) height=(HEIGHT) {}
            }
            g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11" {
                text x=(PAD) y="14" textLength=(width(name)) { (name) }
                text x=(x(left)) y="14" textLength=(width(label)) { (label) }
            }
        }
    };
    image.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_the_price_to_eyes_and_to_screen_readers() {
        let svg = svg(Lang::En, "buy $0.25", true);
        assert!(svg.starts_with("<svg xmlns="), "{svg}");
        assert!(svg.contains(r#"aria-label="Satchel: buy $0.25""#));
        assert!(svg.contains(">buy $0.25</text>"));
        for absent in ["<script", "href", "@import", "http://www.w3.org/1999"] {
            assert!(!svg.contains(absent), "{absent}");
        }
    }

    #[test]
    fn nothing_in_a_label_is_markup() {
        let svg = svg(Lang::De, "\"><script>", false);
        assert!(!svg.contains("<script"), "{svg}");
    }
}

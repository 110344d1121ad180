//! Which language a page speaks, and every word it says. Each phrase stands in both languages, side by
//! side: one that is missing does not compile.

/// A language that is complete here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lang {
    /// English.
    En,
    /// German.
    De,
}

impl Lang {
    /// The language of a tag such as `de-AT`, if it is one of ours.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let base = tag.trim().split(['-', '_']).next().unwrap_or_default();
        if base.eq_ignore_ascii_case("en") {
            Some(Self::En)
        } else {
            base.eq_ignore_ascii_case("de").then_some(Self::De)
        }
    }

    /// What the address asks for, else the best that `Accept-Language` names, else English.
    pub(crate) fn choose(asked: Option<&str>, accepted: Option<&str>) -> Self {
        let named = asked.and_then(Self::of_tag);
        named
            .or_else(|| accepted.and_then(preferred))
            .unwrap_or(Self::En)
    }

    /// As in `lang="…"`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }
}

/// RFC 9110 §12.5.4, as far as it decides between ours: the highest quality, then the first.
fn preferred(accepted: &str) -> Option<Lang> {
    let mut best: Option<(u32, Lang)> = None;
    // A header longer than that is nobody's list of languages.
    for entry in accepted.split(',').take(20) {
        let mut parts = entry.split(';');
        let Some(lang) = parts.next().and_then(Lang::of_tag) else {
            continue;
        };
        let quality = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1000, thousandths);
        if quality > 0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// `0.8` → 800; what is no quality is none.
fn thousandths(text: &str) -> u32 {
    match text.trim().split_once('.') {
        Some(("0", digits)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{digits:0<3}")
                .get(..3)
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0)
        }
        Some(("1", _)) => 1000,
        None if text.trim() == "1" => 1000,
        _ => 0,
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $en:literal, $de:literal;)*) => {
        impl Lang {
            $($(#[$doc])* pub(crate) const fn $name(self) -> &'static str {
                match self { Self::En => $en, Self::De => $de }
            })*
        }
        #[cfg(test)]
        const WORDS: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $de)),*];
    };
}

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident($($part:ident),+): $en:literal, $de:literal;)*) => {
        impl Lang {
            $($(#[$doc])* pub(crate) fn $name(self, $($part: &str),+) -> String {
                match self { Self::En => format!($en), Self::De => format!($de) }
            })*
        }
    };
}

words! {
    free: "Free", "Kostenlos";
    get_free: "Get it free", "Kostenlos holen";
    open: "Open", "Öffnen";
    test_money: "test money", "Testgeld";
    sold_out: "Sold out. There are no more copies.", "Ausverkauft. Es gibt keine Exemplare mehr.";
    draft: "Not on sale yet.", "Noch nicht im Verkauf.";
    unpublished: "No longer for sale.", "Nicht mehr im Verkauf.";
    taken_down: "This work was taken down after a notice.", "Dieses Werk wurde nach einer Beschwerde entfernt.";
    taken_down_title: "Taken down", "Entfernt";
    owners_keep: "Whoever bought it can still open it.", "Wer es gekauft hat, kann es weiterhin öffnen.";
    unknown: "There is no such work", "Dieses Werk gibt es nicht";
    unknown_next: "Check the link.", "Ist der Link vollständig?";
    unavailable: "The shop does not answer just now", "Der Laden antwortet gerade nicht";
    unavailable_next: "Try again in a moment.", "Gleich noch einmal versuchen.";
    needs_script: "Buying here needs JavaScript.", "Zum Kaufen wird hier JavaScript gebraucht.";
    packed_file: "packed file", "gepackte Datei";
    amount: "Your price", "Preis nach Wahl";
    amount_hint: "Pay what it is worth to you.", "Zahlen, was es wert ist.";
    choose_price: "Choose this price", "Diesen Preis wählen";
    preview: "Listen to a preview", "Vorschau anhören";
    preview_watch: "Watch a preview", "Vorschau ansehen";
    preview_see: "See a preview", "Vorschau zeigen";
    audio: "Audio", "Audio";
    video: "Video", "Video";
    picture: "A picture", "Ein Bild";
    text: "A text", "Ein Text";
    a_file: "A file", "Eine Datei";
    to_play: "to play", "zum Abspielen";
    to_keep: "to keep", "zum Behalten";
    offer_free: "free while copies are left", "kostenlos, solange Exemplare da sind";
    offer_sold_out: "that is sold out", "ausverkauft";
    kept: "Yours to keep: the original file, byte for byte.", "Zum Behalten: die Originaldatei, Byte für Byte.";
    streamed: "Streamed in your browser, not for saving.", "Läuft im Browser, nicht zum Speichern.";
    direct: "No account, no e-mail, no app.", "Ohne Konto, ohne E-Mail, ohne App.";
    format: "File", "Datei";
    share: "Share or put it on your own page", "Teilen oder auf der eigenen Seite anbieten";
    share_snippet: "For a website", "Für eine Website";
    share_badge: "For Markdown and READMEs", "Für Markdown und READMEs";
    share_qr: "For paper: this page as a QR code", "Fürs Papier: diese Seite als QR-Code";
    other_language: "Deutsch", "English";
}

phrases! {
    buy(price): "Buy {price}", "Für {price} kaufen";
    see_on(host): "See on {host}", "Auf {host} ansehen";
    left(left, of): "{left} of {of} left", "noch {left} von {of}";
    left_short(left): "{left} left", "noch {left}";
    then(price): ", then {price}", ", danach {price}";
    offer_for(price): "for {price}", "für {price}";
    about(kind, way, offer, host): "{kind} {way} {offer}. Sold by its creator on {host}.", "{kind} {way}, {offer}. Von den Urhebern selbst verkauft auf {host}.";
    link_leads(host): "The link leads to the page on {host}.", "Der Link führt zur Seite auf {host}.";
    badge(price): "buy {price}", "kaufen {price}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_decides_then_the_browser_then_english() {
        for (asked, accepted, lang) in [
            (None, None, Lang::En),
            (Some("de"), Some("en"), Lang::De),
            (Some("de-CH"), None, Lang::De),
            (Some("EN_us"), Some("de"), Lang::En),
            (Some("auto"), Some("de"), Lang::De),
            (Some("fr"), Some("de-DE,en;q=0.5"), Lang::De),
            (None, Some("fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7"), Lang::De),
            (None, Some("en;q=0.3, de ; q=0.31"), Lang::De),
            (None, Some("de;q=0, en;q=0.1"), Lang::En),
            (None, Some("de;q=0.0005"), Lang::En),
            (None, Some("de;q=x,en;q=0.1"), Lang::En),
            (None, Some("*"), Lang::En),
            (None, Some(";;;,,,=q"), Lang::En),
            (None, Some("dea,end"), Lang::En),
        ] {
            assert_eq!(
                Lang::choose(asked, accepted),
                lang,
                "{asked:?} {accepted:?}"
            );
        }
    }

    #[test]
    fn every_word_is_said_in_both_languages() {
        for (name, en, de) in WORDS {
            assert!(!en.is_empty() && !de.is_empty(), "{name}");
            let same = en == de;
            assert_eq!(same, matches!(*name, "audio" | "video"), "{name}");
            // A sentence is one in both.
            assert_eq!(
                en.ends_with('.'),
                de.ends_with('.') || de.ends_with('?'),
                "{name}"
            );
        }
    }
}

//! A work as it may be shown now: what its record comes to for people.

use satchel_domain::{ledger::LedgerId, terms::Use, work::WorkState};
use satchel_wire::api::{Record, VersionRecord};

use crate::{copies::Copies, lang::Lang, price::dollars};

/// A work as it may be shown now.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub record: &'a Record,
    pub lang: Lang,
    /// As in `data-state`.
    pub state: &'static str,
    pub status: u16,
    pub title: &'a str,
    /// What is said instead of a price.
    pub says: &'static str,
    /// The version owners can open.
    pub version: Option<&'a VersionRecord>,
    /// What the next copy costs.
    pub price: Option<String>,
    pub copies: Copies,
}

impl<'a> Shown<'a> {
    pub(crate) fn of(record: &'a Record, lang: Lang) -> Self {
        let version = record.versions.iter().find(|v| v.version == record.version);
        let copies = Copies::of(record);
        let (state, status, says) = match (record.state, version) {
            (WorkState::Published, Some(_)) if copies.sold_out() => {
                ("sold_out", 200, lang.sold_out())
            }
            (WorkState::Published, Some(_)) => ("published", 200, ""),
            // Published without a version can't be; if it were, it would not be on sale.
            (WorkState::Draft | WorkState::Published, _) => ("draft", 404, lang.draft()),
            (WorkState::Unpublished, _) => ("unpublished", 410, lang.unpublished()),
            (WorkState::TakenDown, _) => ("taken_down", 451, lang.taken_down()),
        };
        // The title may be what the notice was about.
        let down = state == "taken_down";
        let price = (state == "published").then(|| {
            if copies.free() {
                lang.free().to_owned()
            } else {
                dollars(lang, record.terms.usd_micros)
            }
        });
        Self {
            record,
            lang,
            state,
            status,
            title: if down {
                lang.taken_down_title()
            } else {
                &record.title
            },
            says,
            version: version.filter(|_| !down),
            price,
            copies,
        }
    }

    /// Whether it can be bought now.
    pub(crate) fn on_sale(&self) -> bool {
        self.price.is_some()
    }

    pub(crate) fn is_test(&self) -> bool {
        self.record.ledger == LedgerId::Test
    }

    /// What stands behind the price: which money, how many are left. What is free is in no money.
    pub(crate) fn money(&self) -> &'static str {
        if self.is_test() && self.on_sale() && !self.copies.free() {
            self.lang.test_money()
        } else {
            ""
        }
    }

    /// What is left; where there is room, also what comes after the free copies.
    pub(crate) fn left(&self, long: bool) -> Option<String> {
        if !self.on_sale() {
            return None;
        }
        let mut left = self.copies.left(self.lang, long)?;
        if long && self.copies.free() {
            let mut then = dollars(self.lang, self.record.terms.usd_micros);
            if self.is_test() {
                then = format!("{then} {}", self.lang.test_money());
            }
            left.push_str(&self.lang.then(&then));
        }
        Some(left)
    }

    /// What the button says before anything is known of the visitor; none where there is nothing to press.
    pub(crate) fn action(&self) -> Option<String> {
        match &self.price {
            Some(_) if self.copies.free() => Some(self.lang.get_free().to_owned()),
            Some(price) => Some(self.lang.buy(price)),
            // Owners go on from here.
            None if self.version.is_some() && self.state != "draft" => {
                Some(self.lang.open().to_owned())
            }
            None => None,
        }
    }

    /// A word for the icon.
    pub(crate) fn kind(&self) -> &'static str {
        self.version.map_or("file", |v| kind(&v.media_type))
    }

    /// What it is, in a sentence. The media type itself is a stranger's text and is not shown.
    pub(crate) fn about(&self, host: &str) -> String {
        let lang = self.lang;
        let kind = match self.kind() {
            "audio" => lang.audio(),
            "video" => lang.video(),
            "image" => lang.picture(),
            "text" => lang.text(),
            _ => lang.a_file(),
        };
        let way = if self.record.terms.usage == Use::Stream {
            lang.to_play()
        } else {
            lang.to_keep()
        };
        let offer = match &self.price {
            Some(_) if self.copies.free() => lang.offer_free().to_owned(),
            Some(price) => lang.offer_for(price),
            None => lang.offer_sold_out().to_owned(),
        };
        lang.about(kind, way, &offer, host)
    }
}

/// A media type in one word.
fn kind(media_type: &str) -> &'static str {
    match media_type.split('/').next().unwrap_or_default() {
        "audio" => "audio",
        "video" => "video",
        "image" => "image",
        "text" => "text",
        _ => "file",
    }
}

//! How a work is offered.

use serde::Serialize;

use crate::money::{MAX_PRICE_USD_MICROS, MIN_PRICE_USD_MICROS};

/// Most copies that a giveaway or a limited edition may have.
pub const MAX_COPIES: u32 = 1_000_000;

/// What a buyer may do with a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// The content key is handed over: play, save, keep.
    Download,
    /// Only window keys are handed over, as they are played.
    Stream,
}
satchel_json::read_names!(Use { Download = "download", Stream = "stream" });

impl Use {
    /// As written in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Stream => "stream",
        }
    }
}

/// The terms of a work. Members are in the order of their canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// How many copies are given away free, first come, first served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub giveaway: Option<u32>,
    /// How many copies there are at all, free ones among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether a buyer may pay more than the price.
    pub pay_more: bool,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// What a buyer may do with it.
    #[serde(rename = "use")]
    pub usage: Use,
}
satchel_json::read!(Terms { giveaway, limit, pay_more, usd_micros, usage = "use" });

/// The price or the number of copies is outside what Satchel sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTerms;

impl Terms {
    /// Checks the price, $0.0001 to $10,000, and the copies, 1 to [`MAX_COPIES`].
    pub fn check(&self) -> Result<(), BadTerms> {
        let priced = (MIN_PRICE_USD_MICROS..=MAX_PRICE_USD_MICROS).contains(&self.usd_micros);
        let counted = [self.giveaway, self.limit]
            .iter()
            .flatten()
            .all(|copies| (1..=MAX_COPIES).contains(copies));
        if priced && counted {
            Ok(())
        } else {
            Err(BadTerms)
        }
    }

    /// Whether copies are counted at all.
    #[must_use]
    pub fn counted(&self) -> bool {
        self.giveaway.is_some() || self.limit.is_some()
    }

    /// The amount due when the buyer offers `offered` (or nothing in particular); `free` says whether
    /// a copy of the giveaway is left.
    pub fn due(&self, offered: Option<u64>, free: bool) -> Result<u64, BadTerms> {
        match offered {
            None | Some(0) if free => Ok(0),
            None => Ok(self.usd_micros),
            Some(usd) if usd == self.usd_micros => Ok(usd),
            Some(usd) if self.pay_more && usd > self.usd_micros && usd <= MAX_PRICE_USD_MICROS => {
                Ok(usd)
            }
            Some(_) => Err(BadTerms),
        }
    }

    /// RFC 8785 form, whose SHA-256 is the terms digest.
    #[must_use]
    pub fn canonical(&self) -> String {
        let copies =
            |name: &str, n: Option<u32>| n.map_or(String::new(), |n| format!("\"{name}\":{n},"));
        format!(
            r#"{{{}{}"pay_more":{},"usd_micros":{},"use":"{}"}}"#,
            copies("giveaway", self.giveaway),
            copies("limit", self.limit),
            self.pay_more,
            self.usd_micros,
            self.usage.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        giveaway: None,
        limit: None,
        pay_more: false,
        usd_micros: 250_000,
        usage: Use::Download,
    };

    #[test]
    fn prices_below_a_hundredth_of_a_cent_are_refused() {
        assert!(TERMS.check().is_ok());
        assert_eq!(
            Terms {
                usd_micros: 99,
                ..TERMS
            }
            .check(),
            Err(BadTerms)
        );
        assert_eq!(
            Terms {
                usd_micros: 10_000_000_001,
                ..TERMS
            }
            .check(),
            Err(BadTerms)
        );
    }

    #[test]
    fn paying_more_needs_the_creators_wish_and_less_is_never_enough() {
        assert_eq!(TERMS.due(None, false), Ok(250_000));
        assert_eq!(TERMS.due(Some(250_001), false), Err(BadTerms));
        let more = Terms {
            pay_more: true,
            ..TERMS
        };
        assert_eq!(more.due(Some(250_001), false), Ok(250_001));
        assert_eq!(more.due(Some(249_999), false), Err(BadTerms));
    }

    #[test]
    fn canonical_form_is_pinned() {
        assert_eq!(
            TERMS.canonical(),
            r#"{"pay_more":false,"usd_micros":250000,"use":"download"}"#
        );
        let counted = Terms {
            giveaway: Some(10),
            limit: Some(100),
            ..TERMS
        };
        assert_eq!(
            counted.canonical(),
            r#"{"giveaway":10,"limit":100,"pay_more":false,"usd_micros":250000,"use":"download"}"#
        );
    }

    #[test]
    fn a_copy_of_the_giveaway_costs_nothing_unless_the_buyer_wants_to_pay() {
        let given = Terms {
            giveaway: Some(1),
            ..TERMS
        };
        assert_eq!(given.due(None, true), Ok(0));
        assert_eq!(given.due(Some(0), true), Ok(0));
        assert_eq!(given.due(Some(250_000), true), Ok(250_000));
        assert_eq!(given.due(None, false), Ok(250_000));
        assert_eq!(given.due(Some(0), false), Err(BadTerms));
    }

    #[test]
    fn copies_are_counted_from_one_to_a_million() {
        for (copies, fine) in [
            (0, false),
            (1, true),
            (MAX_COPIES, true),
            (MAX_COPIES + 1, false),
        ] {
            let copies = Some(copies);
            assert_eq!(
                Terms {
                    giveaway: copies,
                    ..TERMS
                }
                .check()
                .is_ok(),
                fine
            );
            assert_eq!(
                Terms {
                    limit: copies,
                    ..TERMS
                }
                .check()
                .is_ok(),
                fine
            );
        }
    }
}

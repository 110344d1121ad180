//! How a work is offered.

use serde::Serialize;

use crate::money::{MAX_PRICE_USD_MICROS, MIN_PRICE_USD_MICROS};

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
    /// Whether a buyer may pay more than the price.
    pub pay_more: bool,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// What a buyer may do with it.
    #[serde(rename = "use")]
    pub usage: Use,
}
satchel_json::read!(Terms { pay_more, usd_micros, usage = "use" });

/// The price is outside what Satchel sells for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTerms;

impl Terms {
    /// Checks the price: $0.0001 to $10,000.
    pub fn check(&self) -> Result<(), BadTerms> {
        if (MIN_PRICE_USD_MICROS..=MAX_PRICE_USD_MICROS).contains(&self.usd_micros) {
            Ok(())
        } else {
            Err(BadTerms)
        }
    }

    /// The amount due when the buyer offers `offered` (or nothing in particular).
    pub fn due(&self, offered: Option<u64>) -> Result<u64, BadTerms> {
        match offered {
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
        format!(
            r#"{{"pay_more":{},"usd_micros":{},"use":"{}"}}"#,
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
        assert_eq!(TERMS.due(None), Ok(250_000));
        assert_eq!(TERMS.due(Some(250_001)), Err(BadTerms));
        let more = Terms {
            pay_more: true,
            ..TERMS
        };
        assert_eq!(more.due(Some(250_001)), Ok(250_001));
        assert_eq!(more.due(Some(249_999)), Err(BadTerms));
    }

    #[test]
    fn canonical_form_is_pinned() {
        assert_eq!(
            TERMS.canonical(),
            r#"{"pay_more":false,"usd_micros":250000,"use":"download"}"#
        );
    }
}

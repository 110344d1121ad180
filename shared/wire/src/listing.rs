//! How a work is presented: what its creator may say of it beside the terms.

use satchel_domain::{
    id::{Digest, WorkId},
    money::MAX_PRICE_USD_MICROS,
    terms::Terms,
};
use serde::Serialize;

use crate::{ApiError, ErrorCode, Result};

/// Longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;
/// Most amounts suggested to buyers who may pay more.
pub const MAX_SUGGESTED: usize = 4;
/// Longest payment pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 500;
/// Longest side of a cover, in pixels.
pub const MAX_COVER_SIDE: u32 = 10_000;
/// Largest cover, in bytes.
pub const MAX_COVER_BYTES: u64 = 1 << 20;

/// What is shown with a work. Public; a part of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Plain text, 1 to 2,000 characters; line breaks are the only control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A picture in our storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<Picture>,
    /// Amounts offered beside the price, millionths of a dollar, ascending; only with `pay_more`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggest: Option<Vec<u64>>,
    /// Payment pointer for Web Monetization, an `https:` address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monetization: Option<String>,
    /// Whether standard players may play a streamed work: the issuer's edge then decrypts it for
    /// them, and sees the content in passing (docs/STREAMING.md). Off unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls: Option<bool>,
}
satchel_json::read!(Listing {
    description,
    cover,
    suggest,
    monetization,
    hls
});

/// A cover as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// [`cover_url`].
    pub url: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `image/webp`, `image/jpeg` or `image/png`.
    pub media_type: String,
}
satchel_json::read!(Picture {
    url,
    width,
    height,
    media_type
});

/// The ending of a cover's name, if it may be one.
#[must_use]
pub fn cover_ending(media_type: &str) -> Option<&'static str> {
    match media_type {
        "image/webp" => Some("webp"),
        "image/jpeg" => Some("jpg"),
        "image/png" => Some("png"),
        _ => None,
    }
}

/// Where a cover lies in the storage, named by its bytes' SHA-256: `{work}/cover-{hash}.{ending}`.
#[must_use]
pub fn cover_key(work: &WorkId, sha256: &Digest, media_type: &str) -> Option<String> {
    let ending = cover_ending(media_type)?;
    Some(format!("{work}/cover-{}.{ending}", sha256.as_str()))
}

impl Picture {
    /// Whether it is a cover that was uploaded for this work.
    fn is_cover(&self, issuer: &str, work: &WorkId) -> bool {
        let side = 1..=MAX_COVER_SIDE;
        let name = self.url.strip_prefix(issuer);
        let name = name.and_then(|rest| rest.strip_prefix(&format!("/f/{work}/cover-")[..]));
        let ending = cover_ending(&self.media_type);
        side.contains(&self.width)
            && side.contains(&self.height)
            && name
                .and_then(|name| name.split_once('.'))
                .is_some_and(|(hash, rest)| Some(rest) == ending && Digest::parse(hash).is_ok())
    }
}

impl Listing {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.description.is_none()
            && self.cover.is_none()
            && self.suggest.is_none()
            && self.monetization.is_none()
            && self.hls != Some(true)
    }

    /// Checks what a creator asks to be shown.
    pub fn check(&self, terms: &Terms, issuer: &str, work: &WorkId) -> Result<()> {
        let wrong = |what: &str| Err(ApiError::new(ErrorCode::Malformed, what));
        if let Some(text) = &self.description {
            let chars = text.chars().count();
            let plain = text.split('\n').all(satchel_json::is_plain) && !text.trim().is_empty();
            if chars > MAX_DESCRIPTION_CHARS || !plain {
                return wrong("a description has 1 to 2,000 characters");
            }
        }
        if self
            .cover
            .as_ref()
            .is_some_and(|it| !it.is_cover(issuer, work))
        {
            return wrong("a cover is uploaded with the command `cover` first");
        }
        if let Some(suggest) = &self.suggest {
            let mut least = terms.usd_micros;
            for amount in suggest {
                if *amount < least || *amount > MAX_PRICE_USD_MICROS {
                    return wrong("suggested amounts ascend from the price");
                }
                least = amount.saturating_add(1);
            }
            if !terms.pay_more || suggest.is_empty() || suggest.len() > MAX_SUGGESTED {
                return wrong("1 to 4 amounts are suggested, where buyers may pay more");
            }
        }
        if self.monetization.as_ref().is_some_and(|it| !is_pointer(it)) {
            return wrong("a payment pointer is an https: address");
        }
        Ok(())
    }
}

/// Whether a text is an `https:` address that can stand in a page as it is.
fn is_pointer(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
    text.len() <= MAX_POINTER_BYTES
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.bytes().all(named)
        && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use satchel_domain::terms::Use;

    use super::*;

    const ISSUER: &str = "https://satchel.example";

    fn work() -> WorkId {
        WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap()
    }

    fn check(json: &str, pay_more: bool) -> bool {
        let terms = Terms {
            giveaway: None,
            limit: None,
            pay_more,
            usd_micros: 500,
            usage: Use::Download,
        };
        let listing: Listing = satchel_json::from_slice(json.as_bytes()).unwrap();
        listing.check(&terms, ISSUER, &work()).is_ok()
    }

    #[test]
    fn a_description_is_plain_text_with_line_breaks() {
        assert!(check(r#"{"description":"Tide\nand ebb <b>"}"#, false));
        let long = format!(r#"{{"description":"{}"}}"#, "é".repeat(2_001));
        for bad in [
            r#"{"description":""}"#,
            r#"{"description":" \n "}"#,
            r#"{"description":"a\u0007"}"#,
            r#"{"description":"a\u202eb"}"#,
            &long,
        ] {
            assert!(!check(bad, false), "{bad}");
        }
        assert!(check(&long.replacen('é', "", 1), false));
    }

    #[test]
    fn suggested_amounts_ascend_from_the_price_where_buyers_may_pay_more() {
        assert!(check(r#"{"suggest":[500,1000,2000,10000000000]}"#, true));
        for bad in [
            "[]",
            "[499]",
            "[600,600]",
            "[700,600]",
            "[1000,2000,3000,4000,5000]",
            "[10000000001]",
        ] {
            assert!(!check(&format!(r#"{{"suggest":{bad}}}"#), true), "{bad}");
        }
        assert!(!check(r#"{"suggest":[600]}"#, false));
    }

    #[test]
    fn a_cover_is_the_works_own_in_our_storage() {
        let hash = format!("{}A", "h".repeat(42));
        let digest = Digest::parse(&hash).unwrap();
        let key = cover_key(&work(), &digest, "image/png").unwrap();
        let good = format!(
            r#"{{"cover":{{"url":"{ISSUER}/f/{key}","width":1200,"height":800,"media_type":"image/png"}}}}"#
        );
        assert!(check(&good, false));
        for (from, to) in [
            ("https://satchel.example", "https://else.example"),
            ("https://satchel.example", "https://satchel.example.else"),
            ("/f/wrk_a", "/f/wrk_b"),
            ("cover-h", "cover-../h"),
            (".png", ".jpg"),
            (".png", ".png?x"),
            ("image/png", "image/svg+xml"),
            ("1200", "0"),
            ("800", "10001"),
        ] {
            assert!(good.contains(from));
            assert!(!check(&good.replacen(from, to, 1), false), "{to}");
        }
    }

    #[test]
    fn a_payment_pointer_is_an_https_address_without_anything_odd() {
        for good in ["https://ilp.example/alice", "https://w.example"] {
            assert!(check(&format!(r#"{{"monetization":"{good}"}}"#), false));
        }
        let long = format!("https://w.example/{}", "a".repeat(500));
        for bad in [
            "http://ilp.example/alice",
            "$ilp.example/alice",
            "https://",
            "https:///x",
            "https://a b",
            "https://u@ilp.example/",
            "https://w.example/<script>",
            "javascript:alert(1)",
            &long,
        ] {
            let json = format!(r#"{{"monetization":"{bad}"}}"#);
            assert!(!check(&json, false), "{bad}");
        }
    }

    #[test]
    fn a_listing_that_says_nothing_is_none() {
        let empty: Listing = satchel_json::from_slice(b"{}").unwrap();
        assert!(empty.is_empty());
    }
}

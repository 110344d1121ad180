//! Quotes: a price in both moneys held for some minutes, authenticated by HMAC, stored nowhere.

use satchel_crypto::{Key32, b64, hmac_sha256, hmac_verify};
use satchel_domain::{
    id::{Digest, WorkId},
    ledger::{LedgerId, Quoted},
    money::Msat,
};
use satchel_json::{self as json, FromJson};
use serde::Serialize;

use crate::{ErrorCode, Result};

/// How long a quote holds, seconds.
pub const QUOTE_LIFE_S: u64 = 300;
/// Longest quote that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 2048;
const PURPOSE: &[u8] = b"satchel/v1 quote\0";

/// The rate a quote was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotedRate {
    /// Millionths of a dollar for a bitcoin.
    pub usd_micros_per_btc: u64,
    /// When it was true, Unix seconds.
    pub time: u64,
}
satchel_json::read!(QuotedRate {
    usd_micros_per_btc,
    time
});

/// What a quote holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The issuer.
    pub aud: String,
    /// The work.
    pub work: WorkId,
    /// Its version.
    pub version: u32,
    /// Its terms.
    pub terms_digest: Digest,
    /// Millionths of a dollar.
    pub usd_micros: u64,
    /// Millisatoshi.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
    /// The rate.
    pub rate: QuotedRate,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(Quote {
    aud,
    work,
    version,
    terms_digest,
    usd_micros,
    msat,
    ledger,
    rate,
    exp
});

impl Quote {
    /// As the ledger compares it with an order.
    #[must_use]
    pub fn quoted(&self) -> Quoted {
        Quoted {
            work: self.work.clone(),
            version: self.version,
            terms_digest: self.terms_digest.clone(),
            usd_micros: self.usd_micros,
            msat: self.msat,
            ledger: self.ledger,
            expires: self.exp,
        }
    }

    /// The token a client carries.
    pub fn issue(&self, key: &Key32) -> Result<String> {
        issue_token(key, PURPOSE, self)
    }

    /// Reads a token of this issuer; the expiry is left to the ledger's precedence.
    pub fn verify(token: &str, key: &Key32, issuer: &str) -> Result<Self> {
        let quote: Self =
            verify_token(key, PURPOSE, token, MAX_TOKEN_BYTES).ok_or(ErrorCode::QuoteInvalid)?;
        if quote.aud == issuer {
            Ok(quote)
        } else {
            Err(ErrorCode::QuoteInvalid.into())
        }
    }
}

/// `b64u(JSON).b64u(HMAC-SHA-256(key, purpose ‖ JSON))`.
pub(crate) fn issue_token<T: Serialize>(key: &Key32, purpose: &[u8], body: &T) -> Result<String> {
    let json = json::to_vec(body).map_err(|_| ErrorCode::Internal)?;
    let tag = hmac_sha256(key, &[purpose, &json].concat());
    Ok(format!("{}.{}", b64::encode(&json), b64::encode(&tag)))
}

/// Reads such a token; `None` for anything not made with this key and purpose.
pub(crate) fn verify_token<T: FromJson>(
    key: &Key32,
    purpose: &[u8],
    token: &str,
    most: usize,
) -> Option<T> {
    if token.len() > most {
        return None;
    }
    let (json, tag) = token.split_once('.')?;
    let (json, tag) = (b64::decode(json).ok()?, b64::decode(tag).ok()?);
    if !hmac_verify(key, &[purpose, &json].concat(), &tag) {
        return None;
    }
    json::from_slice(&json).ok()
}

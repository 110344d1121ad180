//! Orders: the buyer's signed agreement to a quote.

use satchel_crypto::sha256;
use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::{Agreement, LedgerId},
    money::Msat,
};
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Names, Unverified},
};

/// `typ` of an order.
pub const TYP: &str = "satchel-order+jws";
/// Bytes of the work tag at the head of an order id.
const TAG_BYTES: usize = 8;

/// A key confirmation (RFC 7800, RFC 9449 §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cnf {
    /// Thumbprint.
    pub jkt: Thumbprint,
}
satchel_json::read!(Cnf { jkt });

/// The payload of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The issuer.
    pub aud: String,
    /// Its id, made by the buyer before sending.
    pub order: OrderId,
    /// Who pays.
    pub account: AccountId,
    /// For what.
    pub work: WorkId,
    /// Which version.
    pub version: u32,
    /// Under which terms.
    pub terms_digest: Digest,
    /// Millionths of a dollar.
    pub usd_micros: u64,
    /// Millisatoshi.
    pub msat: Msat,
    /// The quote, as it was given.
    pub quote: String,
    /// The key the receipt is for.
    pub cnf: Cnf,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
    /// Which money.
    pub ledger: LedgerId,
}
satchel_json::read!(Order {
    aud,
    order,
    account,
    work,
    version,
    terms_digest,
    usd_micros,
    msat,
    quote,
    cnf,
    iat,
    exp,
    ledger
});

impl Order {
    /// What must be the same in a retry.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        Agreement {
            order: self.order.clone(),
            account: self.account.clone(),
            work: self.work.clone(),
            version: self.version,
            terms_digest: self.terms_digest.clone(),
            usd_micros: self.usd_micros,
            msat: self.msat,
            cnf: self.cnf.jkt.clone(),
            ledger: self.ledger,
        }
    }

    /// Whether the id carries the tag of the work. Checked for new orders only: a known id with
    /// another work is a conflict.
    pub fn check_tag(&self) -> Result<()> {
        let id = satchel_crypto::b32::decode(self.order.body()).unwrap_or_default();
        if id.get(..TAG_BYTES) == Some(&work_tag(&self.work)[..]) {
            Ok(())
        } else {
            Err(ApiError::new(
                ErrorCode::Malformed,
                "the order id is not one for this work",
            ))
        }
    }

    /// Checks the order's times as a new order must have them.
    pub fn check_shape(&self, issuer: &str, now_s: u64) -> Result<()> {
        jose::check_audience(&self.aud, issuer)?;
        let too_long = self.exp.saturating_sub(self.iat) > jose::MAX_LIFE_S;
        if too_long || self.iat > now_s.saturating_add(jose::MAX_SKEW_S) || self.exp < self.iat {
            return Err(ApiError::new(
                ErrorCode::Malformed,
                "iat and exp are not as documented",
            ));
        }
        Ok(())
    }
}

/// The first 8 bytes of SHA-256 of the work id: lets an account find what it owns by key.
#[must_use]
pub fn work_tag(work: &WorkId) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    tag.iter_mut()
        .zip(sha256(work.as_str().as_bytes()))
        .for_each(|(t, b)| *t = b);
    tag
}

/// An order id for `work` from 12 random bytes.
pub fn new_id(work: &WorkId, random: [u8; 12]) -> Result<OrderId> {
    let id = [&work_tag(work)[..], &random].concat();
    OrderId::parse(&format!(
        "{}{}",
        OrderId::PREFIX,
        satchel_crypto::b32::encode(&id)
    ))
    .map_err(|_| ErrorCode::Internal.into())
}

/// Reads an order without believing it; `header.kid` names the signer.
pub fn read(token: &str) -> Result<Unverified<'_, Order>> {
    jose::read(token, TYP, Names::Kid)
}

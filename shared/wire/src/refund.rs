//! Refunds: the payee gives money back for one purchase.

use satchel_crypto::{b32, hash::sha256_parts};
use satchel_domain::{
    id::{AccountId, OrderId, RefundId},
    ledger::LedgerId,
    money::Msat,
};
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Names, Unverified},
};

/// `typ` of a refund.
pub const TYP: &str = "satchel-refund+jws";
/// Most refunds of one purchase.
pub const MAX_SEQ: u32 = 1_000;
const PURPOSE: &[u8] = b"satchel/v1 refund\0";

/// The payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refund {
    /// The issuer.
    pub aud: String,
    /// Who was paid and pays back.
    pub account: AccountId,
    /// The purchase's handle, as receipts and sales name it.
    pub purchase: String,
    /// Which refund of this purchase: 1 for the first. With the order it makes the refund's id, so
    /// that a retry is harmless.
    pub seq: u32,
    /// How much, gross: at most what was paid and is not yet paid back.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(Refund {
    aud,
    account,
    purchase,
    seq,
    msat,
    ledger,
    iat,
    exp
});

impl Refund {
    /// Checks what does not depend on the account.
    pub fn check_shape(&self, issuer: &str, now_s: u64) -> Result<()> {
        jose::check_audience(&self.aud, issuer)?;
        jose::check_life(self.iat, self.exp, now_s)?;
        if self.seq == 0 || self.seq > MAX_SEQ || self.msat == Msat::ZERO {
            return Err(ApiError::new(
                ErrorCode::Malformed,
                "seq is 1 to 1,000, msat at least 1",
            ));
        }
        Ok(())
    }
}

/// Reads a refund without believing it; `header.kid` names the signer.
pub fn read(token: &str) -> Result<Unverified<'_, Refund>> {
    jose::read(token, TYP, Names::Kid)
}

/// The id of the `seq`-th refund of an order: SHA-256 of both, 20 bytes.
pub fn id(order: &OrderId, seq: u32) -> Result<RefundId> {
    let digest = sha256_parts(&[PURPOSE, order.as_str().as_bytes(), &seq.to_be_bytes()]);
    let body = b32::encode(digest.get(..20).unwrap_or_default());
    RefundId::parse(&format!("{}{body}", RefundId::PREFIX)).map_err(|_| ErrorCode::Internal.into())
}

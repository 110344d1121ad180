//! Delegations: the root key lets another key act for its account.

use satchel_crypto::ed25519::Verifier;
use satchel_domain::{id::AccountId, ledger, money::Msat};
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Jwk, Names, Unverified},
};

/// `typ` of a delegation.
pub const TYP: &str = "satchel-delegation+jws";

/// Longest encrypted seed, in characters.
pub const MAX_BACKUP: usize = 256;

/// What a delegated key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sign orders; take test money.
    Spend,
    /// Read balance and purchases.
    Read,
}
satchel_json::read_names!(Scope { Spend = "spend", Read = "read" });

/// The payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delegation {
    /// The issuer.
    pub aud: String,
    /// Thumbprint of `root`.
    pub account: AccountId,
    /// The root key, which signs.
    pub root: Jwk,
    /// The key that may act.
    pub key: Jwk,
    /// What it may do.
    pub scope: Vec<Scope>,
    /// Most that one order may cost.
    pub max_order_msat: Option<Msat>,
    /// Most that all its orders together may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_total_msat: Option<Msat>,
    /// Most that its orders of one day (UTC) may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_day_msat: Option<Msat>,
    /// The wallet's seed, encrypted, kept for this key to read: base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// The account's epoch.
    pub epoch: u64,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(Delegation {
    aud,
    account,
    root,
    key,
    scope,
    max_order_msat,
    max_total_msat,
    max_day_msat,
    backup,
    epoch,
    iat,
    exp
});

/// Reads a delegation without verifying it.
pub fn read(token: &str) -> Result<Unverified<'_, Delegation>> {
    jose::read(token, TYP, Names::Nobody)
}

/// Verifies a delegation: signed by the key whose thumbprint is the account.
pub async fn verify(
    verifier: &impl Verifier,
    token: &str,
    issuer: &str,
    now_s: u64,
) -> Result<Delegation> {
    let unverified = read(token)?;
    let root = unverified.claims.root.key()?;
    let claims = unverified.verify(verifier, &root).await?;
    jose::check_audience(&claims.aud, issuer)?;
    if claims.account.as_str() != root.jkt() {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "the account is not that of this root key",
        ));
    }
    claims.key.key()?;
    claims.check()?;
    // From the future it could never be replaced by a newer one.
    if claims.iat > now_s.saturating_add(jose::MAX_SKEW_S) {
        return Err(ApiError::new(ErrorCode::Malformed, "iat is in the future"));
    }
    Ok(claims)
}

impl Delegation {
    /// Checks the limits that its type does not have.
    pub fn check(&self) -> Result<()> {
        if self.backup.as_ref().is_some_and(|b| b.len() > MAX_BACKUP) {
            return Err(ApiError::new(ErrorCode::Malformed, "not a backup"));
        }
        Ok(())
    }

    /// As the ledger keeps it.
    #[must_use]
    pub fn kept(&self) -> ledger::Delegation {
        ledger::Delegation {
            epoch: self.epoch,
            issued: self.iat,
            expires: self.exp,
            spend: self.scope.contains(&Scope::Spend),
            read: self.scope.contains(&Scope::Read),
            max_order: self.max_order_msat,
            max_total: self.max_total_msat,
            max_day: self.max_day_msat,
            backup: self.backup.clone(),
        }
    }
}

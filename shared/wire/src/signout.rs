//! "Sign out everywhere": the root key ends every delegation by advancing the account's epoch.

use satchel_crypto::ed25519::Verifier;
use satchel_domain::{id::AccountId, money::MAX_MSAT};
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Jwk, Names},
};

/// `typ` of a sign-out.
pub const TYP: &str = "satchel-signout+jws";

/// The payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignOut {
    /// The issuer.
    pub aud: String,
    /// Thumbprint of `root`.
    pub account: AccountId,
    /// The root key, which signs.
    pub root: Jwk,
    /// The new epoch: one more than the account's. The same again changes nothing.
    pub epoch: u64,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(SignOut {
    aud,
    account,
    root,
    epoch,
    iat,
    exp
});

/// Verifies a sign-out: signed by the key whose thumbprint is the account.
pub async fn verify(
    verifier: &impl Verifier,
    token: &str,
    issuer: &str,
    now_s: u64,
) -> Result<SignOut> {
    let unverified = jose::read::<SignOut>(token, TYP, Names::Nobody)?;
    let root = unverified.claims.root.key()?;
    let claims = unverified.verify(verifier, &root).await?;
    jose::check_audience(&claims.aud, issuer)?;
    jose::check_life(claims.iat, claims.exp, now_s)?;
    if claims.account.as_str() != root.jkt() {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "the account is not that of this root key",
        ));
    }
    if claims.epoch == 0 || claims.epoch > MAX_MSAT {
        return Err(ApiError::new(ErrorCode::Malformed, "not an epoch"));
    }
    Ok(claims)
}

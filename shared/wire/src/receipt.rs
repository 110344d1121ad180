//! Receipts: the issuer's signed statement of a purchase for one key.

use satchel_crypto::{
    b32,
    ed25519::{PublicKey, SigningKey, Verifier},
    hash::sha256_parts,
};
use satchel_domain::{
    id::{Digest, Thumbprint, WorkId},
    ledger::LedgerId,
    money::Msat,
    terms::Use,
};
use serde::Serialize;

use crate::{
    ErrorCode, Result,
    internal::Transfer,
    jose::{self, Jwk, Names},
    order::Cnf,
    quote::QuotedRate,
};

/// `typ` of a receipt.
pub const TYP: &str = "satchel-receipt+jws";

/// The claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The issuer.
    pub iss: String,
    /// The issuer again: who is to act on it.
    pub aud: String,
    /// The key it is for.
    pub sub: Thumbprint,
    /// `rcp_` + base32 of 20 bytes.
    pub jti: String,
    /// Unix seconds of the posting.
    pub iat: u64,
    /// The work.
    pub work: WorkId,
    /// Its version when bought.
    pub version: u32,
    /// Its manifest then.
    pub manifest_digest: Digest,
    /// What may be done.
    pub rights: Use,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// Price in millisatoshi.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
    /// The rate of the quote.
    pub rate: QuotedRate,
    /// The purchase, opaque.
    pub handle: String,
    /// The key it is for.
    pub cnf: Cnf,
}
satchel_json::read!(Receipt {
    iss,
    aud,
    sub,
    jti,
    iat,
    work,
    version,
    manifest_digest,
    rights,
    usd_micros,
    msat,
    ledger,
    rate,
    handle,
    cnf
});

impl Receipt {
    /// The receipt of a posted transfer: a pure function, so that a retry gives the same claims.
    #[must_use]
    pub fn of(transfer: &Transfer, issuer: &str) -> Self {
        let agreement = &transfer.agreement;
        let id = sha256_parts(&[
            b"satchel/v1 receipt\0",
            agreement.order.as_str().as_bytes(),
            agreement.cnf.as_str().as_bytes(),
        ]);
        let id = id.get(..20).unwrap_or_default();
        Self {
            iss: issuer.into(),
            aud: issuer.into(),
            sub: agreement.cnf.clone(),
            jti: format!("rcp_{}", b32::encode(id)),
            iat: transfer.time,
            work: agreement.work.clone(),
            version: agreement.version,
            manifest_digest: transfer.manifest_digest.clone(),
            rights: transfer.usage,
            usd_micros: agreement.usd_micros,
            msat: agreement.msat,
            ledger: agreement.ledger,
            rate: transfer.rate.clone(),
            handle: transfer.handle.clone(),
            cnf: Cnf {
                jkt: agreement.cnf.clone(),
            },
        }
    }

    /// Signs it; `kid` is the version of the key, which names it in the JWKS.
    pub fn sign(&self, kid: &str, key: &SigningKey) -> Result<String> {
        jose::sign(key, TYP, Some(kid), None, self)
    }
}

/// Verifies a receipt with the issuer's published keys; never says which check failed.
pub async fn verify(
    verifier: &impl Verifier,
    token: &str,
    issuer: &str,
    jwks: &Jwks,
) -> Result<Receipt> {
    let invalid = || ErrorCode::ReceiptInvalid;
    let unverified = jose::read::<Receipt>(token, TYP, Names::Kid).map_err(|_| invalid())?;
    let kid = unverified.header.kid.clone().ok_or_else(invalid)?;
    let key = jwks
        .keys
        .iter()
        .find(|key| key.kid == kid)
        .ok_or_else(invalid)?;
    let key: PublicKey = key.jwk().key().map_err(|_| invalid())?;
    let receipt = unverified
        .verify(verifier, &key)
        .await
        .map_err(|_| invalid())?;
    let named = receipt.iss == issuer && receipt.aud == issuer && receipt.sub == receipt.cnf.jkt;
    if !named || !is_handle(&receipt.handle) {
        return Err(invalid().into());
    }
    Ok(receipt)
}

/// Whether the text can be a purchase's handle: `pur_` and at most 256 characters of base64url. It
/// goes into paths between workers, so nothing else may.
#[must_use]
pub fn is_handle(text: &str) -> bool {
    text.strip_prefix("pur_").is_some_and(|body| {
        (1..=256).contains(&body.len())
            && body
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// A published key (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedKey {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key.
    pub x: String,
    /// Its name.
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}
satchel_json::read!(PublishedKey { kty, crv, x, kid, alg, usage = "use", .. });

impl PublishedKey {
    /// Publishes a key under a name.
    #[must_use]
    pub fn of(kid: &str, key: &PublicKey) -> Self {
        let Jwk { kty, crv, x } = Jwk::of(key);
        Self {
            kty,
            crv,
            x,
            kid: kid.into(),
            alg: "EdDSA".into(),
            usage: "sig".into(),
        }
    }

    fn jwk(&self) -> Jwk {
        Jwk {
            kty: self.kty.clone(),
            crv: self.crv.clone(),
            x: self.x.clone(),
        }
    }
}

/// `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<PublishedKey>,
}
satchel_json::read!(Jwks { keys, .. });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_cannot_leave_its_place_in_a_path() {
        assert!(is_handle("pur_AZaz09-_"));
        for bad in [
            "",
            "pur_",
            "pur_../works",
            "pur_a/b",
            "pur_a?b",
            "pur_%2e",
            "AAAA",
        ] {
            assert!(!is_handle(bad), "{bad}");
        }
        assert!(!is_handle(&format!("pur_{}", "A".repeat(257))));
    }
}

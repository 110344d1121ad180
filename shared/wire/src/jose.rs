//! Signed documents: compact JWS with EdDSA, strict headers, strict payloads.

use satchel_crypto::{
    ed25519::{PublicKey, SigningKey, Verifier},
    jws::{self, Parsed},
};
use satchel_json::{self as json, FromJson};
use serde::Serialize;

use crate::{ApiError, ErrorCode, Result};

/// Longest life a client may give an order or command, seconds.
pub const MAX_LIFE_S: u64 = 3_600;
/// How far a client's clock may be ahead of ours, seconds.
pub const MAX_SKEW_S: u64 = 300;

/// An Ed25519 public key as JWK (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key, base64url.
    pub x: String,
}
satchel_json::read!(Jwk { kty, crv, x });

impl Jwk {
    /// Of a key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: key.to_b64(),
        }
    }

    /// The key, if it is a usable Ed25519 key.
    pub fn key(&self) -> Result<PublicKey> {
        if self.kty != "OKP" || self.crv != "Ed25519" {
            return Err(ApiError::new(
                ErrorCode::Malformed,
                "the key is not Ed25519",
            ));
        }
        PublicKey::from_b64(&self.x)
            .map_err(|_| ApiError::new(ErrorCode::Malformed, "the key is not Ed25519"))
    }
}

/// A protected header. Members other than these are refused, `crit`, `jku` and `x5u` among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    /// `EdDSA`.
    pub alg: String,
    /// What kind of document.
    pub typ: String,
    /// The signer's thumbprint, where the kind has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The signer's key, in proofs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwk: Option<Jwk>,
}
satchel_json::read!(Header { alg, typ, kid, jwk });

/// Which optional members a kind's header has: exactly these, no fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Neither `kid` nor `jwk`.
    Nobody,
    /// `kid`.
    Kid,
    /// `jwk`.
    Jwk,
}

/// A document read but not yet verified. The payload says who claims to have signed it.
#[derive(Debug)]
pub struct Unverified<'a, T> {
    parsed: Parsed<'a>,
    /// The header, checked for its kind.
    pub header: Header,
    /// The payload, not to be believed before [`Unverified::verify`].
    pub claims: T,
}

/// Reads a document of kind `typ`.
pub fn read<'a, T: FromJson>(token: &'a str, typ: &str, names: Names) -> Result<Unverified<'a, T>> {
    let (parsed, header) = open(token, typ, names)?;
    let claims = json::from_slice(&parsed.payload).map_err(|error| malformed(typ, &error))?;
    Ok(Unverified {
        parsed,
        header,
        claims,
    })
}

fn open<'a>(token: &'a str, typ: &str, names: Names) -> Result<(Parsed<'a>, Header)> {
    let parsed = Parsed::parse(token).map_err(|_| malformed(typ, &"not a compact JWS"))?;
    let header: Header = json::from_slice(&parsed.header)
        .map_err(|error| malformed(typ, &format!("unexpected header: {error}")))?;
    let has = (header.kid.is_some(), header.jwk.is_some());
    let wanted = match names {
        Names::Nobody => (false, false),
        Names::Kid => (true, false),
        Names::Jwk => (false, true),
    };
    if header.alg != "EdDSA" || header.typ != typ || has != wanted {
        return Err(ApiError::new(
            ErrorCode::BadSignature,
            format!("{typ}: unexpected header"),
        ));
    }
    Ok((parsed, header))
}

fn malformed(typ: &str, what: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::Malformed, format!("{typ}: {what}"))
}

impl<T> Unverified<'_, T> {
    /// The payload's bytes as signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.parsed.payload
    }

    /// Believes the payload if `key` signed it.
    pub async fn verify(self, verifier: &impl Verifier, key: &PublicKey) -> Result<T> {
        if self.parsed.verify_by(verifier, key).await {
            Ok(self.claims)
        } else {
            Err(ErrorCode::BadSignature.into())
        }
    }
}

/// Signs `claims` as a document of kind `typ`.
pub fn sign<T: Serialize>(
    key: &SigningKey,
    typ: &str,
    kid: Option<&str>,
    jwk: Option<Jwk>,
    claims: &T,
) -> Result<String> {
    let header = Header {
        alg: "EdDSA".into(),
        typ: typ.into(),
        kid: kid.map(ToOwned::to_owned),
        jwk,
    };
    let header = json::to_string(&header).map_err(|_| ErrorCode::Internal)?;
    let claims = json::to_vec(claims).map_err(|_| ErrorCode::Internal)?;
    Ok(jws::sign(key, &header, &claims))
}

/// Checks `iat` and `exp` of a client's document: not from the future, not too long-lived, not over.
pub fn check_life(issued: u64, expires: u64, now_s: u64) -> Result<()> {
    let too_early = issued > now_s.saturating_add(MAX_SKEW_S);
    let too_long = expires.saturating_sub(issued) > MAX_LIFE_S;
    if too_early || too_long || expires < issued {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "iat and exp are not as documented",
        ));
    }
    if now_s >= expires {
        return Err(ApiError::new(
            ErrorCode::BadSignature,
            "this document has expired",
        ));
    }
    Ok(())
}

/// Checks the audience.
pub fn check_audience(audience: &str, issuer: &str) -> Result<()> {
    if audience == issuer {
        Ok(())
    } else {
        Err(ApiError::new(
            ErrorCode::BadSignature,
            "signed for another issuer",
        ))
    }
}

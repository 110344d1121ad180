//! Proof of possession (RFC 9449, DPoP): who sends a request holds the key it speaks of.

use satchel_crypto::{
    b64,
    ed25519::{SigningKey, Verifier},
    sha256,
};
use satchel_domain::id::Thumbprint;
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Jwk, MAX_SKEW_S, Names},
};

const TYP: &str = "dpop+jwt";
/// Longest `jti` that is accepted, in bytes.
const MAX_JTI_BYTES: usize = 128;

#[derive(Debug, Serialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
}
satchel_json::read!(Claims {
    jti,
    htm,
    htu,
    iat,
    ath
});

/// What a proof is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// HTTP method, upper case.
    pub method: &'a str,
    /// ISSUER + path, no query.
    pub url: &'a str,
    /// The token it goes with, if any.
    pub token: Option<&'a str>,
    /// Unix seconds.
    pub now_s: u64,
}

/// A verified proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The key that made it.
    pub key: Thumbprint,
    /// Its unique id, for remembering.
    pub jti: String,
    /// When it was made, Unix seconds.
    pub iat: u64,
}

impl Proven {
    /// Whether it is still good, as far as time goes.
    #[must_use]
    pub fn is_timely(&self, now_s: u64) -> bool {
        self.iat.abs_diff(now_s) <= MAX_SKEW_S
    }
}

/// Verifies a proof and says whose it is. Whether that key may act is the caller's question.
pub async fn verify(
    verifier: &impl Verifier,
    proof: &str,
    expected: &Expected<'_>,
) -> Result<Proven> {
    let invalid = |what: &str| ApiError::new(ErrorCode::ProofInvalid, what);
    let unverified = jose::read::<Claims>(proof, TYP, Names::Jwk)
        .map_err(|_| invalid("the proof is not of the documented shape"))?;
    let jwk = unverified
        .header
        .jwk
        .clone()
        .ok_or_else(|| invalid("no key"))?;
    let key = jwk.key().map_err(|_| invalid("the key is not Ed25519"))?;
    let claims = unverified
        .verify(verifier, &key)
        .await
        .map_err(|_| invalid("the signature does not verify"))?;
    if claims.htm != expected.method || claims.htu != expected.url {
        return Err(invalid("made for another request"));
    }
    if claims.iat.abs_diff(expected.now_s) > MAX_SKEW_S {
        return Err(invalid("made too long ago, or your clock is wrong"));
    }
    let ath = expected
        .token
        .map(|token| b64::encode(&sha256(token.as_bytes())));
    if claims.ath != ath {
        return Err(invalid("made for another token"));
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(invalid("jti is missing or too long"));
    }
    let key = Thumbprint::parse(&key.jkt()).map_err(|_| invalid("no thumbprint"))?;
    Ok(Proven {
        key,
        jti: claims.jti,
        iat: claims.iat,
    })
}

/// Makes a proof; `jti` must be unique.
pub fn sign(
    key: &SigningKey,
    method: &str,
    url: &str,
    token: Option<&str>,
    jti: String,
    now_s: u64,
) -> Result<String> {
    let claims = Claims {
        jti,
        htm: method.into(),
        htu: url.into(),
        iat: now_s,
        ath: token.map(|token| b64::encode(&sha256(token.as_bytes()))),
    };
    jose::sign(key, TYP, None, Some(Jwk::of(&key.public())), &claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use satchel_crypto::{
        Key32,
        ed25519::{Software, at_once},
    };

    fn verified(proof: &str, expected: &Expected<'_>) -> Result<Proven> {
        at_once(verify(&Software, proof, expected)).unwrap()
    }

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&Key32::from_bytes([n; 32]))
    }

    #[test]
    fn a_proof_is_for_one_request_one_token_and_a_few_minutes() {
        let url = "http://localhost/v1/keys";
        let good = sign(&key(1), "POST", url, Some("tok"), "j".into(), 1_000).unwrap();
        let expected = Expected {
            method: "POST",
            url,
            token: Some("tok"),
            now_s: 1_000,
        };
        assert_eq!(
            verified(&good, &expected).unwrap().key.as_str(),
            key(1).public().jkt()
        );
        for wrong in [
            Expected {
                method: "GET",
                ..expected
            },
            Expected {
                url: "http://localhost/v1/key",
                ..expected
            },
            Expected {
                token: Some("other"),
                ..expected
            },
            Expected {
                token: None,
                ..expected
            },
            Expected {
                now_s: 1_301,
                ..expected
            },
            Expected {
                now_s: 699,
                ..expected
            },
        ] {
            assert_eq!(
                verified(&good, &wrong).unwrap_err().code,
                ErrorCode::ProofInvalid
            );
        }
        for nonsense in ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(
                verified(nonsense, &expected).unwrap_err().code,
                ErrorCode::ProofInvalid
            );
        }
    }
}

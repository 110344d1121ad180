//! Ed25519 (RFC 8032) and the RFC 7638 thumbprint of its JWK form (RFC 8037).

use alloc::string::String;

use ed25519_dalek::{Signer as _, SigningKey as Dalek, VerifyingKey};

use crate::{Key32, b64, hash::sha256_parts};

/// Not a usable Ed25519 public key (wrong length, not on the curve, or of small order).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the 32 raw bytes. Keys of small order are refused: any message would verify.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey)?;
        if key.is_weak() {
            Err(BadKey)
        } else {
            Ok(Self(key))
        }
    }

    /// From a JWK's `x`: canonical base64url of 32 bytes.
    pub fn from_b64(x: &str) -> Result<Self, BadKey> {
        Self::from_bytes(&b64::decode_array(x).map_err(|_| BadKey)?)
    }

    /// A JWK's `x`.
    #[must_use]
    pub fn to_b64(&self) -> String {
        b64::encode(self.0.as_bytes())
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// RFC 7638 SHA-256 thumbprint, raw.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        let x = self.to_b64();
        sha256_parts(&[
            br#"{"crv":"Ed25519","kty":"OKP","x":""#,
            x.as_bytes(),
            br#""}"#,
        ])
    }

    /// The thumbprint as base64url: 43 characters.
    #[must_use]
    pub fn jkt(&self) -> String {
        b64::encode(&self.thumbprint())
    }

    /// Whether the 64 bytes sign the message; strict, so that one signature has one encoding.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else {
            return false;
        };
        self.0.verify_strict(message, &signature).is_ok()
    }
}

/// A private key, wiped when dropped.
pub struct SigningKey(Dalek);

impl SigningKey {
    /// From the 32-byte seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_seed(seed: &Key32) -> Self {
        Self(Dalek::from_bytes(seed.as_bytes()))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// 64 bytes; deterministic.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_rfc_8037_appendix_a3() {
        let key = PublicKey::from_b64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(key.jkt(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(BadKey));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(BadKey));
    }
}

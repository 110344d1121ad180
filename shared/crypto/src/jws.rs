//! Compact JWS (RFC 7515) with EdDSA and nothing else.
//!
//! A verifier names the `typ` and the header members it accepts; there is no algorithm to choose
//! and no key in the token to trust. Payloads stay bytes here: their JSON belongs to the caller.

use alloc::{format, string::String, vec::Vec};

use crate::{
    b64,
    ed25519::{PublicKey, SigningKey, Verifier},
};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 48 * 1024;

/// The text is not a compact JWS of three canonical base64url parts, or is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJws;

/// A token taken apart, not yet verified.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// The protected header's JSON.
    pub header: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    signature: Vec<u8>,
    signed: &'a str,
}

impl<'a> Parsed<'a> {
    /// Splits and decodes; nothing is verified yet.
    pub fn parse(token: &'a str) -> Result<Self, NotJws> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(NotJws);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NotJws)?;
        let (header, payload) = signed.split_once('.').ok_or(NotJws)?;
        Ok(Self {
            header: b64::decode(header).map_err(|_| NotJws)?,
            payload: b64::decode(payload).map_err(|_| NotJws)?,
            signature: b64::decode(signature).map_err(|_| NotJws)?,
            signed,
        })
    }

    /// Whether `key` signed it, says `verifier`.
    pub async fn verify_by(&self, verifier: &impl Verifier, key: &PublicKey) -> bool {
        let message = self.signed.as_bytes();
        verifier.verify(key, message, &self.signature).await
    }

    /// Whether `key` signed it.
    #[must_use]
    pub fn verify(&self, key: &PublicKey) -> bool {
        key.verify(self.signed.as_bytes(), &self.signature)
    }
}

/// Signs `payload` under the given protected header (a JSON object the caller wrote).
#[must_use]
pub fn sign(key: &SigningKey, header: &str, payload: &[u8]) -> String {
    let mut token = format!(
        "{}.{}",
        b64::encode(header.as_bytes()),
        b64::encode(payload)
    );
    let signature = key.sign(token.as_bytes());
    token.push('.');
    token.push_str(&b64::encode(&signature));
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key32;

    #[test]
    fn rfc_8037_appendix_a4_verifies() {
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let key = PublicKey::from_b64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let parsed = Parsed::parse(token).unwrap();
        assert!(parsed.verify(&key));
        assert_eq!(parsed.payload, b"Example of Ed25519 signing");
    }

    #[test]
    fn any_changed_character_is_refused() {
        let key = SigningKey::from_seed(&Key32::from_bytes([7; 32]));
        let token = sign(&key, r#"{"alg":"EdDSA"}"#, b"{}");
        for i in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let ok = Parsed::parse(&changed).is_ok_and(|p| p.verify(&key.public()));
            assert!(!ok, "position {i}");
        }
    }

    #[test]
    fn too_few_or_too_many_parts_are_refused() {
        for bad in ["", "a", "a.b", "YQ.YQ.YQ.YQ", "..."] {
            assert!(Parsed::parse(bad).is_err(), "{bad:?}");
        }
    }
}

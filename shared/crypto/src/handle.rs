//! Opaque names: deterministic authenticated encryption of a few bytes.
//!
//! A purchase's handle must be the same every time a receipt is issued (a receipt is a pure
//! function of its transfer), yet tell nothing about the account. The nonce is therefore derived
//! from the plaintext by HMAC, as in SIV (RFC 5297): equal inputs give equal names and nothing else
//! is revealed.

use alloc::{string::String, vec::Vec};

use crate::{Key32, b64, hash, wrap};

/// Not a name made with this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOurs;

/// Turns `plain` (≤ 256 bytes) into an opaque name.
pub fn seal(key: &Key32, plain: &[u8]) -> Result<String, NotOurs> {
    let (nonce_key, body_key) = keys(key);
    let tag = hash::hmac_sha256(&nonce_key, plain);
    let nonce = tag.first_chunk::<{ wrap::NONCE_BYTES }>().ok_or(NotOurs)?;
    let sealed = wrap::seal(&body_key, *nonce, plain, b"").map_err(|_| NotOurs)?;
    Ok(b64::encode(&sealed))
}

/// Reads a name back.
pub fn open(key: &Key32, name: &str) -> Result<Vec<u8>, NotOurs> {
    let (_, body_key) = keys(key);
    let sealed = b64::decode(name).map_err(|_| NotOurs)?;
    wrap::open(&body_key, &sealed, b"").map_err(|_| NotOurs)
}

fn keys(key: &Key32) -> (Key32, Key32) {
    (
        hash::hkdf_sha256(key.as_bytes(), &[b"satchel/v1 handle nonce"]),
        hash::hkdf_sha256(key.as_bytes(), &[b"satchel/v1 handle body"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_purchase_has_the_same_name_and_only_its_key_reads_it() {
        let (a, b) = (Key32::from_bytes([1; 32]), Key32::from_bytes([2; 32]));
        let name = seal(&a, b"account+order").unwrap();
        assert_eq!(name, seal(&a, b"account+order").unwrap());
        assert_ne!(name, seal(&a, b"account+ordes").unwrap());
        assert_eq!(open(&a, &name).unwrap(), b"account+order");
        assert_eq!(open(&b, &name), Err(NotOurs));
    }
}

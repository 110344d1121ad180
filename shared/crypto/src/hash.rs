//! SHA-256, HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::Key32;

/// SHA-256 of the bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of several pieces, one after another.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn mac(key: &Key32, bytes: &[u8]) -> Hmac<Sha256> {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length; it cannot fail"
    )]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC key of any length");
    mac.update(bytes);
    mac
}

/// HMAC-SHA-256.
#[must_use]
pub fn hmac_sha256(key: &Key32, bytes: &[u8]) -> [u8; 32] {
    mac(key, bytes).finalize().into_bytes().into()
}

/// HMAC-SHA-256 with a key of any length, for protocols that are not ours.
#[must_use]
pub fn hmac_sha256_any(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length; it cannot fail"
    )]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC key of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// Whether `tag` is the HMAC-SHA-256 of `bytes`, compared in constant time.
#[must_use]
pub fn hmac_verify(key: &Key32, bytes: &[u8], tag: &[u8]) -> bool {
    mac(key, bytes).verify_slice(tag).is_ok()
}

/// HKDF-SHA-256 with an empty salt: 32 bytes for the concatenation of `info`.
#[must_use]
pub fn hkdf_sha256(ikm: &[u8], info: &[&[u8]]) -> Key32 {
    let mut out = [0; 32];
    #[expect(
        clippy::expect_used,
        reason = "32 bytes are below HKDF's limit of 255 × 32"
    )]
    hkdf::Hkdf::<Sha256>::new(None, ikm)
        .expand_multi_info(info, &mut out)
        .expect("32 bytes are within HKDF's limit");
    Key32::from_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_agrees_with_rfc_5869_case_3_prefix() {
        // Test case 3: empty salt and info, first 32 of 42 bytes.
        let okm = hkdf_sha256(&[0x0b; 22], &[]);
        assert_eq!(
            okm.as_bytes()[..8],
            [0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f],
            "{okm:?}"
        );
    }

    #[test]
    fn a_changed_tag_is_refused() {
        let key = Key32::from_bytes([1; 32]);
        let mut tag = hmac_sha256(&key, b"x");
        assert!(hmac_verify(&key, b"x", &tag));
        tag[31] ^= 1;
        assert!(!hmac_verify(&key, b"x", &tag));
        assert!(!hmac_verify(&key, b"x", &tag[..16]));
        assert!(!hmac_verify(&key, b"x", b""));
    }
}

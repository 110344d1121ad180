//! SHA-256, HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::Key32;

/// SHA-256 of bytes that arrive piece by piece: RustCrypto's, or ring's where the feature `native`
/// asks for it (docs/adr/0012).
#[derive(Clone)]
pub struct Sha256Stream(chosen::Context);

impl Sha256Stream {
    /// Of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(chosen::new())
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        chosen::update(&mut self.0, bytes);
    }

    /// The hash of all of them.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        chosen::finish(self.0)
    }
}

impl Default for Sha256Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sha256Stream(..)")
    }
}

#[cfg(not(feature = "native"))]
mod chosen {
    use sha2::Digest as _;
    pub(super) use sha2::Sha256 as Context;

    pub(super) fn new() -> Context {
        Context::new()
    }

    pub(super) fn update(context: &mut Context, bytes: &[u8]) {
        context.update(bytes);
    }

    pub(super) fn finish(context: Context) -> [u8; 32] {
        context.finalize().into()
    }
}

#[cfg(feature = "native")]
mod chosen {
    pub(super) use ring::digest::Context;
    use ring::digest::SHA256;

    pub(super) fn new() -> Context {
        Context::new(&SHA256)
    }

    pub(super) fn update(context: &mut Context, bytes: &[u8]) {
        context.update(bytes);
    }

    pub(super) fn finish(context: Context) -> [u8; 32] {
        let digest = context.finish();
        let mut bytes = digest.as_ref().iter().copied();
        // SHA-256 has 32 bytes.
        core::array::from_fn(|_| bytes.next().unwrap_or_default())
    }
}

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

/// HMAC-SHA-256 with a key of any length that is used often: what depends on the key alone is
/// computed once.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// Of a key of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length; it cannot fail"
        )]
        Self(Hmac::<Sha256>::new_from_slice(key).expect("HMAC key of any length"))
    }

    /// The tag of the bytes.
    #[must_use]
    pub fn tag(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Whether `tag` is that of the bytes, compared in constant time.
    #[must_use]
    pub fn verify(&self, bytes: &[u8], tag: &[u8]) -> bool {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.verify_slice(tag).is_ok()
    }
}

impl core::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HmacKey(..)")
    }
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
    fn a_key_that_is_used_often_gives_the_same_tags() {
        let (once, often) = (Key32::from_bytes([7; 32]), HmacKey::new(&[7; 32]));
        for text in [&b""[..], b"a", &[9; 300]] {
            let tag = hmac_sha256(&once, text);
            assert_eq!(often.tag(text), tag);
            assert!(often.verify(text, &tag) && !often.verify(b"b", &tag));
            assert!(!often.verify(text, &tag[..31]) && !often.verify(text, b""));
        }
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

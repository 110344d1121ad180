//! Key wrapping: a 32-byte key under a versioned wrapping key (AES-256-GCM, random nonce).
//!
//! Written `VERSION.b64u(nonce ‖ ciphertext ‖ tag)`. The associated data binds it to what it is
//! for, so that a wrapped key moved to another work does not open.

use alloc::{format, string::String, vec::Vec};

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};

use crate::{Key32, aead::TAG_BYTES, b64};

/// Bytes of a nonce (NIST SP 800-38D §5.2.1.1).
pub const NONCE_BYTES: usize = crate::aead::NONCE_BYTES;

const SEALED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// A wrapped key that can't be opened: unknown version, altered, or bound to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotUnwrap;

/// The configuration is not `[+]VERSION:KEY[,[+]VERSION:KEY…]`, or has a version twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKeyring;

/// Keys by version. The highest version is used, all of them are known; one with a `+` is known only: it is
/// announced before it is used, so that whoever keeps a copy of the ring has it by then.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<(u32, Key32)>,
    /// Index into `keys`.
    current: Option<usize>,
}

impl Keyring {
    /// Parses `[+]VERSION:KEY[,[+]VERSION:KEY…]`, keys as base64url of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, BadKeyring> {
        let mut keys = Vec::new();
        let mut used = None;
        for item in text.split(',') {
            let item = item.trim();
            let (version, key) = item.split_once(':').ok_or(BadKeyring)?;
            let number = version.strip_prefix('+').unwrap_or(version);
            // `u32` would take a sign of its own.
            if !number.starts_with(|first: char| first.is_ascii_digit()) {
                return Err(BadKeyring);
            }
            let number: u32 = number.parse().map_err(|_| BadKeyring)?;
            if !version.starts_with('+') {
                used = used.max(Some(number));
            }
            keys.push((number, Key32::from_b64(key).map_err(|_| BadKeyring)?));
        }
        keys.sort_unstable_by_key(|(version, _)| *version);
        let mut pairs = keys.iter().zip(keys.iter().skip(1));
        if pairs.any(|((version, _), (next, _))| version == next) {
            return Err(BadKeyring);
        }
        let current = keys.iter().position(|(version, _)| Some(*version) == used);
        Ok(Self { keys, current })
    }

    /// All keys, lowest version first.
    pub fn keys(&self) -> impl Iterator<Item = (u32, &Key32)> {
        self.keys.iter().map(|(version, key)| (*version, key))
    }

    /// The key that is used: the highest that is not only announced.
    #[must_use]
    pub fn current(&self) -> Option<(u32, &Key32)> {
        let (version, key) = self.keys.get(self.current?)?;
        Some((*version, key))
    }

    /// Wraps `secret`; `nonce` must be fresh and random.
    pub fn wrap(
        &self,
        secret: &Key32,
        aad: &[u8],
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, CannotUnwrap> {
        let (version, key) = self.current().ok_or(CannotUnwrap)?;
        let sealed = seal(key, nonce, secret, aad)?;
        Ok(format!("{version}.{}", b64::encode(&sealed)))
    }

    /// Opens what `wrap` made with the same `aad`.
    pub fn unwrap(&self, wrapped: &str, aad: &[u8]) -> Result<Key32, CannotUnwrap> {
        let (version, sealed) = wrapped.split_once('.').ok_or(CannotUnwrap)?;
        let version: u32 = version.parse().map_err(|_| CannotUnwrap)?;
        let (_, key) = self
            .keys
            .iter()
            .find(|(v, _)| *v == version)
            .ok_or(CannotUnwrap)?;
        let sealed = b64::decode(sealed).map_err(|_| CannotUnwrap)?;
        let sealed = sealed.try_into().map_err(|_| CannotUnwrap)?;
        open(key, &sealed, aad)
    }
}

/// AES-256-GCM: `nonce ‖ ciphertext ‖ tag`. Of one key by its type: this runs in workers, which leave
/// bulk to WebCrypto (docs/adr/0003).
fn seal(
    key: &Key32,
    nonce: [u8; NONCE_BYTES],
    secret: &Key32,
    aad: &[u8],
) -> Result<Vec<u8>, CannotUnwrap> {
    let cipher = Aes256Gcm::new(key.as_bytes().into());
    let msg = secret.as_bytes();
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| CannotUnwrap)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Opens what [`seal`] made; no byte of anything longer is decrypted.
fn open(key: &Key32, sealed: &[u8; SEALED_BYTES], aad: &[u8]) -> Result<Key32, CannotUnwrap> {
    let (nonce, msg) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(CannotUnwrap)?;
    let plain = Aes256Gcm::new(key.as_bytes().into())
        .decrypt(&Nonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| CannotUnwrap)?;
    let plain = plain.try_into().map_err(|_| CannotUnwrap)?;
    Ok(Key32::from_bytes(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(text: &str) -> Keyring {
        Keyring::parse(text).unwrap()
    }

    #[test]
    fn old_versions_still_open_and_the_newest_wraps() {
        let one = format!("1:{}", b64::encode(&[1; 32]));
        let both = ring(&format!("2:{},{one}", b64::encode(&[2; 32])));
        let secret = Key32::from_bytes([9; 32]);
        let old = ring(&one).wrap(&secret, b"a", [0; 12]).unwrap();
        assert_eq!(both.unwrap(&old, b"a").unwrap(), secret);
        assert!(both.wrap(&secret, b"a", [0; 12]).unwrap().starts_with("2."));
        assert!(
            ring(&one)
                .unwrap(&both.wrap(&secret, b"a", [0; 12]).unwrap(), b"a")
                .is_err()
        );
    }

    #[test]
    fn an_announced_key_opens_but_is_not_used() {
        let (a, b) = (b64::encode(&[1; 32]), b64::encode(&[2; 32]));
        let announced = ring(&format!("+2:{b},1:{a}"));
        let secret = Key32::from_bytes([9; 32]);
        assert!(
            announced
                .wrap(&secret, b"", [0; 12])
                .unwrap()
                .starts_with("1.")
        );
        assert_eq!(announced.keys().map(|(v, _)| v).collect::<Vec<_>>(), [1, 2]);
        let next = ring(&format!("2:{b},1:{a}"))
            .wrap(&secret, b"", [0; 12])
            .unwrap();
        assert_eq!(announced.unwrap(&next, b"").unwrap(), secret);
        let none = ring(&format!("+1:{a}"));
        assert!(none.current().is_none() && none.wrap(&secret, b"", [0; 12]).is_err());
        for bad in [
            format!("++2:{b}"),
            format!("+2:{b},2:{a}"),
            format!("-1:{a}"),
            format!("+:{a}"),
        ] {
            assert_eq!(Keyring::parse(&bad).err(), Some(BadKeyring), "{bad}");
        }
    }

    /// Otherwise one would wrap and the other be asked to unwrap.
    #[test]
    fn a_version_stands_for_one_key() {
        let (a, b) = (b64::encode(&[1; 32]), b64::encode(&[2; 32]));
        for twice in [format!("2:{a},2:{b}"), format!("1:{a},2:{a},1:{b}")] {
            assert_eq!(Keyring::parse(&twice).err(), Some(BadKeyring));
        }
    }

    #[test]
    fn a_wrapped_key_moved_to_another_work_does_not_open() {
        let ring = ring(&format!("1:{}", b64::encode(&[1; 32])));
        let wrapped = ring
            .wrap(&Key32::from_bytes([9; 32]), b"wrk_a", [0; 12])
            .unwrap();
        assert_eq!(ring.unwrap(&wrapped, b"wrk_b"), Err(CannotUnwrap));
        assert_eq!(ring.unwrap("1.", b"wrk_a"), Err(CannotUnwrap));
        assert_eq!(ring.unwrap("", b""), Err(CannotUnwrap));
    }

    #[test]
    fn nothing_but_one_key_is_decrypted() {
        let ring = ring(&format!("1:{}", b64::encode(&[1; 32])));
        let cipher = Aes256Gcm::new(&[1; 32].into());
        for len in [0, 31, 33, 4_097] {
            let sealed = cipher.encrypt(&Nonce::from([0; 12]), &vec![9; len][..]);
            let sealed = [&[0; 12][..], &sealed.unwrap()].concat();
            let wrapped = format!("1.{}", b64::encode(&sealed));
            assert_eq!(ring.unwrap(&wrapped, b""), Err(CannotUnwrap), "{len}");
        }
    }
}

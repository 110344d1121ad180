//! Ed25519 (RFC 8032) and the RFC 7638 thumbprint of its JWK form (RFC 8037).

use alloc::string::String;

use ed25519_dalek::{Signer as _, SigningKey as Dalek, VerifyingKey};

use crate::{Key32, b64, hash::sha256_parts};

/// Not a usable Ed25519 public key: wrong length, a second spelling, or of small order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

/// A public key. Whether the bytes are a point of the curve shows when a signature is verified: no
/// signature verifies under bytes that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// The y coordinates of the points of small order, little-endian, without the bit of x's sign
/// (draft-irtf-cfrg-ed25519-hardening names them; those not below p are refused as second spellings).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    small(1),
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn small(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    let [head, ..] = &mut bytes;
    *head = first;
    bytes
}

/// Whether y is written as a number below p = 2^255 − 19 (RFC 8032 §5.1.3).
fn is_canonical(y: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = y;
    *last != 0x7f || *first < 0xed || middle.iter().any(|byte| *byte != 0xff)
}

impl PublicKey {
    /// From the 32 raw bytes. Keys of small order are refused: any message would verify.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BadKey> {
        let mut y = *bytes;
        let [.., last] = &mut y;
        *last &= 0x7f;
        if is_canonical(&y) && !SMALL_ORDER.contains(&y) {
            Ok(Self(*bytes))
        } else {
            Err(BadKey)
        }
    }

    /// From a JWK's `x`: canonical base64url of 32 bytes.
    pub fn from_b64(x: &str) -> Result<Self, BadKey> {
        Self::from_bytes(&b64::decode_array(x).map_err(|_| BadKey)?)
    }

    /// A JWK's `x`.
    #[must_use]
    pub fn to_b64(&self) -> String {
        b64::encode(&self.0)
    }

    /// The 32 raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
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
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else {
            return false;
        };
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else {
            return false;
        };
        key.verify_strict(message, &signature).is_ok()
    }
}

/// Somebody who verifies signatures: a platform that has the algorithm built in does it faster than
/// code compiled into a program, but only asynchronously.
pub trait Verifier {
    /// Whether `signature` is `key`'s for the message.
    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> impl Future<Output = bool>;
}

/// [`PublicKey::verify`] as a [`Verifier`], for programs that run without such a platform.
#[derive(Debug, Clone, Copy)]
pub struct Software;

impl Verifier for Software {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        key.verify(message, signature)
    }
}

/// The result of a future that waits for nothing, such as any with [`Software`]; `None` where it
/// would wait.
pub fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match future.poll(&mut context) {
        core::task::Poll::Ready(output) => Some(output),
        core::task::Poll::Pending => None,
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
        PublicKey(self.0.verifying_key().to_bytes())
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

    /// Every one that the library counts as weak, and each in its second spelling.
    #[test]
    fn keys_of_small_order_are_refused() {
        let mut refused = 0;
        for y in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut bytes = y;
                bytes[31] |= sign;
                assert_eq!(PublicKey::from_bytes(&bytes), Err(BadKey), "{bytes:02x?}");
                if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
                    assert!(key.is_weak(), "{bytes:02x?}");
                    refused += 1;
                }
            }
        }
        assert_eq!(
            refused, 10,
            "eight points; x = 0 has a second spelling of its sign"
        );
    }

    #[test]
    fn a_second_spelling_of_a_key_is_refused() {
        for first in 0xed..=0xff {
            let mut bytes = [0xff; 32];
            bytes[0] = first;
            bytes[31] = 0x7f;
            assert_eq!(PublicKey::from_bytes(&bytes), Err(BadKey), "{first:02x}");
        }
        let mut largest = [0xff; 32];
        (largest[0], largest[31]) = (0xeb, 0x7f);
        assert!(PublicKey::from_bytes(&largest).is_ok());
    }

    #[test]
    fn nothing_verifies_under_bytes_that_are_no_point() {
        // y = 2 has no x.
        let key = PublicKey::from_bytes(&small(2)).unwrap();
        assert!(!key.verify(b"", &[0; 64]));
    }
}

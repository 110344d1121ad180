//! The key schedule (FORMAT §3): content key → window root → window key → segment key.
//!
//! Whoever bought a download holds the content key and derives everything; whoever streams holds
//! only the window keys that were released. All keys are wiped when dropped and never printed.

use satchel_crypto::{Key32, cobblestone, hkdf_sha256};
use subtle::ConstantTimeEq as _;

use crate::{FormatError, WorkId};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(Key32);

        impl $name {
            /// Takes over a key that was stored or received.
            #[must_use]
            pub fn from_key(key: Key32) -> Self {
                Self(key)
            }

            /// The key itself, to wrap or send it.
            #[must_use]
            pub fn key(&self) -> &Key32 {
                &self.0
            }
        }
    };
}

secret! {
    /// 32 random bytes, fresh for every packing; opens all of a work.
    ContentKey
}
secret! {
    /// Opens all windows of a work, yet is not the content key: what `stream` may unwrap.
    WindowRoot
}
secret! {
    /// Opens the segments of one window.
    WindowKey
}
secret! {
    /// Opens one segment.
    SegmentKey
}

impl ContentKey {
    /// What the manifest publishes so that a wrong key is known before it is used.
    #[must_use]
    pub fn commitment(&self, work: &WorkId) -> [u8; 32] {
        *derive(&self.0, "satchel/v1 commitment", work, None).as_bytes()
    }

    /// Compares with a manifest's `key_commitment` in constant time.
    pub fn check(&self, work: &WorkId, commitment: &[u8; 32]) -> Result<(), FormatError> {
        if bool::from(self.commitment(work).ct_eq(commitment)) {
            Ok(())
        } else {
            Err(FormatError::KeyCommitment)
        }
    }

    /// The root of the work's window keys.
    #[must_use]
    pub fn window_root(&self, work: &WorkId) -> WindowRoot {
        WindowRoot(derive(&self.0, "satchel/v1 window root", work, None))
    }
}

impl WindowRoot {
    /// The key of one window.
    #[must_use]
    pub fn window_key(&self, work: &WorkId, window: u32) -> WindowKey {
        WindowKey(derive(&self.0, "satchel/v1 window", work, Some(window)))
    }
}

impl WindowKey {
    /// The key of one of the window's segments; `segment` counts from the start of the work.
    #[must_use]
    pub fn segment_key(&self, work: &WorkId, segment: u32) -> SegmentKey {
        SegmentKey(derive(&self.0, "satchel/v1 segment", work, Some(segment)))
    }
}

impl SegmentKey {
    /// Starts sealing segment `segment`; `salt` MUST be fresh and random.
    #[must_use]
    pub fn sealer(
        &self,
        work: &WorkId,
        segment: u32,
        salt: &[u8; cobblestone::SALT_BYTES],
    ) -> cobblestone::Sealer {
        cobblestone::Sealer::new(&self.0, salt, &segment_context(work, segment))
    }

    /// Starts opening segment `segment` from its first 56 bytes.
    pub fn opener(
        &self,
        work: &WorkId,
        segment: u32,
        prefix: &[u8; cobblestone::PREFIX_BYTES],
    ) -> Result<cobblestone::Opener, FormatError> {
        Ok(cobblestone::Opener::new(
            &self.0,
            &segment_context(work, segment),
            prefix,
        )?)
    }
}

/// HKDF(key, label ‖ 00 ‖ work [‖ u32(index)])
fn derive(key: &Key32, label: &str, work: &WorkId, index: Option<u32>) -> Key32 {
    let index = index.map(u32::to_be_bytes);
    let index = index.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    hkdf_sha256(
        key.as_bytes(),
        &[label.as_bytes(), &[0], work.as_str().as_bytes(), index],
    )
}

/// `"satchel/v1" ‖ 00 ‖ work ‖ u32(segment)`: what a segment's message is bound to.
/// What a segment's message is bound to: its work and its number.
#[must_use]
pub fn segment_context(work: &WorkId, segment: u32) -> Vec<u8> {
    [
        b"satchel/v1\0",
        work.as_str().as_bytes(),
        &segment.to_be_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use satchel_crypto::b64;

    use super::*;

    fn work(fill: u8) -> WorkId {
        WorkId::parse(&format!("wrk_{}", satchel_crypto::b32::encode(&[fill; 32]))).unwrap()
    }

    fn content() -> ContentKey {
        ContentKey::from_key(Key32::from_bytes([1; 32]))
    }

    #[test]
    fn key_schedule_is_pinned() {
        let (key, work) = (content(), work(0));
        let root = key.window_root(&work);
        let window = root.window_key(&work, 2);
        let pins = [
            b64::encode(&key.commitment(&work)),
            b64::encode(root.key().as_bytes()),
            b64::encode(window.key().as_bytes()),
            b64::encode(window.segment_key(&work, 3).key().as_bytes()),
        ];
        assert_eq!(pins, PINS);
    }

    #[test]
    fn every_work_window_and_segment_has_its_own_key() {
        let (a, b) = (work(0), work(1));
        let root = content().window_root(&a);
        assert_ne!(root, content().window_root(&b));
        assert_ne!(root.window_key(&a, 0), root.window_key(&a, 1));
        let window = root.window_key(&a, 0);
        assert_ne!(window.segment_key(&a, 0), window.segment_key(&a, 1));
        assert_ne!(window.segment_key(&a, 0), window.segment_key(&b, 0));
        assert_ne!(window.key(), window.segment_key(&a, 0).key());
    }

    #[test]
    fn another_key_does_not_fit_the_commitment() {
        let commitment = content().commitment(&work(0));
        assert_eq!(content().check(&work(0), &commitment), Ok(()));
        let other = ContentKey::from_key(Key32::from_bytes([2; 32]));
        assert_eq!(
            other.check(&work(0), &commitment),
            Err(FormatError::KeyCommitment)
        );
        assert_eq!(
            content().check(&work(1), &commitment),
            Err(FormatError::KeyCommitment)
        );
    }

    #[test]
    fn keys_are_never_printed() {
        assert_eq!(format!("{:?}", content()), "ContentKey(Key32(..))");
    }

    /// Computed from FORMAT §3 with another implementation of HMAC (Python's).
    const PINS: [&str; 4] = [
        "M-nlrIh9FDLDyxtjgFk5wGoAusVw1Iz7vtI_0nqUo_Q",
        "uPxElquqNgs7LsWB4KRnkDZkNTSyT67DKUOVn-lllKU",
        "EwFDsq7qIuT7-EHSChRAg_3Zetm_7ZGPDh68rK9_1WY",
        "RBr_KcFY7NzrR7V5msATtCjmSTlCD3WJTBG93rfZK_w",
    ];
}

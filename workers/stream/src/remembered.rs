//! What a playback remembers in bytes: which windows were released, which proofs were seen.

use satchel_crypto::hash::sha256_parts;
use satchel_domain::id::Thumbprint;
use satchel_wire::{ApiError, ErrorCode, Result};

/// How long a proof is remembered, seconds: longer than any clock lets it be valid (2 × 300 s).
const PROOF_LIFE_S: u64 = 601;
/// Proofs remembered at once. A player makes about one in ten seconds.
pub(crate) const MAX_PROOFS: usize = 1_024;

/// A set of windows, one bit each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Released(Vec<u8>);

impl Released {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn place(window: u32) -> (usize, u8) {
        (
            usize::try_from(window >> 3).unwrap_or(usize::MAX),
            1 << (window & 7),
        )
    }

    pub(crate) fn contains(&self, window: u32) -> bool {
        let (byte, bit) = Self::place(window);
        self.0.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// The caller has compared `window` with the number of windows, which is limited.
    pub(crate) fn insert(&mut self, window: u32) {
        let (byte, bit) = Self::place(window);
        if self.0.len() <= byte {
            self.0.resize(byte.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(byte) {
            *bits |= bit;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// Bytes of a remembered proof's digest. A chance meeting of two (2^-64) refuses one request.
const DIGEST_BYTES: usize = 8;
pub(crate) const SEEN_BYTES: usize = DIGEST_BYTES + 4;

/// Proofs seen in the last minutes, oldest first: a digest and the second it was seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen(Vec<([u8; DIGEST_BYTES], u32)>);

impl Seen {
    /// Reads what [`Seen::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let entry = |bytes: &[u8; SEEN_BYTES]| {
            let (digest, second) = bytes.split_first_chunk::<DIGEST_BYTES>()?;
            Some((*digest, u32::from_be_bytes(*second.first_chunk()?)))
        };
        Self(bytes.as_chunks().0.iter().filter_map(entry).collect())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let entries = self.0.iter();
        entries
            .flat_map(|(digest, second)| [&digest[..], &second.to_be_bytes()].concat())
            .collect()
    }

    /// Remembers a proof: `proof_replayed` where it was seen before, `too_many` where no more can be
    /// remembered (one that is forgotten too early could be used twice).
    pub(crate) fn insert(&mut self, key: &Thumbprint, jti: &str, now_ms: u64) -> Result<()> {
        let second = now_ms.checked_div(1000).unwrap_or_default();
        let age = |seen: u32| second.saturating_sub(u64::from(seen));
        self.0.retain(|(_, seen)| age(*seen) < PROOF_LIFE_S);
        let digest = sha256_parts(&[key.as_str().as_bytes(), b"\0", jti.as_bytes()]);
        let digest = *digest.first_chunk().ok_or(ErrorCode::Internal)?;
        if self.0.iter().any(|(seen, _)| *seen == digest) {
            return Err(ErrorCode::ProofReplayed.into());
        }
        if self.0.len() >= MAX_PROOFS {
            let oldest = self.0.first().map_or(0, |(_, seen)| age(*seen));
            let wait_s = PROOF_LIFE_S.saturating_sub(oldest);
            return Err(ApiError::from(ErrorCode::TooMany).retry_after(wait_s));
        }
        self.0
            .push((digest, u32::try_from(second).unwrap_or(u32::MAX)));
        Ok(())
    }
}

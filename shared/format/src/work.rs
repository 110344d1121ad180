//! Work ids: names only one creator key can register (FORMAT §4).

use core::fmt;

use satchel_crypto::{b32, ed25519::PublicKey, hash::sha256_parts};
use satchel_json::{Error, Slot, Value};
use serde::Serialize;

/// What every work id begins with.
const PREFIX: &str = "wrk_";
/// Bytes of the nonce in a work id.
pub const NONCE_BYTES: usize = 16;

/// The text is not `wrk_` and canonical base32 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotWorkId;

impl fmt::Display for NotWorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a work id")
    }
}

impl core::error::Error for NotWorkId {}

/// `wrk_` and 52 characters of base32: SHA-256(creator's thumbprint ‖ nonce).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct WorkId(String);

impl WorkId {
    /// The id of the work that `creator` made with this nonce.
    #[must_use]
    pub fn derive(creator: &PublicKey, nonce: &[u8; NONCE_BYTES]) -> Self {
        Self(format!(
            "{PREFIX}{}",
            b32::encode(&sha256_parts(&[&creator.thumbprint(), nonce]))
        ))
    }

    /// Reads an id; whom it belongs to is another question.
    pub fn parse(text: &str) -> Result<Self, NotWorkId> {
        let digest = text.strip_prefix(PREFIX).ok_or(NotWorkId)?;
        b32::decode_array::<32>(digest).map_err(|_| NotWorkId)?;
        Ok(Self(text.to_owned()))
    }

    /// The id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Slot for WorkId {
    fn blank() -> Self {
        Self(String::new())
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        *self = Self::parse(&value.text()?).map_err(|_| Error::new("not a work id"))?;
        Ok(())
    }
}

impl From<WorkId> for String {
    fn from(work: WorkId) -> Self {
        work.0
    }
}

#[cfg(test)]
mod tests {
    use satchel_crypto::{Key32, ed25519::SigningKey};

    use super::*;

    #[test]
    fn id_belongs_to_one_key_and_one_nonce() {
        let key = |seed| SigningKey::from_seed(&Key32::from_bytes([seed; 32])).public();
        let id = WorkId::derive(&key(1), &[0; 16]);
        assert_eq!(id.as_str().len(), 56);
        assert_eq!(WorkId::parse(id.as_str()), Ok(id.clone()));
        assert_ne!(id, WorkId::derive(&key(2), &[0; 16]));
        assert_ne!(id, WorkId::derive(&key(1), &[1; 16]));
    }

    #[test]
    fn other_spellings_are_refused() {
        let id = format!("wrk_{}", "a".repeat(52));
        assert!(WorkId::parse(&id).is_ok());
        for bad in [
            "",
            "wrk_",
            &id.to_uppercase(),
            &id[..55],
            &format!("{id}a"),
            &id[4..],
        ] {
            assert_eq!(WorkId::parse(bad), Err(NotWorkId), "{bad}");
        }
        // 52 characters carry 260 bits; the last four must be zero.
        assert_eq!(WorkId::parse(&format!("{}b", &id[..55])), Err(NotWorkId));
    }
}

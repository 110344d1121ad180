//! A 32-byte secret that is wiped when dropped and never printed.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes. `Debug` prints nothing of them; comparing is constant-time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key32([u8; 32]);

impl Key32 {
    /// Takes over 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Decodes canonical base64url of exactly 32 bytes.
    pub fn from_b64(text: &str) -> Result<Self, crate::b64::NotBase64> {
        crate::b64::decode_array(text).map(Self)
    }

    /// The secret itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Debug for Key32 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key32(..)")
    }
}

impl PartialEq for Key32 {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl Eq for Key32 {}

//! Lower-case base32 without padding (RFC 4648 §6), used in ids because it survives host names,
//! file systems and being read aloud.

use alloc::{string::String, vec::Vec};

use data_encoding::BASE32_NOPAD;

/// The text is not canonical lower-case base32 without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBase32;

/// Encodes in lower case without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = BASE32_NOPAD.encode(bytes);
    text.make_ascii_lowercase();
    text
}

/// Decodes; upper case, padding and stray trailing bits are refused.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase32> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(NotBase32);
    }
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| NotBase32)
}

/// Decodes exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], NotBase32> {
    decode(text)?.try_into().map_err(|_| NotBase32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(encode(&[0xff; 5]), "77777777");
        assert_eq!(decode("aa").unwrap(), [0]);
        for bad in ["AA", "ab", "a", "aa======", "a1", "aa "] {
            assert_eq!(decode(bad), Err(NotBase32), "{bad:?}");
        }
    }
}

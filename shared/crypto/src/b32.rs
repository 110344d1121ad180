//! Lower-case base32 without padding (RFC 4648 §6), used in ids because it survives host names,
//! file systems and being read aloud.
//!
//! Written out here because the general crate for it is 85 KB of every worker.

use alloc::{string::String, vec::Vec};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The text is not canonical lower-case base32 without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBase32;

/// Encodes in lower case without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(8).div_ceil(5));
    let mut bits = Bits::default();
    for byte in bytes {
        bits.push(8, (*byte).into());
        while let Some(index) = bits.pull(5) {
            text.push(letter(index));
        }
    }
    if bits.held > 0 {
        let missing = 5_u32.saturating_sub(bits.held);
        bits.push(missing, 0);
        text.extend(bits.pull(5).map(letter));
    }
    text
}

/// Decodes; upper case, padding and stray trailing bits are refused.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase32> {
    let mut bytes = Vec::with_capacity(text.len().saturating_mul(5) / 8);
    let mut bits = Bits::default();
    for letter in text.bytes() {
        bits.push(5, value(letter).ok_or(NotBase32)?);
        bytes.extend(bits.pull(8));
    }
    // A whole letter too many, or bits that say nothing, would be a second spelling.
    if bits.held >= 5 || bits.rest() != 0 {
        Err(NotBase32)
    } else {
        Ok(bytes)
    }
}

fn letter(index: u8) -> char {
    ALPHABET
        .get(usize::from(index))
        .copied()
        .unwrap_or_default()
        .into()
}

fn value(letter: u8) -> Option<u16> {
    match letter {
        b'a'..=b'z' => Some(u16::from(letter.wrapping_sub(b'a'))),
        b'2'..=b'7' => Some(u16::from(letter.wrapping_sub(b'2').wrapping_add(26))),
        _ => None,
    }
}

/// At most 12 bits on their way from one grouping to another.
#[derive(Default)]
struct Bits {
    bits: u16,
    held: u32,
}

impl Bits {
    fn push(&mut self, count: u32, value: u16) {
        self.bits = self.bits.wrapping_shl(count) | value;
        self.held = self.held.saturating_add(count);
    }

    /// The first `count` bits, if there are so many; `count` is at most 8.
    fn pull(&mut self, count: u32) -> Option<u8> {
        self.held = self.held.checked_sub(count)?;
        let [_, first] = self.bits.wrapping_shr(self.held).to_be_bytes();
        let mask = 0xff_u8.wrapping_shr(8_u32.saturating_sub(count));
        Some(first & mask)
    }

    fn rest(&self) -> u16 {
        self.bits & !u16::MAX.wrapping_shl(self.held)
    }
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
        for bad in [
            "AA", "ab", "a", "aa======", "a1", "aa ", "aaa", "aaaaaa", "é", "a\0",
        ] {
            assert_eq!(decode(bad), Err(NotBase32), "{bad:?}");
        }
    }

    #[test]
    fn the_examples_of_rfc_4648_hold() {
        for (plain, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn every_length_comes_back() {
        let mut bytes = alloc::vec::Vec::new();
        for n in 0..=255_u8 {
            assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
            bytes.push(n.wrapping_mul(167));
        }
        assert_eq!(
            decode_array::<32>(&encode(&[0xff; 32])).unwrap(),
            [0xff; 32]
        );
    }
}

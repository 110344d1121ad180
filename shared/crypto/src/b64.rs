//! Canonical base64url without padding (RFC 4648 §5).
//!
//! Written out here because the general crate for it is 5 KB of every worker, and no faster when it
//! is compiled for size (docs/adr/0013).

use alloc::{string::String, vec, vec::Vec};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// What stands for a character that is not in the alphabet.
const STRANGE: u8 = 64;
const VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs while it is compiled"
)]
const fn values() -> [u8; 256] {
    let mut values = [STRANGE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value = value.saturating_add(1);
    }
    values
}

/// The text is not canonical base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBase64;

/// Encodes without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().saturating_mul(4).div_ceil(3)];
    let (threes, rest) = bytes.as_chunks::<3>();
    let (fours, last) = text.as_chunks_mut::<4>();
    for (four, three) in fours.iter_mut().zip(threes) {
        *four = letters(*three);
    }
    let mut three = [0; 3];
    copy(&mut three, rest);
    copy(last, &letters(three));
    String::from_utf8(text).unwrap_or_default()
}

/// Decodes; padding, other alphabets and stray trailing bits are refused, so that one value has
/// one spelling.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let mut bytes = vec![0; text.len().saturating_mul(3) / 4];
    let (fours, rest) = text.as_bytes().as_chunks::<4>();
    let (threes, last) = bytes.as_chunks_mut::<3>();
    let mut seen = 0;
    for (three, four) in threes.iter_mut().zip(fours) {
        *three = values_of(*four, &mut seen);
    }
    let mut four = [b'A'; 4];
    copy(&mut four, rest);
    let three = values_of(four, &mut seen);
    copy(last, &three);
    let stray = three.iter().skip(last.len()).any(|byte| *byte != 0);
    if stray || rest.len() == 1 || seen >= STRANGE.into() {
        return Err(NotBase64);
    }
    Ok(bytes)
}

/// As much as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn letters([a, b, c]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, a, b, c]);
    let letter = |value: u32| {
        let letter = ALPHABET.get((value & 63) as usize);
        letter.copied().unwrap_or_default()
    };
    [
        letter(bits >> 18),
        letter(bits >> 12),
        letter(bits >> 6),
        letter(bits),
    ]
}

/// Three bytes of four characters; `seen` collects their values.
fn values_of(four: [u8; 4], seen: &mut u32) -> [u8; 3] {
    let value = |c: u8| u32::from(VALUES.get(usize::from(c)).copied().unwrap_or(STRANGE));
    let [a, b, c, d] = four.map(value);
    *seen |= a | b | c | d;
    let [_, a, b, c] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
    [a, b, c]
}

/// Decodes exactly `N` bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], NotBase64> {
    decode(text)?.try_into().map_err(|_| NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(decode("AA").unwrap(), [0]);
        for bad in ["AA==", "AB", "A", "A+", "A/", " AA", "AA\n"] {
            assert_eq!(decode(bad), Err(NotBase64), "{bad:?}");
        }
    }

    #[test]
    fn the_examples_of_rfc_4648_hold() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
        assert_eq!(encode(&[0xff, 0xef, 0xbe]), "_---");
    }

    #[test]
    fn every_text_of_three_characters_is_refused_or_the_only_spelling() {
        let letters = || (0..=0xff_u8).map(char::from);
        let mut taken = 0;
        for (a, b) in letters().flat_map(|a| letters().map(move |b| (a, b))) {
            for text in [String::from_iter([a, b]), String::from_iter(['A', a, b])] {
                if let Ok(bytes) = decode(&text) {
                    assert_eq!(encode(&bytes), text);
                    taken += 1;
                }
            }
        }
        // All of one byte, and those of two that begin with six bits of 0.
        assert_eq!(taken, 256 + 1024);
    }

    #[test]
    fn every_length_comes_back() {
        let mut bytes = Vec::new();
        for n in 0..=255_u8 {
            assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
            bytes.push(n.wrapping_mul(167));
        }
    }
}

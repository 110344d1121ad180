//! Opaque names: deterministic authenticated encryption of a few bytes.
//!
//! A purchase's handle must be the same every time a receipt is issued (a receipt is a pure
//! function of its transfer), yet tell nothing about the account. So the nonce is derived from the
//! plaintext: the SIV composition (Rogaway and Shrimpton, "Deterministic authenticated encryption",
//! 2006; RFC 5297 is its form with AES) with HMAC-SHA-256 as the pseudorandom function for both
//! halves. Equal inputs give equal names and nothing else is revealed. AES would be 16 KB more of
//! the one worker that has no other use for it.

use alloc::{string::String, vec::Vec};

use crate::{Key32, b64, hash};

/// Bytes of the synthetic nonce, which authenticates as well.
const TAG_BYTES: usize = 16;
const BLOCK_BYTES: usize = 32;
/// Longest plaintext.
pub const MAX_BYTES: usize = 256;

/// Not a name made with this key, or too long to become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOurs;

/// Turns `plain` (≤ [`MAX_BYTES`]) into an opaque name.
pub fn seal(key: &Key32, plain: &[u8]) -> Result<String, NotOurs> {
    if plain.len() > MAX_BYTES {
        return Err(NotOurs);
    }
    let (tag_key, body_key) = keys(key);
    let mut sealed = tag(&tag_key, plain).to_vec();
    sealed.extend(masked(&body_key, &sealed, plain));
    Ok(b64::encode(&sealed))
}

/// Reads a name back.
pub fn open(key: &Key32, name: &str) -> Result<Vec<u8>, NotOurs> {
    let (tag_key, body_key) = keys(key);
    let sealed = b64::decode(name).map_err(|_| NotOurs)?;
    let (nonce, body) = sealed.split_at_checked(TAG_BYTES).ok_or(NotOurs)?;
    if body.len() > MAX_BYTES {
        return Err(NotOurs);
    }
    let plain = masked(&body_key, nonce, body);
    let ours: bool = subtle::ConstantTimeEq::ct_eq(&tag(&tag_key, &plain)[..], nonce).into();
    if ours { Ok(plain) } else { Err(NotOurs) }
}

fn tag(key: &Key32, plain: &[u8]) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    for (to, from) in tag.iter_mut().zip(hash::hmac_sha256(key, plain)) {
        *to = from;
    }
    tag
}

/// XOR with HMAC(key, nonce ‖ counter), counter one byte from 0.
fn masked(key: &Key32, nonce: &[u8], bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.chunks(BLOCK_BYTES).zip(0u8..);
    blocks
        .flat_map(|(block, counter)| {
            let mask = hash::hmac_sha256(key, &[nonce, &[counter]].concat());
            block.iter().zip(mask).map(|(byte, mask)| byte ^ mask)
        })
        .collect()
}

fn keys(key: &Key32) -> (Key32, Key32) {
    (
        hash::hkdf_sha256(key.as_bytes(), &[b"satchel/v1 handle nonce"]),
        hash::hkdf_sha256(key.as_bytes(), &[b"satchel/v1 handle body"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_purchase_has_the_same_name_and_only_its_key_reads_it() {
        let (a, b) = (Key32::from_bytes([1; 32]), Key32::from_bytes([2; 32]));
        let name = seal(&a, b"account+order").unwrap();
        assert_eq!(name, seal(&a, b"account+order").unwrap());
        assert_ne!(name, seal(&a, b"account+ordes").unwrap());
        assert_eq!(open(&a, &name).unwrap(), b"account+order");
        assert_eq!(open(&b, &name), Err(NotOurs));
    }

    #[test]
    fn any_changed_character_is_refused_and_any_length_comes_back() {
        let key = Key32::from_bytes([1; 32]);
        for len in [0, 1, 31, 32, 33, 52, MAX_BYTES] {
            let plain = alloc::vec![7; len];
            let name = seal(&key, &plain).unwrap();
            assert_eq!(open(&key, &name).unwrap(), plain);
            for i in 0..name.len() {
                let mut changed = name.clone().into_bytes();
                changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(open(&key, &changed), Err(NotOurs), "{i} of {len}");
            }
        }
        assert_eq!(seal(&key, &[0; MAX_BYTES + 1]), Err(NotOurs));
        for short in ["", "AAAA"] {
            assert_eq!(open(&key, short), Err(NotOurs));
        }
    }

    /// Two halves that repeat would show that the mask does.
    #[test]
    fn equal_blocks_do_not_look_equal() {
        let name = seal(&Key32::from_bytes([1; 32]), &[0; 64]).unwrap();
        let sealed = b64::decode(&name).unwrap();
        assert_ne!(sealed[16..48], sealed[48..]);
    }
}

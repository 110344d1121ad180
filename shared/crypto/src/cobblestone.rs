//! Cobblestone-256: C2SP chunked encryption (c2sp.org/chunked-encryption) with AES-256-GCM.
//!
//! A message is `salt (24) ‖ commitment (32) ‖ chunks`; a chunk is 16 KiB of plaintext and a
//! 16-byte tag, the last one always shorter, so that the end of a message needs no flag and one
//! length has one chunking. Key, base nonce and commitment come from one HKDF-Expand-SHA-512.
//!
//! In scope: sealing in order, opening whole or by chunk, and the arithmetic between the two sizes.
//! Out of scope: where keys come from (they must be uniformly random) and raw mode.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    Key32,
    aead::{Aead, NONCE_BYTES},
};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 16_384;
/// Bytes each chunk grows by.
pub const TAG_BYTES: usize = crate::aead::TAG_BYTES;
/// Bytes of the salt a message begins with.
pub const SALT_BYTES: usize = 24;
/// Bytes of the key commitment that follows the salt.
pub const COMMITMENT_BYTES: usize = 32;
/// Bytes before the first chunk.
pub const PREFIX_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;
/// Ciphertext bytes of every chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// Most chunks a message may have ("Message chunking").
pub const MAX_CHUNKS: u64 = 1 << 38;

const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// Why a message can't be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// No message has this length: truncated, or something was added.
    Length,
    /// Key or context are not those the message was sealed with. Nothing was decrypted.
    Commitment,
    /// A chunk was altered or stands in another's place.
    Chunk,
    /// More than [`MAX_CHUNKS`] chunks.
    TooLong,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "the encrypted message has an impossible length",
            Self::Commitment => "the key does not fit the encrypted message",
            Self::Chunk => "the encrypted message was altered",
            Self::TooLong => "the message is too long to be encrypted",
        })
    }
}

impl core::error::Error for Error {}

/// Ciphertext bytes of a message of `plain` bytes; `None` above [`MAX_CHUNKS`].
#[must_use]
pub fn sealed_len(plain: u64) -> Option<u64> {
    let chunks = plain.checked_div(CHUNK_BYTES as u64)?.checked_add(1)?;
    if chunks > MAX_CHUNKS {
        return None;
    }
    chunks
        .checked_mul(TAG_BYTES as u64)?
        .checked_add(plain)?
        .checked_add(PREFIX_BYTES as u64)
}

/// Plaintext bytes of a message of `sealed` bytes; `None` where no message has that size.
#[must_use]
pub fn plain_len(sealed: u64) -> Option<u64> {
    let chunks = sealed.checked_sub(PREFIX_BYTES as u64)?;
    let full = chunks.checked_div(SEALED_CHUNK_BYTES as u64)?;
    let last = chunks
        .checked_rem(SEALED_CHUNK_BYTES as u64)?
        .checked_sub(TAG_BYTES as u64)?;
    if full >= MAX_CHUNKS {
        return None;
    }
    full.checked_mul(CHUNK_BYTES as u64)?.checked_add(last)
}

/// Cipher and base nonce of one message; nobody outside this file can choose a nonce.
struct Message {
    cipher: Aead,
    base_nonce: [u8; NONCE_BYTES],
}

impl Message {
    /// `key ‖ base nonce ‖ commitment = HKDF-Expand-SHA-512(input key, label ‖ salt ‖ context)`
    /// ("Key derivation"). Written out because the `hkdf` crate refuses a 32-byte key for a 64-byte
    /// hash, as RFC 5869 §2.3 asks; the spec's input keys are already uniform.
    fn derive(
        key: &Key32,
        salt: &[u8; SALT_BYTES],
        context: &[u8],
    ) -> (Self, [u8; COMMITMENT_BYTES]) {
        let expand = |previous: &[u8], counter: u8| -> Zeroizing<[u8; 64]> {
            #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
            let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("any length");
            for part in [previous, LABEL, salt, context, &[counter]] {
                mac.update(part);
            }
            Zeroizing::new(mac.finalize().into_bytes().into())
        };
        let first = expand(&[], 1);
        let second = expand(&first[..], 2);
        let mut bytes = first.iter().chain(second.iter()).copied();
        let cipher_key = Zeroizing::new(take::<32>(&mut bytes));
        let base_nonce = take(&mut bytes);
        let commitment = take(&mut bytes);
        (
            Self {
                cipher: Aead::new(&cipher_key),
                base_nonce,
            },
            commitment,
        )
    }

    /// Base nonce XOR chunk number as a big-endian integer ("AEAD usage").
    fn nonce(&self, index: u64) -> Result<[u8; NONCE_BYTES], Error> {
        if index >= MAX_CHUNKS {
            return Err(Error::TooLong);
        }
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce.iter_mut().rev().zip(index.to_le_bytes()) {
            *byte ^= number;
        }
        Ok(nonce)
    }

    fn seal(&self, index: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.seal_in_place(index, out.get_mut(start..).ok_or(Error::Length)?)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    fn seal_in_place(&self, index: u64, chunk: &mut [u8]) -> Result<[u8; TAG_BYTES], Error> {
        let nonce = self.nonce(index)?;
        self.cipher.seal(nonce, chunk).map_err(|_| Error::TooLong)
    }

    fn open(&self, index: u64, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.extend_from_slice(sealed);
        let opened = self.open_in_place(index, out.get_mut(start..).ok_or(Error::Length)?);
        // Whatever stands there after a failure must not be taken for plaintext.
        let plain = opened.as_ref().map_or(0, |plain| *plain);
        out.truncate(start.saturating_add(plain));
        opened.map(|_| ())
    }

    fn open_in_place(&self, index: u64, sealed: &mut [u8]) -> Result<usize, Error> {
        let nonce = self.nonce(index)?;
        let (chunk, tag) = sealed
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(Error::Length)?;
        let opened = self.cipher.open(nonce, chunk, tag);
        opened.map(|()| chunk.len()).map_err(|_| Error::Chunk)
    }
}

/// The next `N` bytes; the two HKDF blocks hold more than all that is taken from them.
fn take<const N: usize>(bytes: &mut impl Iterator<Item = u8>) -> [u8; N] {
    core::array::from_fn(|_| bytes.next().unwrap_or_default())
}

/// Seals one message, chunk after chunk. Holds the counter, so no chunk number is used twice.
pub struct Sealer {
    message: Message,
    prefix: [u8; PREFIX_BYTES],
    next: u64,
}

impl Sealer {
    /// `salt` MUST be fresh and random for each message under `key`.
    #[must_use]
    pub fn new(key: &Key32, salt: &[u8; SALT_BYTES], context: &[u8]) -> Self {
        let (message, commitment) = Message::derive(key, salt, context);
        let mut bytes = salt.iter().chain(&commitment).copied();
        Self {
            message,
            prefix: take(&mut bytes),
            next: 0,
        }
    }

    /// What the message begins with.
    #[must_use]
    pub fn prefix(&self) -> &[u8; PREFIX_BYTES] {
        &self.prefix
    }

    /// Appends the next full chunk to `out`.
    pub fn chunk(&mut self, plain: &[u8; CHUNK_BYTES], out: &mut Vec<u8>) -> Result<(), Error> {
        let next = self.after_this()?;
        self.message.seal(self.next, plain, out)?;
        self.next = next;
        Ok(())
    }

    /// Encrypts the next full chunk where it lies and gives its tag, which follows it.
    pub fn chunk_in_place(
        &mut self,
        chunk: &mut [u8; CHUNK_BYTES],
    ) -> Result<[u8; TAG_BYTES], Error> {
        let next = self.after_this()?;
        let tag = self.message.seal_in_place(self.next, chunk)?;
        self.next = next;
        Ok(tag)
    }

    /// The number of the chunk after the next: one is kept for the last, which every message has.
    fn after_this(&self) -> Result<u64, Error> {
        let next = self.next.checked_add(1).filter(|n| *n < MAX_CHUNKS);
        next.ok_or(Error::TooLong)
    }

    /// Encrypts the last chunk where it lies: 0 to 16,383 bytes, else [`Error::Length`].
    pub fn finish_in_place(self, chunk: &mut [u8]) -> Result<[u8; TAG_BYTES], Error> {
        if chunk.len() >= CHUNK_BYTES {
            return Err(Error::Length);
        }
        self.message.seal_in_place(self.next, chunk)
    }

    /// Appends the last chunk: 0 to 16,383 bytes, else [`Error::Length`].
    pub fn finish(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        if plain.len() >= CHUNK_BYTES {
            return Err(Error::Length);
        }
        self.message.seal(self.next, plain, out)
    }
}

/// Opens one message, any chunk in any order.
pub struct Opener(Message);

impl Opener {
    /// Reads salt and commitment (the message's first 56 bytes) and compares the commitment in
    /// constant time; without a match there is no opener, so nothing can be decrypted.
    pub fn new(key: &Key32, context: &[u8], prefix: &[u8; PREFIX_BYTES]) -> Result<Self, Error> {
        let (salt, claimed) = prefix
            .split_first_chunk::<SALT_BYTES>()
            .ok_or(Error::Length)?;
        let (message, commitment) = Message::derive(key, salt, context);
        if bool::from(commitment.ct_eq(claimed)) {
            Ok(Self(message))
        } else {
            Err(Error::Commitment)
        }
    }

    /// Appends the plaintext of chunk `index` to `out`; after an error `out` is as it was.
    ///
    /// `last` says whether the message's length makes this its last chunk: it must then be shorter
    /// than a full one, and a full one otherwise.
    pub fn chunk(
        &self,
        index: u64,
        last: bool,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        check_len(last, sealed.len())?;
        self.0.open(index, sealed, out)
    }

    /// Decrypts chunk `index` where it lies; all but its last 16 bytes are then plaintext. After an
    /// error they are nothing of use.
    pub fn chunk_in_place(&self, index: u64, last: bool, sealed: &mut [u8]) -> Result<(), Error> {
        check_len(last, sealed.len())?;
        self.0.open_in_place(index, sealed).map(|_| ())
    }
}

fn check_len(last: bool, len: usize) -> Result<(), Error> {
    let fits = if last {
        (TAG_BYTES..SEALED_CHUNK_BYTES).contains(&len)
    } else {
        len == SEALED_CHUNK_BYTES
    };
    if fits { Ok(()) } else { Err(Error::Length) }
}

impl core::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl core::fmt::Debug for Opener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Opener(..)")
    }
}

/// Seals a whole message; `salt` MUST be fresh and random for each message under `key`.
pub fn seal(
    key: &Key32,
    salt: &[u8; SALT_BYTES],
    context: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Error> {
    let len = u64::try_from(plain.len())
        .ok()
        .and_then(sealed_len)
        .ok_or(Error::TooLong)?;
    let mut out = Vec::with_capacity(usize::try_from(len).map_err(|_| Error::TooLong)?);
    let mut sealer = Sealer::new(key, salt, context);
    out.extend_from_slice(sealer.prefix());
    let (full, last) = plain.as_chunks::<CHUNK_BYTES>();
    for chunk in full {
        sealer.chunk(chunk, &mut out)?;
    }
    sealer.finish(last, &mut out)?;
    Ok(out)
}

/// Opens a whole message; gives out plaintext only when all of it is genuine.
pub fn open(key: &Key32, context: &[u8], message: &[u8]) -> Result<Vec<u8>, Error> {
    let (prefix, chunks) = message
        .split_first_chunk::<PREFIX_BYTES>()
        .ok_or(Error::Length)?;
    let opener = Opener::new(key, context, prefix)?;
    let len = u64::try_from(message.len())
        .ok()
        .and_then(plain_len)
        .ok_or(Error::Length)?;
    let mut out = Vec::with_capacity(usize::try_from(len).map_err(|_| Error::Length)?);
    let (full, last) = chunks.as_chunks::<SEALED_CHUNK_BYTES>();
    for (index, chunk) in (0u64..).zip(full) {
        opener.chunk(index, false, chunk, &mut out)?;
    }
    let index = u64::try_from(full.len()).map_err(|_| Error::TooLong)?;
    opener.chunk(index, true, last, &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const SALT: [u8; SALT_BYTES] = [9; SALT_BYTES];

    fn sealed(context: &[u8], plain: &[u8]) -> Vec<u8> {
        seal(&Key32::from_bytes(KEY), &SALT, context, plain).unwrap()
    }

    #[test]
    fn sizes_agree_with_what_is_written() {
        for plain in [0usize, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769] {
            let len = sealed(b"", &vec![0; plain]).len() as u64;
            assert_eq!(sealed_len(plain as u64), Some(len));
            assert_eq!(plain_len(len), Some(plain as u64));
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let full = SEALED_CHUNK_BYTES as u64;
        for sealed in [0, 55, 56, 71, 56 + full, 56 + full + 15, 56 + 2 * full] {
            assert_eq!(plain_len(sealed), None, "{sealed}");
        }
        let longest = MAX_CHUNKS * CHUNK_BYTES as u64 - 1;
        assert_eq!(plain_len(sealed_len(longest).unwrap()), Some(longest));
        assert_eq!(sealed_len(longest + 1), None);
        assert_eq!(plain_len(sealed_len(longest).unwrap() + 1 + 16), None);
        assert_eq!((sealed_len(u64::MAX), plain_len(u64::MAX)), (None, None));
    }

    #[test]
    fn another_key_or_context_is_told_before_anything_is_decrypted() {
        let message = sealed(b"here", b"text");
        assert_eq!(
            open(&Key32::from_bytes(KEY), b"here", &message).unwrap(),
            b"text"
        );
        for (key, context) in [([8; 32], &b"here"[..]), (KEY, b"there"), (KEY, b"")] {
            let opened = open(&Key32::from_bytes(key), context, &message);
            assert_eq!(opened, Err(Error::Commitment));
        }
    }

    #[test]
    fn chunk_of_the_wrong_length_for_its_place_is_refused() {
        let message = sealed(b"", &vec![1; CHUNK_BYTES + 3]);
        let (prefix, chunks) = message.split_first_chunk().unwrap();
        let opener = Opener::new(&Key32::from_bytes(KEY), b"", prefix).unwrap();
        let (first, last) = chunks.split_at(SEALED_CHUNK_BYTES);
        let mut out = Vec::new();
        assert_eq!(opener.chunk(0, true, first, &mut out), Err(Error::Length));
        assert_eq!(opener.chunk(1, false, last, &mut out), Err(Error::Length));
        assert_eq!(
            opener.chunk(1, true, &last[..15], &mut out),
            Err(Error::Length)
        );
        assert_eq!(opener.chunk(0, true, last, &mut out), Err(Error::Chunk));
        assert_eq!(
            opener.chunk(MAX_CHUNKS, true, last, &mut out),
            Err(Error::TooLong)
        );
        assert!(out.is_empty());
        opener.chunk(1, true, last, &mut out).unwrap();
        assert_eq!(out, [1; 3]);
    }

    #[test]
    fn a_full_chunk_can_not_be_sealed_as_the_last() {
        let sealer = Sealer::new(&Key32::from_bytes(KEY), &SALT, b"");
        assert_eq!(
            sealer.finish(&[0; CHUNK_BYTES], &mut Vec::new()),
            Err(Error::Length)
        );
    }
}

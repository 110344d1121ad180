//! Cobblestone-256: any bytes are refused, what was sealed opens, and no change of it does.
#![no_main]

use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use satchel_crypto::{
    Key32,
    cobblestone::{
        self, CHUNK_BYTES, Error, MAX_CHUNKS, Opener, PREFIX_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES,
        plain_len, sealed_len,
    },
};

/// Most bytes that are sealed: three chunks.
const MAX_PLAIN: usize = 2 * CHUNK_BYTES + 2;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    key: [u8; 32],
    salt: [u8; SALT_BYTES],
    size: u64,
    len: u16,
    flip: (u32, u8),
    cut: u32,
    context: &'a [u8],
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    sizes(input.size);
    let key = Key32::from_bytes(input.key);
    assert!(cobblestone::open(&key, input.context, input.bytes).is_err());

    let plain: Vec<u8> = input
        .bytes
        .iter()
        .copied()
        .cycle()
        .take(usize::from(input.len))
        .collect();
    let plain = &plain[..plain.len().min(MAX_PLAIN)];
    let sealed = cobblestone::seal(&key, &input.salt, input.context, plain).unwrap();
    assert_eq!(sealed_len(plain.len() as u64), Some(sealed.len() as u64));
    assert_eq!(
        cobblestone::open(&key, input.context, &sealed).as_deref(),
        Ok(plain)
    );
    by_chunks_backwards(&key, input.context, &sealed, plain);

    let (at, mask) = (input.flip.0 as usize % sealed.len(), input.flip.1.max(1));
    let mut changed = sealed.clone();
    changed[at] ^= mask;
    let refused = if at < PREFIX_BYTES {
        Error::Commitment
    } else {
        Error::Chunk
    };
    assert_eq!(
        cobblestone::open(&key, input.context, &changed),
        Err(refused)
    );
    let cut = input.cut as usize % sealed.len();
    assert!(cobblestone::open(&key, input.context, &sealed[..cut]).is_err());
    let longer = [&sealed[..], &sealed[..=cut]].concat();
    assert!(cobblestone::open(&key, input.context, &longer).is_err());
    let context = [input.context, b"x"].concat();
    assert_eq!(
        cobblestone::open(&key, &context, &sealed),
        Err(Error::Commitment)
    );
    let mut other = input.key;
    other[at % 32] ^= mask;
    let other = Key32::from_bytes(other);
    assert_eq!(
        cobblestone::open(&other, input.context, &sealed),
        Err(Error::Commitment)
    );
});

/// Each size has at most one counterpart, and the two ways are each other's inverse.
fn sizes(size: u64) {
    if let Some(sealed) = sealed_len(size) {
        assert_eq!(plain_len(sealed), Some(size));
        assert!(sealed_len(size + 1).is_none_or(|next| next > sealed));
    } else {
        assert!(size / CHUNK_BYTES as u64 >= MAX_CHUNKS);
    }
    if let Some(plain) = plain_len(size) {
        assert_eq!(sealed_len(plain), Some(size));
    }
}

/// Any chunk opens by itself, in any order, in its own place only.
fn by_chunks_backwards(key: &Key32, context: &[u8], sealed: &[u8], plain: &[u8]) {
    let (prefix, body) = sealed.split_first_chunk().unwrap();
    let opener = Opener::new(key, context, prefix).unwrap();
    let chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK_BYTES).collect();
    let last = chunks.len() - 1;
    let mut out = Vec::new();
    for (index, chunk) in chunks.iter().enumerate().rev() {
        out.clear();
        opener
            .chunk(index as u64, index == last, chunk, &mut out)
            .unwrap();
        let start = index * CHUNK_BYTES;
        assert_eq!(out, plain[start..start + out.len()]);
        out.clear();
        assert!(
            opener
                .chunk(index as u64 + 1, index == last, chunk, &mut out)
                .is_err()
        );
        assert!(
            opener
                .chunk(index as u64, index != last, chunk, &mut out)
                .is_err()
        );
        assert!(out.is_empty());
    }
}

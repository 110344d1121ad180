//! One ciphertext that AES-GCM opens under two keys, each time as something else ("invisible
//! salamander", Dodis et al. 2018), made as anybody who holds both keys can make it. A price tag
//! for the one text would be a price tag for the other; Cobblestone's commitment forbids it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use aes_gcm::{
    AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce, Tag,
    aes::{Aes256, cipher::BlockCipherEncrypt as _},
};
use hmac::{Hmac, Mac as _};
use satchel_crypto::{
    Key32,
    cobblestone::{Error, Opener, PREFIX_BYTES, SALT_BYTES, Sealer, open},
};
use sha2::Sha512;

const SALT: [u8; SALT_BYTES] = [9; SALT_BYTES];
const CONTEXT: &[u8] = b"satchel/v1";
const BLOCKS: usize = 4;
/// The block that is solved for.
const FREE: usize = 2;

/// AES key and nonce of a message's first chunk (c2sp.org/chunked-encryption, "Key derivation").
fn derived(key: &[u8; 32]) -> ([u8; 32], [u8; 12]) {
    let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(key).unwrap();
    let label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
    for part in [&label[..], &SALT, CONTEXT, &[1]] {
        mac.update(part);
    }
    let block: [u8; 64] = mac.finalize().into_bytes().into();
    (
        block[..32].try_into().unwrap(),
        block[32..44].try_into().unwrap(),
    )
}

fn encrypt(key: &[u8; 32], block: [u8; 16]) -> u128 {
    let mut block = block.into();
    Aes256::new(key.into()).encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

/// Product in GF(2^128) as GCM writes its elements (NIST SP 800-38D §6.3).
fn product(x: u128, mut y: u128) -> u128 {
    let mut out = 0;
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            out ^= y;
        }
        y = if y & 1 == 1 {
            y >> 1 ^ 0xe1 << 120
        } else {
            y >> 1
        };
    }
    out
}

const ONE: u128 = 1 << 127;

fn power(x: u128, times: usize) -> u128 {
    (0..times).fold(ONE, |out, _| product(out, x))
}

/// x^(2^128 − 2)
fn inverse(x: u128) -> u128 {
    let (mut out, mut square) = (ONE, x);
    for _ in 1..128 {
        square = product(square, square);
        out = product(out, square);
    }
    out
}

/// What a key makes of blocks: the tag, but for the block that is left free.
struct Ghash {
    hash: u128,
    mask: u128,
}

impl Ghash {
    fn new(key: &[u8; 32], nonce: &[u8; 12]) -> Self {
        let counter = [&nonce[..], &[0, 0, 0, 1]].concat();
        Self {
            hash: encrypt(key, [0; 16]),
            mask: encrypt(key, counter.try_into().unwrap()),
        }
    }

    fn tag(&self, blocks: &[u128; BLOCKS]) -> u128 {
        let lengths = (BLOCKS * 128) as u128;
        let all = blocks.iter().chain([&lengths]);
        all.fold(0, |sum, block| product(sum ^ block, self.hash)) ^ self.mask
    }

    /// What the free block is multiplied with on its way into the tag.
    fn factor(&self) -> u128 {
        power(self.hash, BLOCKS - FREE + 1)
    }
}

fn plain_gcm(key: &[u8; 32], nonce: [u8; 12], sealed: &[u8], tag: [u8; 16]) -> Option<Vec<u8>> {
    let mut plain = sealed.to_vec();
    let opened = Aes256Gcm::new(key.into()).decrypt_inout_detached(
        &Nonce::from(nonce),
        b"",
        plain.as_mut_slice().into(),
        &Tag::from(tag),
    );
    opened.ok().map(|()| plain)
}

#[test]
fn ciphertext_of_two_keys_opens_under_the_committed_one_alone() {
    let keys = [[1; 32], [2; 32]];
    let [(first, first_nonce), (second, second_nonce)] = keys.map(|key| derived(&key));
    let [one, two] = [
        Ghash::new(&first, &first_nonce),
        Ghash::new(&second, &second_nonce),
    ];
    let mut blocks = [7_u128, 8, 0, 9].map(|block| block << 64 | 5);
    blocks[FREE] = 0;
    let difference = one.tag(&blocks) ^ two.tag(&blocks);
    blocks[FREE] = product(difference, inverse(one.factor() ^ two.factor()));
    let tag = one.tag(&blocks).to_be_bytes();
    let sealed: Vec<u8> = blocks
        .iter()
        .flat_map(|block| block.to_be_bytes())
        .collect();

    // It is one: bare AES-GCM takes it under both keys.
    let texts = [
        plain_gcm(&first, first_nonce, &sealed, tag).unwrap(),
        plain_gcm(&second, second_nonce, &sealed, tag).unwrap(),
    ];
    assert_ne!(texts[0], texts[1]);

    for (mine, other) in [(0, 1), (1, 0)] {
        let key = |at: usize| Key32::from_bytes(keys[at]);
        let prefix: [u8; PREFIX_BYTES] = *Sealer::new(&key(mine), &SALT, CONTEXT).prefix();
        let message = [&prefix[..], &sealed, &tag].concat();
        assert_eq!(open(&key(mine), CONTEXT, &message), Ok(texts[mine].clone()));
        // No opener at all: there is nothing that could give out plaintext.
        let opener = Opener::new(&key(other), CONTEXT, &prefix);
        assert!(matches!(opener, Err(Error::Commitment)));
        assert_eq!(open(&key(other), CONTEXT, &message), Err(Error::Commitment));
    }
}

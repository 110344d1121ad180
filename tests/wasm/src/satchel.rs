//! What a reader says of a whole satchel, in the words of `tests/vectors/README.md`.

use core::ops::Range;

use satchel_crypto::{Key32, b64, sha256};
use satchel_format::{ContentKey, FormatError, Front, Satchel, merkle::Leaf};
use serde_json::{Value, json};

/// Window keys that a vector tells.
const WINDOW_KEYS: u32 = 4;

pub(crate) fn report(file: &[u8], key: &str) -> Value {
    let Ok(key) = Key32::from_b64(key) else {
        return json!({ "expect": "the content key is none" });
    };
    read(file, &ContentKey::from_key(key)).unwrap_or_else(|fault| json!({ "expect": fault.code() }))
}

fn read(file: &[u8], key: &ContentKey) -> Result<Value, FormatError> {
    let satchel = match Front::read(file)? {
        Front::Ready(satchel) => satchel,
        Front::Need(_) => return Err(FormatError::FileSize),
    };
    let size = u64::try_from(file.len()).map_err(|_| FormatError::FileSize)?;
    satchel.check_file_size(size)?;
    satchel.check_preview(part(file, satchel.layout().preview())?)?;
    for index in 0..satchel.table().count() {
        satchel.check_segment(index, &Leaf::of(segment(&satchel, file, index)?))?;
    }
    let unlocked = satchel.unlock(key)?;
    let mut plain = Vec::new();
    for index in 0..satchel.table().count() {
        plain.extend(unlocked.open_segment(index, segment(&satchel, file, index)?)?);
    }
    let work = &satchel.manifest().work;
    let root = key.window_root(work);
    let windows = 0..satchel.table().windows().min(WINDOW_KEYS);
    let window_keys: Vec<String> = windows
        .map(|window| b64::encode(root.window_key(work, window).key().as_bytes()))
        .collect();
    Ok(json!({
        "expect": "opens",
        "plaintext_sha256": b64::encode(&sha256(&plain)),
        "manifest_digest": b64::encode(satchel.signed().digest()),
        "window_keys": window_keys,
    }))
}

fn segment<'a>(satchel: &Satchel, file: &'a [u8], index: u32) -> Result<&'a [u8], FormatError> {
    part(file, satchel.segment_range(index)?)
}

fn part(file: &[u8], range: Range<u64>) -> Result<&[u8], FormatError> {
    let at = |byte: u64| usize::try_from(byte).map_err(|_| FormatError::FileSize);
    let range = at(range.start)?..at(range.end)?;
    file.get(range).ok_or(FormatError::FileSize)
}

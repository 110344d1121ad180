//! The front of a file: any bytes, and genuine manifests over any table.
//!
//! An input that begins with a brace is a manifest to be signed, `FF`, then a table; `@d` and `@r` in
//! the manifest stand for the table's digest and Merkle root. Any other is the beginning of a file,
//! whose padding need not be written out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satchel_crypto::{Key32, b64, jws, sha256};
use satchel_format::{
    ContentKey, FormatError, Front, Layout, Satchel, Table, header, manifest::PROTECTED_HEADER,
};
use satchel_fuzz::{KEY, filled};

/// Longest segment that is given to the opener.
const MAX_OPENED: u64 = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let bytes = if data.first() == Some(&b'{') {
        signed(data)
    } else {
        padded(data)
    };
    if let Some(bytes) = bytes
        && let Ok(Front::Ready(satchel)) = Front::read(&bytes)
    {
        check(&satchel, &bytes);
    }
});

/// A file's beginning with its padding.
fn padded(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = data.to_vec();
    // Once for the fixed fields, once for the header.
    for _ in 0..2 {
        if let Front::Need(len) = Front::read(&bytes).ok()? {
            assert!(len > bytes.len() && len <= header::MAX_HEADER_BYTES as usize);
            bytes.resize(len, 0);
        }
    }
    Some(bytes)
}

fn signed(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.iter().position(|byte| *byte == 0xff)?;
    let (text, table) = (str::from_utf8(&data[..end]).ok()?, &data[end + 1..]);
    let root = Table::parse(table).map_or([0; 32], |table| table.root());
    let text = filled(text)
        .replace("@d", &b64::encode(&sha256(table)))
        .replace("@r", &b64::encode(&root));
    let token = jws::sign(&KEY, PROTECTED_HEADER, text.as_bytes());
    let segments = u32::try_from(table.len()).ok()? / header::ENTRY_BYTES;
    let preview_len = u32::from(text.contains("preview_digest"));
    let layout = Layout::plan(u32::try_from(token.len()).ok()?, segments, preview_len).ok()?;
    let mut bytes = [&layout.encode()[..], token.as_bytes(), table].concat();
    bytes.resize(usize::try_from(layout.header_len()).ok()?, 0);
    Some(bytes)
}

/// What is ready agrees with its bytes and with itself.
fn check(satchel: &Satchel, bytes: &[u8]) {
    let (layout, table, manifest) = (satchel.layout(), satchel.table(), satchel.manifest());
    let header_len = layout.header_len() as usize;
    let (token, entries, _) = layout.split(&bytes[..header_len]).unwrap();
    assert_eq!(layout.encode(), bytes[..header::FIXED_BYTES]);
    assert_eq!(satchel.signed().token().as_bytes(), token);
    assert_eq!(table.encode(), entries);
    assert_eq!(
        (table.root(), table.digest()),
        (manifest.merkle_root.0, manifest.table_digest.0)
    );
    assert_eq!(
        (table.size(), table.body_size()),
        (manifest.size, manifest.body_size)
    );

    // Any beginning of it asks for more, and more bytes behind it change nothing.
    for len in [
        0,
        7,
        header::FIXED_BYTES - 1,
        header::FIXED_BYTES,
        header_len - 1,
    ] {
        assert!(matches!(Front::read(&bytes[..len]), Ok(Front::Need(need)) if need > len));
    }
    let longer = [bytes, b"x"].concat();
    assert!(matches!(Front::read(&longer), Ok(Front::Ready(same)) if *same == *satchel));

    // Segments lie one after another and end where the file ends.
    let mut end = layout.body_start();
    for index in 0..table.count() {
        let range = satchel.segment_range(index).unwrap();
        assert_eq!(range.start, end);
        end = range.end;
    }
    assert_eq!(
        satchel.segment_range(table.count()),
        Err(FormatError::NoSegment)
    );
    assert_eq!(end, satchel.file_size());
    assert_eq!(satchel.check_file_size(end), Ok(()));
    for wrong in [end - 1, end + 1, 0, u64::MAX] {
        assert_eq!(satchel.check_file_size(wrong), Err(FormatError::FileSize));
    }
    let has_preview = manifest.preview_digest.is_some();
    assert_eq!(has_preview, layout.preview_len() > 0);
    assert_eq!(satchel.check_preview(b"").is_err(), has_preview);
    assert!(satchel.check_preview(b"not the preview").is_err());

    refuses_strangers(satchel);
}

/// Neither a key nor bytes that are not the creator's get anywhere.
fn refuses_strangers(satchel: &Satchel) {
    let key = ContentKey::from_key(Key32::from_bytes([0; 32]));
    let table = satchel.table();
    assert_eq!(satchel.unlock(&key).err(), Some(FormatError::KeyCommitment));
    let work = &satchel.manifest().work;
    let key = key
        .window_root(work)
        .window_key(work, 0)
        .segment_key(work, 0);
    let len = table.segments()[0].sealed_len();
    if len <= MAX_OPENED {
        let zeros = vec![0; usize::try_from(len).unwrap()];
        let refused = satchel.open_segment(0, &key, &zeros);
        assert_eq!(refused, Err(FormatError::SegmentDigest));
        let refused = satchel.open_segment(0, &key, &zeros[1..]);
        assert_eq!(refused, Err(FormatError::SegmentLength));
    }
    let refused = satchel.open_segment(table.count(), &key, b"");
    assert_eq!(refused, Err(FormatError::NoSegment));
}

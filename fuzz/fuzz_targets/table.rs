//! Segment tables: accepted are exactly those that FORMAT §2 allows, and one table has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satchel_format::{
    Table,
    header::{ENTRY_BYTES, MAX_SEGMENTS},
    table::MAX_SEGMENT_BYTES,
};

fuzz_target!(|data: &[u8]| {
    let table = Table::parse(data);
    assert_eq!(table.is_ok(), is_allowed(data));
    let Ok(table) = table else {
        return;
    };
    assert_eq!(table.encode(), data);
    let leaves = (0..table.count()).map(|index| *table.leaf(index).unwrap());
    let anew = Table::new(table.segments().to_vec()).unwrap();
    assert_eq!(anew.packed(leaves.collect()).as_ref(), Ok(&table));

    let (mut plain, mut sealed) = (0, 0);
    for (index, segment) in (0..).zip(table.segments()) {
        let (plain_end, sealed_end) = (
            plain + u64::from(segment.plain_len),
            sealed + segment.sealed_len(),
        );
        assert_eq!(table.plain_range(index), Some(plain..plain_end));
        assert_eq!(table.sealed_range(index), Some(sealed..sealed_end));
        (plain, sealed) = (plain_end, sealed_end);
    }
    assert_eq!((table.size(), table.body_size()), (plain, sealed));
    assert!(table.windows() <= table.count());
    let beyond = table.count();
    assert_eq!((table.get(beyond), table.leaf(beyond)), (None, None));
    assert_eq!(
        (table.plain_range(beyond), table.sealed_range(u32::MAX)),
        (None, None)
    );
});

/// FORMAT §2, read once more from the text.
fn is_allowed(bytes: &[u8]) -> bool {
    let (entries, rest) = bytes.as_chunks::<{ ENTRY_BYTES as usize }>();
    let field = |entry: &[u8; ENTRY_BYTES as usize], at: usize| {
        u32::from_be_bytes(entry[at..at + 4].try_into().unwrap())
    };
    let each = entries.iter().all(|entry| {
        let len = field(entry, 0);
        len <= MAX_SEGMENT_BYTES && (len > 0 || entries.len() == 1) && field(entry, 12) <= 1
    });
    let order = entries.windows(2).all(|pair| {
        let step = u64::from(field(&pair[1], 4)).checked_sub(field(&pair[0], 4).into());
        matches!(step, Some(0 | 1)) && field(&pair[0], 8) <= field(&pair[1], 8)
    });
    let count = (1..=MAX_SEGMENTS as usize).contains(&entries.len());
    count && rest.is_empty() && each && order && field(&entries[0], 4) == 0
}

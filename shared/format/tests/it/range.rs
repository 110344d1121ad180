//! Random access: a range touches its chunks and nothing else.
use core::ops::Range;

use crate::support::*;
use proptest::prelude::*;
use satchel_crypto::cobblestone::{CHUNK_BYTES, PREFIX_BYTES, SEALED_CHUNK_BYTES};
use satchel_format::{FormatError, Satchel};

const CHUNK: u64 = CHUNK_BYTES as u64;

fn packed(lens: &[u32]) -> (Vec<u8>, Satchel) {
    let file = Parts::pack("range", description(), table(lens), &[]).file();
    let satchel = verify(&file).unwrap();
    (file, satchel)
}

/// The bytes of a range, read as its parts say, and how many of the file that took.
fn read(file: &[u8], satchel: &Satchel, range: Range<u64>) -> Result<(Vec<u8>, u64), FormatError> {
    let key = content_key(3);
    let unlocked = satchel.unlock(&key).unwrap();
    let at = |range: &Range<u64>| &file[range.start as usize..range.end as usize];
    let (mut plain, mut bytes) = (Vec::new(), 0);
    for touched in satchel.chunk_ranges(range)? {
        let key = unlocked.segment_key(touched.segment)?;
        let (prefix, chunks) = (at(&touched.prefix), at(&touched.chunks));
        bytes += (prefix.len() + chunks.len()) as u64;
        plain.extend(touched.open(satchel, &key, prefix.first_chunk().unwrap(), chunks)?);
    }
    Ok((plain, bytes))
}

/// Most that a range may cost: for each touched segment its prefix and, of the touched part
/// rounded out to chunks, every chunk with its tag.
fn most(satchel: &Satchel, range: &Range<u64>) -> u64 {
    let part = |index| {
        let plain = satchel.table().plain_range(index).unwrap();
        let from = range.start.max(plain.start);
        let to = range.end.min(plain.end);
        if from >= to {
            return 0;
        }
        let (from, to) = (from - plain.start, to - plain.start);
        let chunks = to.div_ceil(CHUNK) - from / CHUNK;
        PREFIX_BYTES as u64 + chunks * SEALED_CHUNK_BYTES as u64
    };
    (0..satchel.table().count()).map(part).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_range_gives_its_bytes_and_reads_its_chunks_alone(
        lens in prop::collection::vec(prop_oneof![
            1..100_000_u32,
            Just(CHUNK_BYTES as u32),
            Just(3 * CHUNK_BYTES as u32),
            Just(2 * CHUNK_BYTES as u32 + 1),
        ], 1..5),
        ends in any::<[u64; 2]>(),
    ) {
        let (file, satchel) = packed(&lens);
        let whole = bytes(satchel.table().size() as usize);
        let [a, b] = ends.map(|end| end % (whole.len() as u64 + 1));
        let range = a.min(b)..a.max(b);
        let (plain, read) = read(&file, &satchel, range.clone()).unwrap();
        prop_assert!(plain == whole[range.start as usize..range.end as usize]);
        prop_assert!(read <= most(&satchel, &range), "{read} bytes for {range:?}");
    }
}

#[test]
fn one_byte_costs_one_chunk() {
    let (file, satchel) = packed(&[5 * CHUNK_BYTES as u32, 70_000]);
    let one_chunk = (PREFIX_BYTES + SEALED_CHUNK_BYTES) as u64;
    let whole = bytes(satchel.table().size() as usize);
    for at in [
        0,
        16_383,
        16_384,
        5 * CHUNK - 1,
        5 * CHUNK,
        5 * CHUNK + 20_000,
    ] {
        let (plain, cost) = read(&file, &satchel, at..at + 1).unwrap();
        assert_eq!((plain[0], cost), (whole[at as usize], one_chunk), "{at}");
    }
    // The last chunk is shorter.
    let end = satchel.table().size();
    let (plain, cost) = read(&file, &satchel, end - 1..end).unwrap();
    let last = 70_000 % CHUNK + 16 + PREFIX_BYTES as u64;
    assert_eq!((plain, cost), (whole[whole.len() - 1..].to_vec(), last));
    // Nothing costs nothing.
    for at in [0, 7, end] {
        assert_eq!(read(&file, &satchel, at..at), Ok((vec![], 0)));
    }
}

#[test]
#[expect(
    clippy::reversed_empty_ranges,
    reason = "the very thing that is refused"
)]
fn ranges_that_are_not_in_the_work_are_refused() {
    let (file, satchel) = packed(&[100, 100]);
    for range in [200..201, 0..201, 5..4, u64::MAX - 1..u64::MAX] {
        assert_eq!(read(&file, &satchel, range), Err(FormatError::NoSegment));
    }
    assert_eq!(read(&file, &satchel, 0..200).unwrap().0, bytes(200));
}

#[test]
fn altered_chunk_is_refused_and_its_neighbours_are_not() {
    let (mut file, satchel) = packed(&[3 * CHUNK_BYTES as u32]);
    let chunk = &satchel.chunk_ranges(CHUNK..CHUNK + 1).unwrap()[0];
    file[chunk.chunks.start as usize + 5] ^= 1;
    let altered = read(&file, &satchel, CHUNK..CHUNK + 1);
    assert_eq!(altered, Err(FormatError::SegmentAltered));
    // Whoever reads single chunks doesn't notice what was done to the others.
    assert!(read(&file, &satchel, 0..CHUNK).is_ok());
    assert!(read(&file, &satchel, 2 * CHUNK..3 * CHUNK).is_ok());
    let key = satchel
        .unlock(&content_key(3))
        .unwrap()
        .segment_key(0)
        .unwrap();
    let prefix = file[chunk.prefix.start as usize..].first_chunk().unwrap();
    let short = chunk.open(&satchel, &key, prefix, &file[..7]);
    assert_eq!(short, Err(FormatError::SegmentLength));
}

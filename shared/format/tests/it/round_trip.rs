//! Whatever is packed opens again, byte for byte.
use crate::support::*;
use proptest::prelude::*;
use satchel_crypto::cobblestone::CHUNK_BYTES;
use satchel_format::{Description, FormatError, Front, Packer, Segment, Table, Terms, Use};

/// Lengths around which things go wrong.
fn boundary() -> impl Strategy<Value = u32> {
    const CHUNK: u32 = CHUNK_BYTES as u32;
    prop_oneof![
        Just(1),
        Just(15),
        Just(16),
        Just(CHUNK - 1),
        Just(CHUNK),
        Just(CHUNK + 1),
        Just(2 * CHUNK - 1),
        Just(2 * CHUNK),
        1..3 * CHUNK,
    ]
}

fn segments() -> impl Strategy<Value = Vec<Segment>> {
    prop::collection::vec(
        (boundary(), any::<bool>(), 0..5_000_u32, any::<bool>()),
        1..6,
    )
    .prop_map(|parts| {
        let (mut window, mut start_ms) = (0, 0);
        let segment = |(index, (plain_len, next, step, init))| {
            window += u32::from(next && index > 0);
            start_ms += step;
            Segment {
                plain_len,
                window,
                start_ms,
                init,
            }
        };
        parts.into_iter().enumerate().map(segment).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_plan_opens_again(
        segments in segments(),
        preview in prop::collection::vec(any::<u8>(), 0..300),
        title in "[^\\p{Cc}\u{202a}-\u{202e}\u{2066}-\u{2069}]{1,40}",
        usd_micros in 0..10_000_000_000_u64,
        stream in any::<bool>(),
    ) {
        let table = Table::new(segments).unwrap();
        let usage = if stream { Use::Stream } else { Use::Download };
        let description = Description {
            title: title.clone(),
            terms: Terms { pay_more: stream, usd_micros, usage },
            ..description()
        };
        let file = Parts::pack("any", description, table.clone(), &preview).file();
        let plain = open(&file, &content_key(3)).unwrap();
        prop_assert_eq!(plain.len() as u64, table.size());
        prop_assert_eq!(&plain, &bytes(plain.len()));
        let satchel = verify(&file).unwrap();
        prop_assert_eq!(&satchel.manifest().title, &title);
        prop_assert_eq!(satchel.table().segments(), table.segments());

        // A stream buyer opens each segment with the key of its window alone.
        let work = &satchel.manifest().work;
        let root = content_key(3).window_root(work);
        for (index, part) in (0_u32..).zip(table.segments()) {
            let key = root.window_key(work, part.window).segment_key(work, index);
            let opened = satchel.open_segment(index, &key, segment(&satchel, &file, index));
            let range = table.plain_range(index).unwrap();
            prop_assert_eq!(&opened.unwrap(), &plain[range.start as usize..range.end as usize]);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Front::read(&junk);
        let mut headed = b"SATCHEL1".to_vec();
        headed.extend(&junk);
        let _ = Front::read(&headed);
        let mut sized = Parts::pack("junk", description(), table(&[5]), b"").file();
        let at = 24 + junk.len();
        sized[24..at].copy_from_slice(&junk);
        prop_assert!(junk.is_empty() || front(&sized).is_err());
    }
}

#[test]
fn works_of_boundary_sizes_open_again() {
    for size in [0, 1, 16_383, 16_384, 16_385, 1 << 20, (1 << 20) + 1] {
        let table = satchel_format::plan::fixed(size).unwrap();
        let file = Parts::pack("fixed", description(), table, b"").file();
        let plain = open(&file, &content_key(3)).unwrap();
        assert_eq!(plain, bytes(usize::try_from(size).unwrap()), "{size}");
    }
}

#[test]
fn reader_says_how_many_bytes_it_needs() {
    // 400 entries make the header longer than one block.
    let file = Parts::pack("long", description(), table(&vec![1; 400]), b"preview").file();
    let mut have = 0;
    let mut asked = Vec::new();
    let satchel = loop {
        match Front::read(&file[..have]).unwrap() {
            Front::Need(more) => {
                assert!(more > have);
                asked.push(more);
                have = more;
            }
            Front::Ready(satchel) => break satchel,
        }
    };
    assert_eq!(asked, [24, 32_768]);
    assert_eq!(satchel.layout().preview(), 32_768..32_775);
    assert_eq!(satchel.segment_range(0).unwrap().start, 32_775);
    assert_eq!(satchel.segment_range(399).unwrap().end, file.len() as u64);
    assert_eq!(satchel.segment_range(400), Err(FormatError::NoSegment));
}

#[test]
fn packer_wants_exactly_what_was_planned() {
    let new = |description| {
        Packer::new(
            description,
            creator(1),
            &content_key(3),
            table(&[3, 2]),
            Vec::new(),
        )
    };
    let mut packer = new(description()).unwrap();
    assert_eq!(packer.next_len(), Some(3));
    assert_eq!(packer.segment(&[0; 24], b"ab"), Err(FormatError::Plan));
    packer.segment(&[0; 24], b"abc").unwrap();
    assert_eq!(packer.next_len(), Some(2));
    packer.segment(&[0; 24], b"ab").unwrap();
    assert_eq!(packer.next_len(), None);
    assert_eq!(packer.segment(&[0; 24], b""), Err(FormatError::Plan));
    packer.finish().unwrap();
    assert_eq!(
        new(description()).unwrap().finish().unwrap_err(),
        FormatError::Plan
    );
    let untitled = Description {
        title: String::new(),
        ..description()
    };
    assert_eq!(new(untitled).unwrap_err(), FormatError::ManifestShape);
}

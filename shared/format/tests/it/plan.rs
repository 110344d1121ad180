//! Planning media: total, within its limits, and without reading the media themselves.
use crate::support::bytes;
use proptest::prelude::*;
use satchel_format::plan::{self, PlanError, Refusal, Source};

fn boxed(kind: &str, content: &[u8]) -> Vec<u8> {
    let len = content.len() as u32 + 8;
    [&len.to_be_bytes()[..], kind.as_bytes(), content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// A `moov` of one H.264 track with a thousand ticks to a second.
fn moov() -> Vec<u8> {
    let config = boxed("avcC", &[1, 0x42, 0xc0, 0x1e, 0xff]);
    let avc1 = boxed("avc1", &[&[0; 78][..], &config].concat());
    let stsd = boxed("stsd", &[numbers(&[0, 1]), avc1].concat());
    let minf = boxed("minf", &boxed("stbl", &stsd));
    let hdlr = boxed("hdlr", b"\0\0\0\0\0\0\0\0vide");
    let mdhd = boxed("mdhd", &numbers(&[0, 0, 0, 1_000, 0]));
    let mdia = boxed("mdia", &[mdhd, hdlr, minf].concat());
    let tkhd = boxed("tkhd", &numbers(&[0, 0, 0, 1]));
    let trak = boxed("trak", &[tkhd, mdia].concat());
    let trex = boxed("trex", &numbers(&[0, 1, 1, 0, 0, 0]));
    let moov = boxed("moov", &[trak, boxed("mvex", &trex)].concat());
    [boxed("ftyp", b"isom\0\0\0\0"), moov].concat()
}

/// A `moof` of two seconds.
fn moof(start: u32, sync: bool) -> Vec<u8> {
    let flags = if sync { 0 } else { 0x0001_0000 };
    let tfhd = boxed("tfhd", &numbers(&[8 | 32, 1, 2_000, flags]));
    let tfdt = boxed("tfdt", &numbers(&[0, start]));
    let trun = boxed("trun", &numbers(&[0, 1]));
    boxed("moof", &boxed("traf", &[tfhd, tfdt, trun].concat()))
}

/// A file whose media are not there: reading them fails.
#[derive(Default)]
struct Sparse {
    parts: Vec<(u64, Vec<u8>)>,
    size: u64,
    longest: usize,
}

impl Sparse {
    fn add(&mut self, part: Vec<u8>) {
        let at = self.size;
        self.size += part.len() as u64;
        self.parts.push((at, part));
    }

    /// A box of which only the head is there.
    fn hole(&mut self, kind: &str, len: u64) {
        let at = self.size;
        self.add(
            [
                &1_u32.to_be_bytes()[..],
                kind.as_bytes(),
                &len.to_be_bytes(),
            ]
            .concat(),
        );
        self.size = at + len;
    }
}

impl Source for Sparse {
    type Error = u64;

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), u64> {
        self.longest = self.longest.max(buffer.len());
        let end = offset + buffer.len() as u64;
        assert!(end <= self.size, "it reads beyond the end");
        let mut at = offset;
        // What a head is read with may reach into the next part.
        for (start, part) in &self.parts {
            if at >= *start && at < start + part.len() as u64 {
                let from = &part[(at - start) as usize..];
                let len = from.len().min((end - at) as usize);
                let to = (at - offset) as usize;
                buffer[to..to + len].copy_from_slice(&from[..len]);
                at += len as u64;
            }
        }
        if at == end { Ok(()) } else { Err(at) }
    }
}

const MIB: u64 = 1 << 20;

/// A film of such fragments: bytes of media, and whether it begins with a key frame.
fn film(fragments: &[(u64, bool)]) -> Sparse {
    let mut film = Sparse::default();
    film.add(moov());
    for (start, (len, sync)) in (0..).step_by(2_000).zip(fragments) {
        film.add(moof(start, *sync));
        film.hole("mdat", *len);
    }
    film
}

#[test]
fn media_are_not_read_and_fragments_join_up_to_a_limit() {
    let mut film = film(&[
        (20 * MIB, true),
        (10 * MIB, false),
        (20 * MIB, false),
        (MIB, true),
        (20, true),
        (900 * MIB, true),
    ]);
    let plan = plan::mp4(&mut film).unwrap();
    assert_eq!(plan.mse, "video/mp4; codecs=\"avc1.42C01E\"");
    assert_eq!(plan.duration_ms, 12_000);
    assert_eq!(plan.table.size(), film.size);
    let segments = plan.table.segments().iter();
    let told: Vec<_> = segments
        .map(|s| (u64::from(s.plain_len) / MIB, s.window, s.start_ms, s.init))
        .collect();
    assert_eq!(
        told,
        [
            (0, 0, 0, true),
            (30, 0, 0, false),
            (20, 0, 4_000, false),
            (1, 0, 6_000, false),
            (0, 0, 8_000, false),
            (900, 1, 10_000, false),
        ]
    );
    assert!(film.longest < 1_000, "{} bytes at once", film.longest);
    // More than one segment may hold.
    assert_eq!(
        plan::mp4(&mut self::film(&[(1_025 * MIB, true)])).map_err(|error| told_of(&error)),
        Err("malformed")
    );
}

fn told_of<E>(error: &PlanError<E>) -> &'static str {
    match error {
        PlanError::Refused(refusal) => refusal.code(),
        PlanError::Source(_) => "source",
    }
}

#[test]
fn boxes_beyond_their_limits_are_not_read() {
    for (kind, len, code) in [
        ("moov", (64 << 20) + 17, "malformed"),
        ("moof", (16 << 20) + 17, "malformed"),
        ("moov", 1_000, "source"),
    ] {
        let mut film = Sparse::default();
        film.add(moov());
        film.hole(kind, len);
        assert_eq!(
            plan::mp4(&mut film).map_err(|error| told_of(&error)),
            Err(code)
        );
    }
    let many = boxed("free", b"").repeat(1 << 20);
    let many = [moov(), many].concat();
    assert_eq!(
        plan::mp4(&mut &many[..]).map_err(|error| told_of(&error)),
        Err("not_streamable")
    );
    // As many as there may be: then it is the fragments that are missing.
    let most = &many[..many.len() - 16];
    let refused = PlanError::Refused(Refusal::NotFragmented);
    assert_eq!(plan::mp4(&mut &most[..]), Err(refused));
}

#[test]
fn more_windows_than_a_table_holds_are_refused() {
    let mut film = moov();
    for window in 0..=16_384 {
        film.extend(moof(window * 10_000, true));
    }
    assert_eq!(
        plan::mp4(&mut &film[..]).map_err(|error| told_of(&error)),
        Err("too_many_segments")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_planned_or_refused(
        noise in prop::collection::vec(any::<u8>(), 0..3_000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        headers in prop::collection::vec((0xe0..=0xff_u8, any::<u8>(), any::<u8>()), 0..60),
    ) {
        let mut film = [moov(), moof(0, true), boxed("mdat", &bytes(99))].concat();
        film.extend([moof(2_000, false), boxed("mdat", &bytes(50))].concat());
        for (at, byte) in changes {
            let at = at.index(film.len());
            film[at] = byte;
        }
        let song: Vec<u8> = headers.iter()
            .flat_map(|(a, b, c)| [&[0xff, *a, *b, *c][..], &bytes(100)].concat())
            .collect();
        let cut = &film[..cut.index(film.len() + 1)];
        for file in [&noise[..], &film, cut, &song, &[&film[..], &noise].concat()] {
            let head = &file[..file.len().min(plan::SNIFF_BYTES)];
            prop_assert_eq!(plan::sniff(file), plan::sniff(head));
            for plan in [plan::mp4(&mut &file[..]), plan::mp3(&mut &file[..])] {
                match plan {
                    Ok(plan) => prop_assert_eq!(plan.table.size(), file.len() as u64),
                    Err(PlanError::Refused(_)) => {}
                    Err(PlanError::Source(error)) => prop_assert!(false, "read beyond: {error}"),
                }
            }
        }
    }
}

//! Fragmented MP4 (ISO/IEC 14496-12 §8.8), cut at the fragments that begin with a key frame.

use std::collections::BTreeMap;

use super::{
    Refusal,
    boxes::{self, child, children, descend, u32_at, u64_at},
    codec::codec,
    gather::{Gather, MediaPlan, PlanError, Source, read, to_ms},
};

/// A fragment that can't be decoded on its own joins the one before, up to this many bytes.
const JOIN_LIMIT: u64 = 33_554_432;
/// Longest `moov` that is read, in bytes.
const MOOV_LIMIT: u64 = 67_108_864;
/// Longest `moof` that is read, in bytes.
const MOOF_LIMIT: u64 = 16_777_216;
/// Most boxes a file may consist of; what is kept of each fragment takes 24 bytes.
const BOX_LIMIT: u32 = 1_048_576;
/// Bytes of the longest head of a box.
const HEAD_BYTES: u64 = 16;
/// What may stand before a fragment's `moof` and belongs to it.
const LEAD: [&[u8; 4]; 6] = [b"styp", b"sidx", b"emsg", b"prft", b"free", b"skip"];
/// `sample_is_non_sync_sample` of a sample's flags.
const NOT_SYNC: u32 = 0x0001_0000;

const CUT_SHORT: Refusal = Refusal::Damaged("the file is damaged or cut short");

/// Where a fragment lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where it begins: at its `moof`, or at what leads up to it.
    from: u64,
    /// The content of its `moof`.
    content: u64,
    end: u64,
}

/// What the file consists of.
#[derive(Debug, Default)]
struct Shape {
    moov: Option<Vec<u8>>,
    fragments: Vec<Place>,
}

fn shape<S: Source>(source: &mut S) -> Result<Shape, PlanError<S::Error>> {
    let size = source.size();
    let mut shape = Shape::default();
    let (mut at, mut count, mut is_mp4) = (0_u64, 0_u32, false);
    let mut lead: Option<u64> = None;
    while size.saturating_sub(at) >= 8 {
        let most = at.saturating_add(HEAD_BYTES).min(size);
        let bytes = read(source, at, most)?;
        let head = boxes::head(&bytes, size.saturating_sub(at))?;
        let (content, end) = (at.saturating_add(head.before), at.saturating_add(head.size));
        is_mp4 |= count == 0 && &head.kind == b"ftyp";
        count = count.saturating_add(1);
        if count > BOX_LIMIT {
            return Err(Refusal::NotStreamable("it consists of too many pieces").into());
        }
        match &head.kind {
            b"moov" => {
                if end.saturating_sub(content) > MOOV_LIMIT {
                    return Err(Refusal::Malformed("MP4: moov is too large").into());
                }
                shape.moov = Some(read(source, content, end)?);
            }
            b"moof" => {
                if end.saturating_sub(content) > MOOF_LIMIT {
                    return Err(Refusal::Malformed("MP4: moof is too large").into());
                }
                // What leads up to the first fragment is part of the initialisation data.
                let from = lead.filter(|_| !shape.fragments.is_empty()).unwrap_or(at);
                shape.fragments.push(Place { from, content, end });
            }
            _ => {}
        }
        lead = if LEAD.contains(&&head.kind) {
            lead.or(Some(at))
        } else {
            None
        };
        at = end;
    }
    if !is_mp4 && shape.moov.is_none() {
        return Err(Refusal::NotStreamable("it is not an MP4 file").into());
    }
    if at != size {
        return Err(CUT_SHORT.into());
    }
    Ok(shape)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Video,
    Audio,
    Other,
}

#[derive(Debug)]
struct Track {
    id: u32,
    kind: Kind,
    timescale: u32,
    codec: Option<String>,
    /// Media time at which presentation begins.
    shift: i128,
}

impl Track {
    fn read(trak: &[u8]) -> Result<Self, Refusal> {
        let tkhd = child(trak, *b"tkhd", 0)?;
        let mdhd = descend(trak, &[*b"mdia", *b"mdhd"])?;
        let hdlr = descend(trak, &[*b"mdia", *b"hdlr"])?;
        let stsd = descend(trak, &[*b"mdia", *b"minf", *b"stbl", *b"stsd"])?;
        let (Some(tkhd), Some(mdhd), Some(hdlr), Some(stsd)) = (tkhd, mdhd, hdlr, stsd) else {
            return Err(Refusal::Malformed("MP4: track without its boxes"));
        };
        let kind = match hdlr.get(8..12) {
            Some(b"vide") => Kind::Video,
            Some(b"soun") => Kind::Audio,
            _ => Kind::Other,
        };
        // Version 1 has times of eight bytes before it.
        let at = |bytes: &[u8]| if bytes.first() == Some(&1) { 20 } else { 12 };
        let elst = descend(trak, &[*b"edts", *b"elst"])?;
        Ok(Self {
            id: u32_at(tkhd, at(tkhd))?,
            kind,
            timescale: u32_at(mdhd, at(mdhd))?,
            codec: codec(stsd, kind == Kind::Video)?,
            shift: elst.map_or(Ok(0), edit_shift)?,
        })
    }
}

/// Media time at which presentation begins: the first edit that isn't empty.
fn edit_shift(elst: &[u8]) -> Result<i128, Refusal> {
    let wide = elst.first() == Some(&1);
    let mut at = 8_usize;
    // Ends with the box at the latest, whatever the count says.
    for _ in 0..u32_at(elst, 4)? {
        let (time, empty) = if wide {
            (u64_at(elst, at.saturating_add(8))?, u64::MAX)
        } else {
            let time = u32_at(elst, at.saturating_add(4))?;
            (u64::from(time), u64::from(u32::MAX))
        };
        if time != empty && time < 1 << 53 {
            return Ok(i128::from(time));
        }
        at = at.saturating_add(if wide { 20 } else { 12 });
    }
    Ok(0)
}

/// What a track's `trex` says of samples nothing else is said of.
#[derive(Debug, Clone, Copy, Default)]
struct Defaults {
    duration: u32,
    flags: u32,
}

/// What a `moof` says of the track that times are taken from.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    start: i128,
    end: i128,
    sync: bool,
}

impl Fragment {
    /// `None` where it holds nothing of that track.
    fn read(moof: &[u8], track: u32, defaults: Defaults) -> Result<Option<Self>, Refusal> {
        for found in children(moof, 0) {
            let (b"traf", traf) = found? else {
                continue;
            };
            let Some(tfhd) = child(traf, *b"tfhd", 0)? else {
                continue;
            };
            if u32_at(tfhd, 4)? == track {
                return Self::of(traf, tfhd, defaults).map(Some);
            }
        }
        Ok(None)
    }

    fn of(traf: &[u8], tfhd: &[u8], mut defaults: Defaults) -> Result<Self, Refusal> {
        let has = u32_at(tfhd, 0)?;
        let mut fields = Fields { bytes: tfhd, at: 8 };
        fields.skip(has, &[(1, 8), (2, 4)]);
        defaults.duration = fields.take(has, 8)?.unwrap_or(defaults.duration);
        fields.skip(has, &[(16, 4)]);
        defaults.flags = fields.take(has, 32)?.unwrap_or(defaults.flags);
        let tfdt = child(traf, *b"tfdt", 0)?;
        let tfdt = tfdt.ok_or(Refusal::NotStreamable("a fragment has no start time"))?;
        let start = if tfdt.first() == Some(&1) {
            u64_at(tfdt, 4)?
        } else {
            u64::from(u32_at(tfdt, 4)?)
        };
        let start = i128::from(start);
        let mut length = 0_i128;
        let mut first: Option<Run> = None;
        for found in children(traf, 0) {
            let (b"trun", trun) = found? else {
                continue;
            };
            let run = Run::read(trun, defaults)?;
            length = length.saturating_add(i128::from(run.duration));
            first = first.or(Some(run));
        }
        let offset = first.map_or(0, |run| run.offset);
        Ok(Self {
            start: start.saturating_add(i128::from(offset)),
            end: start.saturating_add(length),
            sync: first.map_or(defaults.flags, |run| run.flags) & NOT_SYNC == 0,
        })
    }
}

/// A run of samples.
#[derive(Debug, Clone, Copy)]
struct Run {
    duration: u64,
    /// Flags of its first sample.
    flags: u32,
    /// Composition offset of its first sample.
    offset: i32,
}

impl Run {
    fn read(trun: &[u8], defaults: Defaults) -> Result<Self, Refusal> {
        let has = u32_at(trun, 0)?;
        let count = u32_at(trun, 4)?;
        let mut fields = Fields { bytes: trun, at: 8 };
        fields.skip(has, &[(1, 4)]);
        let own = fields.take(has, 4)?;
        let mut flags = own.unwrap_or(defaults.flags);
        let set = [0x100, 0x200, 0x400, 0x800].map(|bit| u8::from(has & bit != 0));
        let step = set.iter().fold(0_usize, |sum, set| {
            sum.saturating_add(usize::from(*set).saturating_mul(4))
        });
        let wanted = usize::try_from(count).map_or(usize::MAX, |n| n.saturating_mul(step));
        let samples = trun.get(fields.at..).filter(|left| left.len() >= wanted);
        let samples = samples.ok_or(Refusal::Malformed("MP4: trun ends too early"))?;
        let mut duration = u64::from(defaults.duration).saturating_mul(u64::from(count));
        if has & 0x100 != 0 {
            duration = 0;
            let own = samples.get(..wanted).unwrap_or_default();
            for sample in own.chunks_exact(step.max(1)) {
                duration = duration.saturating_add(u64::from(u32_at(sample, 0)?));
            }
        }
        let mut offset = 0;
        if count > 0 {
            let mut sample = Fields {
                bytes: samples,
                at: 0,
            };
            sample.skip(has, &[(0x100, 4), (0x200, 4)]);
            let first = sample.take(has, 0x400)?;
            flags = own.or(first).unwrap_or(flags);
            // Version 1 offsets are signed; version 0 ones above 2^31 are not real either.
            offset = sample.take(has, 0x800)?.unwrap_or(0).cast_signed();
        }
        Ok(Self {
            duration,
            flags,
            offset,
        })
    }
}

/// Fields that are there where a flag is set.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn skip(&mut self, has: u32, fields: &[(u32, usize)]) {
        for (bit, len) in fields {
            if has & bit != 0 {
                self.at = self.at.saturating_add(*len);
            }
        }
    }

    fn take(&mut self, has: u32, bit: u32) -> Result<Option<u32>, Refusal> {
        if has & bit == 0 {
            return Ok(None);
        }
        let value = u32_at(self.bytes, self.at)?;
        self.at = self.at.saturating_add(4);
        Ok(Some(value))
    }
}

/// What a plan needs of the `moov`.
struct Movie {
    /// The track that times are taken from: the first with a picture, otherwise the first at all.
    id: u32,
    timescale: u32,
    shift: i128,
    defaults: Defaults,
    mse: String,
}

impl Movie {
    fn read(moov: &[u8], fragmented: bool) -> Result<Self, Refusal> {
        let mvex = child(moov, *b"mvex", 0)?.filter(|_| fragmented);
        let mvex = mvex.ok_or(Refusal::NotFragmented)?;
        let mut tracks = Vec::new();
        for found in children(moov, 0) {
            if let (b"trak", trak) = found? {
                tracks.push(Track::read(trak)?);
            }
        }
        let mut defaults = BTreeMap::new();
        for found in children(mvex, 0) {
            if let (b"trex", trex) = found? {
                let (duration, flags) = (u32_at(trex, 12)?, u32_at(trex, 20)?);
                defaults.insert(u32_at(trex, 4)?, Defaults { duration, flags });
            }
        }
        tracks.retain(|track| track.kind != Kind::Other);
        let track = tracks
            .iter()
            .find(|track| track.kind == Kind::Video)
            .or(tracks.first())
            .ok_or(Refusal::NotStreamable("it has neither sound nor picture"))?;
        let codecs: Option<Vec<&str>> = tracks.iter().map(|one| one.codec.as_deref()).collect();
        let codecs = codecs.ok_or(Refusal::NotStreamable(
            "it holds a kind of sound or picture that players here do not know",
        ))?;
        if track.timescale == 0 {
            return Err(Refusal::Malformed("MP4: timescale"));
        }
        let kind = if track.kind == Kind::Video {
            "video"
        } else {
            "audio"
        };
        Ok(Self {
            id: track.id,
            timescale: track.timescale,
            shift: track.shift,
            defaults: defaults.get(&track.id).copied().unwrap_or_default(),
            mse: format!("{kind}/mp4; codecs=\"{}\"", codecs.join(", ")),
        })
    }
}

/// The plan of a fragmented MP4. Memory: its `moov`, one `moof`, and 24 bytes for each fragment.
///
/// [`Refusal::NotFragmented`] where remuxing would help; the other refusals where it wouldn't.
pub fn mp4<S: Source>(source: &mut S) -> Result<MediaPlan, PlanError<S::Error>> {
    let shape = shape(source)?;
    let movie = Movie::read(&shape.moov.ok_or(CUT_SHORT)?, !shape.fragments.is_empty())?;
    let mut gather = Gather::default();
    gather.init(shape.fragments.first().map_or(0, |first| first.from));
    let mut ends = 0_i128;
    let mut open: Option<(u64, i128)> = None;
    let mut places = shape.fragments.iter().peekable();
    while let Some(place) = places.next() {
        let next = places.peek().map_or(source.size(), |next| next.from);
        let length = next.saturating_sub(place.from);
        let moof = read(source, place.content, place.end)?;
        let found = Fragment::read(&moof, movie.id, movie.defaults)?;
        let mut start = 0;
        if let Some(found) = found {
            ends = ends.max(found.end.saturating_sub(movie.shift));
            start = to_ms(found.start.saturating_sub(movie.shift), movie.timescale);
        }
        // Only a fragment of the timing track that begins with a key frame is a point to seek to.
        let sync = found.is_some_and(|found| found.sync);
        open = Some(match open {
            Some((len, ms)) if !sync && len.saturating_add(length) <= JOIN_LIMIT => {
                (len.saturating_add(length), ms)
            }
            Some((len, ms)) => {
                gather.push(len, ms)?;
                (length, start)
            }
            None => (length, start),
        });
    }
    if let Some((len, ms)) = open {
        gather.push(len, ms)?;
    }
    Ok(gather.finish(movie.mse, to_ms(ends, movie.timescale))?)
}

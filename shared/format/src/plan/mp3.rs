//! MP3 (ISO/IEC 11172-3 and 13818-3, Layer III; and MPEG-2.5), cut at its frames.

use super::{
    Refusal,
    gather::{Gather, MediaPlan, PlanError, Source, read, to_ms},
};

/// Bytes that are read at once.
const STEP_BYTES: u64 = 1_048_576;
/// A buffer with less than this left is filled anew: more than any frame is long.
const SPARE_BYTES: usize = 2_048;
/// A few bytes that look like a header are no music: at least this many frames are.
const LEAST_FRAMES: u64 = 10;
/// A fraction of a second of which every sampling rate has a whole number to a sample, so that
/// sums are exact and equal everywhere: the least common multiple of the rates.
const TICKS_PER_SECOND: u32 = 14_112_000;
/// Bytes of an ID3v2 tag's header.
const ID3_BYTES: u64 = 10;

/// Kilobits per second by the header's index, of MPEG-1; 0 is for none.
const KBPS: [u16; 16] = [
    0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0,
];
/// Of MPEG-2 and 2.5.
const KBPS_LOW: [u16; 16] = [
    0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0,
];

#[derive(Debug, Clone, Copy)]
struct Frame {
    len: u16,
    /// How long it sounds.
    ticks: u32,
    /// Bytes of side information, behind which an encoder's table begins.
    side: usize,
}

impl Frame {
    /// Reads a frame's header from the first four bytes.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [0xff, sync, rates, mode, ..] = *bytes else {
            return None;
        };
        if sync & 0xe6 != 0xe2 {
            return None;
        }
        let (divisor, first) = match (sync >> 3) & 3 {
            3 => (1, true),
            2 => (2, false),
            0 => (4, false),
            _ => return None,
        };
        let hertz = match (rates >> 2) & 3 {
            0 => 44_100_u32,
            1 => 48_000,
            2 => 32_000,
            _ => return None,
        }
        .checked_div(divisor)?;
        let kbps = *if first { KBPS } else { KBPS_LOW }.get(usize::from(rates >> 4))?;
        if kbps == 0 {
            return None;
        }
        let samples = if first { 1_152_u32 } else { 576 };
        // samples / 8 bits, 1000 bits: below 2^26.
        let bytes = (samples / 8)
            .checked_mul(u32::from(kbps))?
            .checked_mul(1_000)?
            .checked_div(hertz)?;
        let mono = mode >> 6 == 3;
        Some(Self {
            len: u16::try_from(bytes.checked_add(u32::from((rates >> 1) & 1))?).ok()?,
            ticks: TICKS_PER_SECOND.checked_div(hertz)?.checked_mul(samples)?,
            side: match (first, mono) {
                (true, false) => 32,
                (true, true) | (false, false) => 17,
                (false, true) => 9,
            },
        })
    }

    /// Whether it carries an encoder's table (Xing, Info, VBRI) and no sound; `bytes` begin with it.
    fn is_table(&self, bytes: &[u8]) -> bool {
        let tag = |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk::<4>());
        matches!(tag(self.side.saturating_add(4)), Some(b"Xing" | b"Info"))
            || tag(36) == Some(b"VBRI")
    }
}

/// Whether `bytes` begin with a frame's header.
pub(crate) fn is_frame(bytes: &[u8]) -> bool {
    Frame::read(bytes).is_some()
}

/// Whether a frame stands at `at` that another one follows, as far as can be seen.
fn followed(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(frame) = Frame::read(rest) else {
        return false;
    };
    let next = rest.get(usize::from(frame.len)..).unwrap_or_default();
    next.len() < 4 || is_frame(next)
}

/// A frame, and where it stands.
#[derive(Debug, Clone, Copy)]
struct Found {
    at: u64,
    frame: Frame,
    /// Whether it carries an encoder's table and no sound.
    table: bool,
}

/// Walks the frames with one buffer of [`STEP_BYTES`].
struct Frames {
    base: u64,
    at: usize,
    bytes: Vec<u8>,
}

impl Frames {
    fn new<S: Source>(source: &mut S, from: u64) -> Result<Self, PlanError<S::Error>> {
        let mut frames = Self {
            base: from,
            at: 0,
            bytes: Vec::new(),
        };
        frames.fill(source)?;
        Ok(frames)
    }

    fn fill<S: Source>(&mut self, source: &mut S) -> Result<(), PlanError<S::Error>> {
        self.base = self.position();
        self.at = 0;
        let end = self.base.saturating_add(STEP_BYTES).min(source.size());
        self.bytes = read(source, self.base, end)?;
        Ok(())
    }

    fn position(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// The next frame.
    fn next<S: Source>(&mut self, source: &mut S) -> Result<Option<Found>, PlanError<S::Error>> {
        loop {
            let buffered = self.base.saturating_add(self.bytes.len() as u64);
            let more = buffered < source.size();
            if more && self.at.saturating_add(SPARE_BYTES) > self.bytes.len() {
                self.fill(source)?;
                continue;
            }
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let position = self.position();
            if let Some(frame) = Frame::read(rest) {
                if position.saturating_add(u64::from(frame.len)) > source.size() {
                    return Ok(None);
                }
                self.at = self.at.saturating_add(usize::from(frame.len));
                return Ok(Some(Found {
                    at: position,
                    frame,
                    table: frame.is_table(rest),
                }));
            }
            if position >= source.size() || rest.starts_with(b"TAG") || rest.starts_with(b"APE") {
                return Ok(None);
            }
            // Damage inside the music is skipped as a player would: to the next header that
            // another one follows.
            let next = self.at.saturating_add(1);
            let last = self.bytes.len().saturating_sub(3);
            self.at = match (next..last).find(|at| followed(&self.bytes, *at)) {
                Some(found) => found,
                None if !more => return Ok(None),
                None => next.max(self.bytes.len().saturating_sub(SPARE_BYTES)),
            };
        }
    }
}

/// Bytes of the ID3v2 tag at the file's start.
fn id3_len(head: &[u8]) -> u64 {
    let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = *head else {
        return 0;
    };
    let [a, b, c, d] = [a, b, c, d].map(u64::from);
    let footer = if flags & 0x10 == 0 { 0 } else { ID3_BYTES };
    (a << 21 | b << 14 | c << 7 | d)
        .saturating_add(ID3_BYTES)
        .saturating_add(footer)
}

/// The plan of an MP3, whose bytes stay as they are: what comes before the first sound (tags,
/// encoder's table) is initialisation data. Memory: one buffer of a mebibyte.
pub fn mp3<S: Source>(source: &mut S) -> Result<MediaPlan, PlanError<S::Error>> {
    let size = source.size();
    let head = read(source, 0, ID3_BYTES.min(size))?;
    let mut frames = Frames::new(source, id3_len(&head).min(size))?;
    let mut gather = Gather::default();
    let (mut init, mut count, mut ticks) = (0, 0_u64, 0_u64);
    let mut previous: Option<(u64, i128)> = None;
    while let Some(Found { at, frame, table }) = frames.next(source)? {
        match previous {
            None if table => continue,
            None => init = at,
            Some((from, ms)) => gather.push(at.saturating_sub(from), ms)?,
        }
        previous = Some((at, to_ms(i128::from(ticks), TICKS_PER_SECOND)));
        ticks = ticks.saturating_add(u64::from(frame.ticks));
        count = count.saturating_add(1);
    }
    // What follows the last frame (ID3v1, APE) stays with it.
    let last = previous.filter(|_| count >= LEAST_FRAMES);
    let (from, ms) = last.ok_or(Refusal::NotStreamable("no MP3 sound was found in it"))?;
    gather.push(size.saturating_sub(from), ms)?;
    gather.init(init);
    let duration_ms = to_ms(i128::from(ticks), TICKS_PER_SECOND);
    Ok(gather.finish("audio/mpeg".to_owned(), duration_ms)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_has_whole_ticks_to_a_sample() {
        for header in [[0xff_u8, 0xfb], [0xff, 0xf3], [0xff, 0xe3]] {
            for rate in 0..3_u8 {
                let frame = Frame::read(&[header[0], header[1], 0x90 | rate << 2, 0]).unwrap();
                let version = (header[1] >> 3) & 3;
                let hertz = [44_100, 48_000, 32_000][usize::from(rate)]
                    / [4, 1, 2, 1][usize::from(version)];
                assert_eq!(TICKS_PER_SECOND % hertz, 0);
                let samples = if version == 3 { 1_152 } else { 576 };
                assert_eq!(frame.ticks, TICKS_PER_SECOND / hertz * samples);
            }
        }
    }

    #[test]
    fn tags_length_counts_header_and_footer() {
        assert_eq!(id3_len(b"ID3\x04\0\0\0\0\x02\x01"), 10 + 257);
        assert_eq!(id3_len(b"ID3\x04\0\x10\0\0\0\x01"), 21);
        assert_eq!(id3_len(b"ID3\x04\0\0\0\0\0"), 0);
        assert_eq!(id3_len(b"TAG\x04\0\0\0\0\0\0"), 0);
    }
}

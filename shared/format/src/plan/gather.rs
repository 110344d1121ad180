//! Fragments gathered into segments and windows (FORMAT §2), and what planners have in common.

use core::fmt;

use crate::{
    FormatError, Segment, Table,
    header::{MAX_FILE_BYTES, MAX_SEGMENTS},
    table::MAX_SEGMENT_BYTES,
};

/// A window is this long, in milliseconds of presentation time.
const WINDOW_MS: u32 = 10_000;
/// A segment with this many bytes takes no further fragment.
const ENOUGH: u64 = 262_144;

/// A file that is read by ranges: a planner needs a small part of it.
pub trait Source {
    /// Why a range can't be read.
    type Error;

    /// Bytes of the whole file.
    fn size(&self) -> u64;

    /// Fills `buffer` with the bytes from `offset` on. Planners stay within [`Source::size`]; where
    /// the file ends sooner than it said, that is an error and never a shorter answer.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Self::Error>;
}

impl Source for &[u8] {
    type Error = FormatError;

    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let from = usize::try_from(offset).map_err(|_| FormatError::FileSize)?;
        let bytes = self
            .get(from..)
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or(FormatError::FileSize)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Reads `from..to`, which must be known to be within a limit of memory.
pub(super) fn read<S: Source>(
    source: &mut S,
    from: u64,
    to: u64,
) -> Result<Vec<u8>, PlanError<S::Error>> {
    let len = usize::try_from(to.saturating_sub(from))
        .map_err(|_| Refusal::Malformed("more than memory can hold"))?;
    let mut bytes = vec![0; len];
    source
        .read_at(from, &mut bytes)
        .map_err(PlanError::Source)?;
    Ok(bytes)
}

/// How a `stream` work is cut, and what its manifest says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlan {
    /// The segments; together they are every byte of the file, in order.
    pub table: Table,
    /// The manifest's `mse`: the type for Media Source Extensions.
    pub mse: String,
    /// The manifest's `duration_ms`.
    pub duration_ms: u64,
}

impl MediaPlan {
    /// The media type alone, without its parameters: `video/mp4`, `audio/mp4` or `audio/mpeg`.
    #[must_use]
    pub fn media_type(&self) -> &str {
        self.mse
            .split_once(';')
            .map_or(self.mse.as_str(), |(media_type, _)| media_type)
    }
}

/// Why a file can't be streamed as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An MP4 that is not fragmented: no place in it to cut. Remuxing helps.
    NotFragmented,
    /// Not media that is known here; says why. Converting it may help.
    NotStreamable(&'static str),
    /// Cut short or damaged; says how.
    Damaged(&'static str),
    /// It contradicts its own format; says where.
    Malformed(&'static str),
    /// More segments than a table may have.
    TooManySegments,
}

impl Refusal {
    /// A stable name, as `sdk/js` gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFragmented => "not_fragmented",
            Self::NotStreamable(_) | Self::Damaged(_) => "not_streamable",
            Self::Malformed(_) => "malformed",
            Self::TooManySegments => "too_many_segments",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFragmented => "this MP4 has to be rearranged for streaming",
            Self::NotStreamable(why) | Self::Damaged(why) | Self::Malformed(why) => why,
            Self::TooManySegments => "it is too long to be streamed in one piece",
        })
    }
}

impl core::error::Error for Refusal {}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanError<E> {
    /// The file can't be read.
    Source(E),
    /// It can be read, but not streamed as it is.
    Refused(Refusal),
}

impl<E> From<Refusal> for PlanError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What is gathered of one segment.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    len: u64,
    window: u32,
    start_ms: u32,
    init: bool,
}

/// Gathers fragments into segments and windows; memory is bounded by [`MAX_SEGMENTS`].
#[derive(Debug, Default)]
pub(super) struct Gather {
    segments: Vec<Gathered>,
    window_start: u32,
    /// Whether the last segment holds samples.
    open: bool,
}

impl Gather {
    /// Initialisation data, `len` bytes of it, stands before everything; 0 for none.
    pub(super) fn init(&mut self, len: u64) {
        if len > 0 {
            let init = Gathered {
                len,
                window: 0,
                start_ms: 0,
                init: true,
            };
            self.segments.insert(0, init);
        }
    }

    /// Takes the next fragment: `len` bytes, presented from `start_ms` on.
    pub(super) fn push(&mut self, len: u64, start_ms: i128) -> Result<(), Refusal> {
        let last = self.segments.last().copied();
        // Clocks of some encoders step back by a millisecond; the table may not.
        let earliest = last.map_or(0, |last| last.start_ms);
        let start = u32::try_from(start_ms.max(i128::from(earliest)))
            .map_err(|_| Refusal::Malformed("a time beyond what the table can hold"))?;
        let current = last.filter(|_| self.open);
        let first = current.is_none();
        if first {
            self.window_start = start;
        }
        let turn = start.checked_sub(self.window_start) >= Some(WINDOW_MS);
        let full = current.is_some_and(|current| current.len >= ENOUGH);
        if first || turn || full {
            if turn {
                self.window_start = start;
            }
            if self.segments.len() >= MAX_SEGMENTS as usize {
                return Err(Refusal::TooManySegments);
            }
            let window = current.map_or(0, |current| current.window);
            self.segments.push(Gathered {
                len: 0,
                window: window.saturating_add(u32::from(turn)),
                start_ms: start,
                init: false,
            });
            self.open = true;
        }
        if let Some(current) = self.segments.last_mut() {
            current.len = current.len.saturating_add(len);
        }
        Ok(())
    }

    /// The plan of everything that was taken.
    pub(super) fn finish(self, mse: String, duration_ms: i128) -> Result<MediaPlan, Refusal> {
        let segment = |gathered: Gathered| Segment {
            // Beyond the limit, so that the table refuses it.
            plain_len: u32::try_from(gathered.len).unwrap_or(MAX_SEGMENT_BYTES.saturating_add(1)),
            window: gathered.window,
            start_ms: gathered.start_ms,
            init: gathered.init,
        };
        let segments = self.segments.into_iter().map(segment).collect();
        let table = Table::new(segments).map_err(|error| match error {
            FormatError::TooLarge => Refusal::TooManySegments,
            _ => Refusal::Malformed("a fragment is empty or longer than a segment may be"),
        })?;
        let duration_ms = u64::try_from(duration_ms.max(0))
            .ok()
            .filter(|ms| *ms <= MAX_FILE_BYTES)
            .ok_or(Refusal::Malformed("it lasts longer than can be written"))?;
        Ok(MediaPlan {
            table,
            mse,
            duration_ms,
        })
    }
}

/// `⌊units × 1000 / per_second + ½⌋`: to the nearest millisecond, halves up. 0 where `per_second` is.
pub(super) fn to_ms(units: i128, per_second: u32) -> i128 {
    let per_second = i128::from(per_second);
    let twice = units.saturating_mul(2_000).saturating_add(per_second);
    twice
        .checked_div_euclid(per_second.saturating_mul(2))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(init: u64, fragments: &[(u64, i128)]) -> Vec<(u32, u32, u32)> {
        let mut gather = Gather::default();
        gather.init(init);
        for (len, start_ms) in fragments {
            gather.push(*len, *start_ms).unwrap();
        }
        let plan = gather.finish(String::new(), 0).unwrap();
        let segments = plan.table.segments().iter();
        segments
            .map(|s| (s.plain_len, s.window, s.start_ms))
            .collect()
    }

    #[test]
    fn fragments_are_gathered_until_there_is_enough_or_the_window_ends() {
        let most = u32::try_from(ENOUGH).unwrap();
        assert_eq!(
            planned(
                7,
                &[
                    (ENOUGH - 1, 20),
                    (1, 500),
                    (5, 900),
                    (6, 10_019),
                    (8, 10_020)
                ]
            ),
            [(7, 0, 0), (most, 0, 20), (11, 0, 900), (8, 1, 10_020)]
        );
        // A clock that steps back, or begins before zero, does not: the table may not decrease.
        assert_eq!(
            planned(0, &[(ENOUGH, -9), (ENOUGH, 40), (3, 39)]),
            [(most, 0, 0), (most, 0, 40), (3, 0, 40)]
        );
    }

    #[test]
    fn what_no_table_can_hold_is_refused() {
        let mut gather = Gather::default();
        assert_eq!(
            gather.push(1, i128::from(u32::MAX) + 1).unwrap_err().code(),
            "malformed"
        );
        for window in 0..i128::from(MAX_SEGMENTS) {
            gather.push(1, window * 10_000).unwrap();
        }
        assert_eq!(
            gather.push(1, i128::from(MAX_SEGMENTS) * 10_000),
            Err(Refusal::TooManySegments)
        );
        let long = |len| {
            let mut gather = Gather::default();
            gather.push(len, 0).unwrap();
            gather.finish(String::new(), 0).is_ok()
        };
        assert!(long(1 << 30) && !long((1 << 30) + 1) && !long(u64::MAX));
    }

    #[test]
    fn milliseconds_are_rounded_as_javascript_rounds_them() {
        for (units, per_second, ms) in [
            (1, 2_000, 1),
            (-1, 2_000, 0),
            (1_024, 44_100, 23),
            (0, 1, 0),
            (3, 2_000, 2),
            (-3, 2_000, -1),
        ] {
            assert_eq!(to_ms(units, per_second), ms, "{units}/{per_second}");
        }
        assert_eq!(to_ms(5, 0), 0);
    }
}

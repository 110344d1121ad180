//! Segment plans (FORMAT §2, "Plan"): where a work is cut before it is packed.
//!
//! [`fixed`] cuts anything by length. [`mp4()`] and [`mp3()`] cut media where a player can begin, and
//! read it over [`Source`], by ranges and with bounded memory. `sdk/js/src/plan.js` gives the same
//! plans; `cli/tests/it/stream.rs` compares them. Files that aren't cut into fragments are refused:
//! rearranging them is somebody else's work.

mod boxes;
mod codec;
mod gather;
mod mp3;
mod mp4;

pub use gather::{MediaPlan, PlanError, Refusal, Source};
pub(crate) use mp3::is_frame as is_mp3_frame;
pub use mp3::mp3;
pub use mp4::mp4;

use crate::{FormatError, Segment, Table, table::MAX_SEGMENT_BYTES};

/// Segments of works that are not streamed are a multiple of this many bytes.
pub const STEP_BYTES: u64 = 1 << 20;
/// Such a work is cut into about this many segments at most.
pub const TARGET_SEGMENTS: u64 = 16_000;
/// Bytes of a file's beginning that [`sniff`] looks at.
pub const SNIFF_BYTES: usize = 12;

/// What a file is by its content; names and media types lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// MP4, fragmented or not.
    Mp4,
    /// MP3, with or without an ID3v2 tag.
    Mp3,
    /// WebM or Matroska.
    Webm,
    /// Anything else.
    Other,
}

/// Tells the kind from the file's first [`SNIFF_BYTES`] bytes; more may follow, fewer is no fault.
#[must_use]
pub fn sniff(head: &[u8]) -> Kind {
    const BOXES: [&[u8]; 6] = [b"ftyp", b"styp", b"moov", b"moof", b"wide", b"mdat"];
    if head.get(4..8).is_some_and(|kind| BOXES.contains(&kind)) {
        Kind::Mp4
    } else if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        Kind::Webm
    } else if head.starts_with(b"ID3") || is_mp3_frame(head) {
        Kind::Mp3
    } else {
        Kind::Other
    }
}

/// Cuts `size` bytes every `max(1 MiB, ⌈size / 16,000 / 1 MiB⌉ MiB)`, one window per segment.
/// [`FormatError::TooLarge`] where that would be more than 1 GiB a segment.
pub fn fixed(size: u64) -> Result<Table, FormatError> {
    let too_large = FormatError::TooLarge;
    let most = TARGET_SEGMENTS.checked_mul(STEP_BYTES).ok_or(too_large)?;
    let step = size
        .div_ceil(most)
        .max(1)
        .checked_mul(STEP_BYTES)
        .ok_or(too_large)?;
    if step > u64::from(MAX_SEGMENT_BYTES) {
        return Err(too_large);
    }
    let count = size.div_ceil(step).max(1);
    let mut segments = Vec::new();
    let mut left = size;
    for window in 0..u32::try_from(count).map_err(|_| too_large)? {
        let plain_len = u32::try_from(left.min(step)).map_err(|_| too_large)?;
        left = left.saturating_sub(step);
        segments.push(Segment {
            plain_len,
            window,
            start_ms: 0,
            init: false,
        });
    }
    Table::new(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_plan_covers_every_byte_once() {
        const MIB: u64 = STEP_BYTES;
        for (size, count, first) in [
            (0, 1, 0),
            (1, 1, 1),
            (MIB, 1, MIB),
            (MIB + 1, 2, MIB),
            (16_000 * MIB, 16_000, MIB),
            (16_000 * MIB + 1, 8_001, 2 * MIB),
            (16_000 << 30, 16_000, 1 << 30),
        ] {
            let table = fixed(size).unwrap();
            assert_eq!(table.size(), size);
            assert_eq!(u64::from(table.count()), count, "{size}");
            assert_eq!(u64::from(table.segments()[0].plain_len), first);
            assert_eq!(table.windows(), table.count());
        }
        assert_eq!(fixed((16_000 << 30) + 1), Err(FormatError::TooLarge));
        assert_eq!(fixed(u64::MAX), Err(FormatError::TooLarge));
    }
}

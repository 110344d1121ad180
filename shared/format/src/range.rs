//! Random access: which ciphertext a range of a work needs, and how to open it.
//!
//! Nothing but the touched chunks and the 56 bytes before their segment's first is read, so a
//! segment's `leaf` can't be compared. **What comes out MUST NOT be called genuine** (FORMAT §4):
//! tags tell that somebody who has the key sealed these bytes, and every buyer has the key. Whoever
//! needs to know that they are the creator's reads whole segments and asks
//! [`Satchel::open_segment`](crate::Satchel::open_segment).

use core::ops::Range;

use satchel_crypto::cobblestone::{CHUNK_BYTES, PREFIX_BYTES, SEALED_CHUNK_BYTES};

use crate::{FormatError, Satchel, SegmentKey};

const CHUNK: u64 = CHUNK_BYTES as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_BYTES as u64;
const PREFIX: u64 = PREFIX_BYTES as u64;

/// What a range touches of one segment; positions are of bytes in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Index of the segment; its window's key opens it.
    pub segment: u32,
    /// The segment's first 56 bytes, which opening any chunk needs.
    pub prefix: Range<u64>,
    /// The ciphertext of the touched chunks, one after another.
    pub chunks: Range<u64>,
    /// Index of the first of them in the segment.
    first: u64,
    /// Index of the segment's last chunk.
    last: u64,
    /// The wanted bytes, counted from the first touched chunk's plaintext.
    wanted: Range<usize>,
}

impl Touched {
    /// The wanted plaintext, from the bytes at `prefix` and at `chunks`. Memory: the chunks again.
    ///
    /// [`FormatError::SegmentLength`] where these have another length, [`FormatError::SegmentKey`]
    /// and [`FormatError::SegmentAltered`] where they don't open. That they open does not make them
    /// the creator's: a reader of single chunks MUST NOT call the result genuine.
    pub fn open(
        &self,
        satchel: &Satchel,
        key: &SegmentKey,
        prefix: &[u8; PREFIX_BYTES],
        chunks: &[u8],
    ) -> Result<Vec<u8>, FormatError> {
        let len = self.chunks.end.saturating_sub(self.chunks.start);
        if u64::try_from(chunks.len()) != Ok(len) {
            return Err(FormatError::SegmentLength);
        }
        let opener = key.opener(&satchel.manifest().work, self.segment, prefix)?;
        let mut plain = Vec::with_capacity(chunks.len());
        for (index, chunk) in (self.first..).zip(chunks.chunks(SEALED_CHUNK_BYTES)) {
            opener.chunk(index, index == self.last, chunk, &mut plain)?;
        }
        plain.truncate(self.wanted.end);
        let from = self.wanted.start.min(plain.len());
        Ok(plain.split_off(from))
    }
}

impl Satchel {
    /// What the plaintext bytes `range` of the work touch, segment by segment in their order: what
    /// [`Touched::open`] gives, one after another, is those bytes. An empty range touches nothing.
    ///
    /// [`FormatError::NoSegment`] where the range is reversed or ends beyond the work. Single
    /// chunks prove nothing about their segment: see this module's documentation.
    pub fn chunk_ranges(&self, range: Range<u64>) -> Result<Vec<Touched>, FormatError> {
        if range.start > range.end || range.end > self.table().size() {
            return Err(FormatError::NoSegment);
        }
        let mut touched = Vec::new();
        for index in 0..self.table().count() {
            let plain = self.table().plain_range(index);
            let plain = plain.ok_or(FormatError::NoSegment)?;
            let (from, to) = (range.start.max(plain.start), range.end.min(plain.end));
            if from < to {
                touched.push(self.touched(index, &plain, &(from..to))?);
            }
        }
        Ok(touched)
    }

    /// `wanted` is not empty and lies in the segment, which is at `plain`.
    fn touched(
        &self,
        segment: u32,
        plain: &Range<u64>,
        wanted: &Range<u64>,
    ) -> Result<Touched, FormatError> {
        let within = |position: u64| position.saturating_sub(plain.start);
        // Neither divides by zero; segments are below 2^31 bytes.
        let chunk_of = |position: u64| position.checked_div(CHUNK).unwrap_or_default();
        let first = chunk_of(within(wanted.start));
        let last_touched = chunk_of(within(wanted.end).saturating_sub(1));
        let sealed = self.segment_range(segment)?;
        let prefix = sealed.start..sealed.start.saturating_add(PREFIX);
        let at = |chunk: u64| {
            let before = chunk.saturating_mul(SEALED_CHUNK);
            prefix.end.saturating_add(before).min(sealed.end)
        };
        let skipped = first.saturating_mul(CHUNK);
        let from_first = |position: u64| {
            usize::try_from(within(position).saturating_sub(skipped))
                .map_err(|_| FormatError::TooLarge)
        };
        Ok(Touched {
            segment,
            chunks: at(first)..at(last_touched.saturating_add(1)),
            prefix,
            first,
            last: chunk_of(within(plain.end)),
            wanted: from_first(wanted.start)?..from_first(wanted.end)?,
        })
    }
}

//! The segment table: how the plaintext is cut (FORMAT §2).

use core::ops::Range;

use satchel_crypto::{cobblestone, sha256};

use crate::{
    FormatError,
    header::{ENTRY_BYTES, MAX_FILE_BYTES, MAX_SEGMENTS},
    merkle::Tree,
};

/// Most plaintext bytes of one segment: 1 GiB.
pub const MAX_SEGMENT_BYTES: u32 = 1 << 30;
/// Flag bit 0: initialisation data, no samples.
const FLAG_INIT: u32 = 1;

/// One segment as the table describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Plaintext bytes, 0 … 1 GiB; 0 only for an empty work.
    pub plain_len: u32,
    /// Index of the window whose key opens it.
    pub window: u32,
    /// Presentation time of its first sample in milliseconds; 0 where the work is not media.
    pub start_ms: u32,
    /// Whether it holds initialisation data instead of samples.
    pub init: bool,
}

impl Segment {
    /// Ciphertext bytes: one Cobblestone-256 message.
    #[must_use]
    pub fn sealed_len(&self) -> u64 {
        // A u32 is far below the 4 PiB at which this has no answer.
        cobblestone::sealed_len(u64::from(self.plain_len)).unwrap_or_default()
    }

    fn encode(&self, leaf: &[u8; 32]) -> impl Iterator<Item = u8> {
        let flags = if self.init { FLAG_INIT } else { 0 };
        [self.plain_len, self.window, self.start_ms, flags]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .chain(*leaf)
    }

    fn parse(entry: &[u8; ENTRY_BYTES as usize]) -> Result<(Self, [u8; 32]), FormatError> {
        let (fields, leaf) = entry.split_first_chunk::<16>().ok_or(FormatError::Table)?;
        let leaf = leaf.try_into().map_err(|_| FormatError::Table)?;
        let &[plain_len, window, start_ms, flags] = fields.as_chunks::<4>().0 else {
            return Err(FormatError::Table);
        };
        let [plain_len, window, start_ms, flags] =
            [plain_len, window, start_ms, flags].map(u32::from_be_bytes);
        if flags & !FLAG_INIT != 0 {
            return Err(FormatError::Table);
        }
        let segment = Self {
            plain_len,
            window,
            start_ms,
            init: flags == FLAG_INIT,
        };
        Ok((segment, leaf))
    }
}

/// A valid table of 1 … 16,384 segments, with running sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    segments: Vec<Segment>,
    /// Where each segment begins in (plaintext, body), and after the last: the whole sizes.
    starts: Vec<(u64, u64)>,
    /// The hash of each segment's ciphertext ([`crate::merkle::Leaf`]); zeros while it is a plan.
    leaves: Vec<[u8; 32]>,
}

impl Table {
    /// A plan: the segments without what only packing tells. Checks the rules of FORMAT §2: lengths, windows without gaps from 0, times that never
    /// decrease, a file within its limit.
    pub fn new(segments: Vec<Segment>) -> Result<Self, FormatError> {
        let count = u32::try_from(segments.len()).map_err(|_| FormatError::TooLarge)?;
        if count > MAX_SEGMENTS {
            return Err(FormatError::TooLarge);
        }
        let first = segments.first().ok_or(FormatError::Table)?;
        let mut previous = Segment {
            window: 0,
            start_ms: 0,
            ..*first
        };
        let mut starts = Vec::with_capacity(segments.len().saturating_add(1));
        let (mut plain, mut sealed) = (0_u64, 0_u64);
        for (index, segment) in segments.iter().enumerate() {
            let step = segment.window.checked_sub(previous.window);
            // The first window is 0; each next is the same or one more.
            let fits = if index == 0 {
                step == Some(0)
            } else {
                matches!(step, Some(0 | 1))
            };
            let empty_work = segment.plain_len == 0 && count == 1;
            if !fits
                || segment.start_ms < previous.start_ms
                || segment.plain_len > MAX_SEGMENT_BYTES
                || (segment.plain_len == 0 && !empty_work)
            {
                return Err(FormatError::Table);
            }
            starts.push((plain, sealed));
            // At most 2^14 segments of just over 2^30 bytes: sums stay below 2^45.
            plain = plain.saturating_add(u64::from(segment.plain_len));
            sealed = sealed.saturating_add(segment.sealed_len());
            previous = *segment;
        }
        if sealed > MAX_FILE_BYTES {
            return Err(FormatError::TooLarge);
        }
        starts.push((plain, sealed));
        let leaves = vec![[0; 32]; segments.len()];
        Ok(Self {
            segments,
            starts,
            leaves,
        })
    }

    /// The plan, packed: with the hash of each segment's ciphertext.
    /// [`FormatError::Plan`] where there are more or fewer of them.
    pub fn packed(self, leaves: Vec<[u8; 32]>) -> Result<Self, FormatError> {
        if leaves.len() == self.segments.len() {
            Ok(Self { leaves, ..self })
        } else {
            Err(FormatError::Plan)
        }
    }

    /// Reads the table's bytes: 48 for each segment.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let (entries, rest) = bytes.as_chunks::<{ ENTRY_BYTES as usize }>();
        if !rest.is_empty() || entries.len() > MAX_SEGMENTS as usize {
            return Err(FormatError::Table);
        }
        let (segments, leaves) = entries
            .iter()
            .map(Segment::parse)
            .collect::<Result<_, _>>()?;
        Self::new(segments)
            .and_then(|plan| plan.packed(leaves))
            .map_err(|_| FormatError::Table)
    }

    /// The table's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let entries = self.segments.iter().zip(&self.leaves);
        entries
            .flat_map(|(segment, leaf)| segment.encode(leaf))
            .collect()
    }

    /// The Merkle tree hash over the segments' hashes: the manifest's `merkle_root`.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let mut tree = Tree::default();
        for leaf in &self.leaves {
            tree.push(*leaf);
        }
        tree.root()
    }

    /// The hash of a segment's ciphertext.
    #[must_use]
    pub fn leaf(&self, index: u32) -> Option<&[u8; 32]> {
        self.leaves.get(usize::try_from(index).ok()?)
    }

    /// SHA-256 of the table's bytes: the manifest's `table_digest`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.encode())
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of segments, 1 … 16,384.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.segments.len()).unwrap_or(MAX_SEGMENTS)
    }

    /// Number of windows, at least 1.
    #[must_use]
    pub fn windows(&self) -> u32 {
        self.segments
            .last()
            .map_or(0, |last| last.window)
            .saturating_add(1)
    }

    /// One segment.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Segment> {
        self.segments.get(usize::try_from(index).ok()?)
    }

    /// Plaintext bytes of the whole work.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.starts.last().map_or(0, |(plain, _)| *plain)
    }

    /// Bytes of the body.
    #[must_use]
    pub fn body_size(&self) -> u64 {
        self.starts.last().map_or(0, |(_, sealed)| *sealed)
    }

    /// Where a segment lies in the plaintext.
    #[must_use]
    pub fn plain_range(&self, index: u32) -> Option<Range<u64>> {
        let (start, end) = self.ends(index)?;
        Some(start.0..end.0)
    }

    /// Where a segment lies in the body.
    #[must_use]
    pub fn sealed_range(&self, index: u32) -> Option<Range<u64>> {
        let (start, end) = self.ends(index)?;
        Some(start.1..end.1)
    }

    fn ends(&self, index: u32) -> Option<((u64, u64), (u64, u64))> {
        let index = usize::try_from(index).ok()?;
        Some((
            *self.starts.get(index)?,
            *self.starts.get(index.checked_add(1)?)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(plain_len: u32, window: u32, start_ms: u32) -> Segment {
        Segment {
            plain_len,
            window,
            start_ms,
            init: false,
        }
    }

    #[test]
    fn positions_are_running_sums() {
        let table = Table::new(vec![
            segment(1, 0, 0),
            segment(16_384, 0, 5),
            segment(7, 1, 5),
        ])
        .unwrap();
        assert_eq!(table.size(), 16_392);
        assert_eq!(table.sealed_range(0), Some(0..73));
        assert_eq!(table.sealed_range(1), Some(73..73 + 56 + 16_384 + 32));
        assert_eq!(table.plain_range(2), Some(16_385..16_392));
        assert_eq!(table.sealed_range(2).unwrap().end, table.body_size());
        assert_eq!(
            (table.plain_range(3), table.sealed_range(u32::MAX)),
            (None, None)
        );
        assert_eq!((table.count(), table.windows()), (3, 2));
        assert_eq!(Table::parse(&table.encode()), Ok(table.clone()));
        let leaves = vec![[1; 32], [2; 32], [3; 32]];
        let packed = table.clone().packed(leaves).unwrap();
        assert_eq!(packed.leaf(2), Some(&[3; 32]));
        assert_ne!(packed.root(), table.root());
        assert_eq!(Table::parse(&packed.encode()), Ok(packed));
        assert_eq!(table.packed(vec![[0; 32]; 2]), Err(FormatError::Plan));
    }

    #[test]
    fn rules_of_the_table_are_kept() {
        for bad in [
            vec![],
            vec![segment(1, 1, 0)],
            vec![segment(1, 0, 0), segment(1, 2, 0)],
            vec![segment(1, 0, 0), segment(1, 1, 0), segment(1, 0, 0)],
            vec![segment(1, 0, 9), segment(1, 0, 8)],
            vec![segment(0, 0, 0), segment(1, 0, 0)],
            vec![segment(1, 0, 0), segment(0, 0, 0)],
            vec![segment(MAX_SEGMENT_BYTES + 1, 0, 0)],
        ] {
            assert_eq!(Table::new(bad.clone()), Err(FormatError::Table), "{bad:?}");
        }
        assert!(Table::new(vec![segment(0, 0, 0)]).is_ok());
        assert!(Table::new(vec![segment(1, 0, 3)]).is_ok());
        let many = vec![segment(MAX_SEGMENT_BYTES, 0, 0); MAX_SEGMENTS as usize];
        assert_eq!(Table::new(many.clone()).unwrap().size(), 1 << 44);
        let many = [many, vec![segment(1, 0, 0)]].concat();
        assert_eq!(Table::new(many), Err(FormatError::TooLarge));
    }

    #[test]
    fn unknown_flags_and_stray_bytes_are_refused() {
        let mut bytes = Table::new(vec![Segment {
            init: true,
            ..segment(1, 0, 0)
        }])
        .unwrap()
        .encode();
        assert!(Table::parse(&bytes).unwrap().segments()[0].init);
        assert_eq!(Table::parse(&bytes[..47]), Err(FormatError::Table));
        assert_eq!(Table::parse(&[]), Err(FormatError::Table));
        bytes[15] = 2;
        assert_eq!(Table::parse(&bytes), Err(FormatError::Table));
    }
}

//! The first 24 bytes: where everything else is (FORMAT §1).

use core::ops::Range;

use crate::FormatError;

/// What every satchel begins with.
pub const MAGIC: [u8; 8] = *b"SATCHEL1";
/// Bytes of the fixed fields.
pub const FIXED_BYTES: usize = 24;
/// A header's length is a multiple of this.
pub const ALIGNMENT: u32 = 16_384;
/// Longest header in bytes.
pub const MAX_HEADER_BYTES: u32 = 4 << 20;
/// Longest manifest in bytes.
pub const MAX_MANIFEST_BYTES: u32 = 32_768;
/// Longest preview in bytes.
pub const MAX_PREVIEW_BYTES: u32 = 4 << 20;
/// Bytes of one table entry.
pub const ENTRY_BYTES: u32 = 48;
/// Most segments.
pub const MAX_SEGMENTS: u32 = 16_384;
/// Longest file in bytes: the largest integer JavaScript counts exactly.
pub const MAX_FILE_BYTES: u64 = (1 << 53) - 1;

/// Lengths of the parts before the body, each within its limit and consistent with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the names of FORMAT §1")]
pub struct Layout {
    header_len: u32,
    manifest_len: u32,
    table_len: u32,
    preview_len: u32,
}

/// Whether a file that begins with these bytes, however few, can be a satchel of this version.
pub(crate) fn check_magic(bytes: &[u8]) -> Result<(), FormatError> {
    let Some(at) = MAGIC
        .iter()
        .zip(bytes)
        .position(|(one, other)| one != other)
    else {
        return Ok(());
    };
    // The last byte is the version's digit.
    let is_version = MAGIC.len().checked_sub(1) == Some(at);
    match bytes.get(at) {
        Some(digit) if is_version && digit.is_ascii_digit() => Err(FormatError::Version),
        _ => Err(FormatError::NotSatchel),
    }
}

impl Layout {
    /// The layout for a manifest of `manifest_len` bytes, a number of segments, and a preview of
    /// `preview_len` bytes (0 for none). [`FormatError::TooLarge`] beyond any limit.
    pub fn plan(manifest_len: u32, segments: u32, preview_len: u32) -> Result<Self, FormatError> {
        let too_large = FormatError::TooLarge;
        if !(1..=MAX_MANIFEST_BYTES).contains(&manifest_len)
            || !(1..=MAX_SEGMENTS).contains(&segments)
            || preview_len > MAX_PREVIEW_BYTES
        {
            return Err(too_large);
        }
        let table_len = segments.checked_mul(ENTRY_BYTES).ok_or(too_large)?;
        let header_len = header_len(manifest_len, table_len).ok_or(too_large)?;
        Ok(Self {
            header_len,
            manifest_len,
            table_len,
            preview_len,
        })
    }

    /// Reads the first [`FIXED_BYTES`] bytes; more may follow.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() < MAGIC.len() {
            return Err(FormatError::NotSatchel);
        }
        check_magic(bytes)?;
        let fixed = bytes
            .first_chunk::<FIXED_BYTES>()
            .ok_or(FormatError::Layout)?;
        let [_, _, fields @ ..] = fixed.as_chunks::<4>().0 else {
            return Err(FormatError::Layout);
        };
        let &[header_len, manifest_len, table_len, preview_len] = fields else {
            return Err(FormatError::Layout);
        };
        let [header_len, manifest_len, table_len, preview_len] =
            [header_len, manifest_len, table_len, preview_len].map(u32::from_be_bytes);
        // Everything follows from three of the lengths: plan them anew and compare.
        let segments = table_len
            .checked_div(ENTRY_BYTES)
            .ok_or(FormatError::Layout)?;
        let planned = Self::plan(manifest_len, segments, preview_len);
        let read = Self {
            header_len,
            manifest_len,
            table_len,
            preview_len,
        };
        if planned == Ok(read) {
            Ok(read)
        } else {
            Err(FormatError::Layout)
        }
    }

    /// The first 24 bytes of the file.
    #[must_use]
    pub fn encode(&self) -> [u8; FIXED_BYTES] {
        let fields = [
            self.header_len,
            self.manifest_len,
            self.table_len,
            self.preview_len,
        ];
        let mut bytes = MAGIC
            .into_iter()
            .chain(fields.into_iter().flat_map(u32::to_be_bytes));
        core::array::from_fn(|_| bytes.next().unwrap_or_default())
    }

    /// Bytes before the preview: a multiple of [`ALIGNMENT`].
    #[must_use]
    pub fn header_len(&self) -> u32 {
        self.header_len
    }

    /// Bytes of the manifest.
    #[must_use]
    pub fn manifest_len(&self) -> u32 {
        self.manifest_len
    }

    /// Number of segments.
    #[must_use]
    pub fn segments(&self) -> u32 {
        self.table_len.checked_div(ENTRY_BYTES).unwrap_or_default()
    }

    /// Bytes of the preview, 0 without one.
    #[must_use]
    pub fn preview_len(&self) -> u32 {
        self.preview_len
    }

    /// Where the preview lies in the file.
    #[must_use]
    pub fn preview(&self) -> Range<u64> {
        u64::from(self.header_len)..self.body_start()
    }

    /// Where the body begins in the file. Both lengths are ≤ 4 MiB, so this can't overflow.
    #[must_use]
    pub fn body_start(&self) -> u64 {
        u64::from(self.header_len).saturating_add(u64::from(self.preview_len))
    }

    /// Cuts a whole header (exactly `header_len` bytes) into manifest, table and padding.
    #[must_use]
    pub fn split<'a>(&self, header: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        if header.len() != usize::try_from(self.header_len).ok()? {
            return None;
        }
        let rest = header.get(FIXED_BYTES..)?;
        let (manifest, rest) = rest.split_at_checked(usize::try_from(self.manifest_len).ok()?)?;
        let (table, padding) = rest.split_at_checked(usize::try_from(self.table_len).ok()?)?;
        Some((manifest, table, padding))
    }
}

/// The smallest multiple of [`ALIGNMENT`] that holds everything; `None` above the limit.
fn header_len(manifest_len: u32, table_len: u32) -> Option<u32> {
    let used = u32::try_from(FIXED_BYTES)
        .ok()?
        .checked_add(manifest_len)?
        .checked_add(table_len)?;
    used.checked_next_multiple_of(ALIGNMENT)
        .filter(|len| *len <= MAX_HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(header: u32, manifest: u32, table: u32, preview: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for field in [header, manifest, table, preview] {
            bytes.extend(field.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn header_is_the_smallest_that_holds_manifest_and_table() {
        for (manifest, segments, header) in [
            (1, 1, 16_384),
            (16_384 - 24 - 48, 1, 16_384),
            (16_384 - 24 - 47, 1, 32_768),
            (MAX_MANIFEST_BYTES, MAX_SEGMENTS, 835_584),
        ] {
            let layout = Layout::plan(manifest, segments, 7).unwrap();
            assert_eq!(layout.header_len(), header);
            assert_eq!(layout.body_start(), u64::from(header) + 7);
            assert_eq!(Layout::parse(&layout.encode()), Ok(layout));
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        for (manifest, segments, preview) in [
            (0, 1, 0),
            (MAX_MANIFEST_BYTES + 1, 1, 0),
            (1, 0, 0),
            (1, MAX_SEGMENTS + 1, 0),
            (1, 1, MAX_PREVIEW_BYTES + 1),
            (u32::MAX, u32::MAX, u32::MAX),
        ] {
            assert_eq!(
                Layout::plan(manifest, segments, preview),
                Err(FormatError::TooLarge)
            );
        }
        assert!(Layout::plan(1, 1, MAX_PREVIEW_BYTES).is_ok());
    }

    #[test]
    fn any_other_lengths_are_refused() {
        assert!(Layout::parse(&with(16_384, 100, 48, 0)).is_ok());
        for bad in [
            with(0, 100, 48, 0),
            with(16_383, 100, 48, 0),
            with(32_768, 100, 48, 0),
            with(16_384, 0, 48, 0),
            with(16_384, 16_384, 48, 0),
            with(16_384, 100, 0, 0),
            with(16_384, 100, 49, 0),
            with(16_384, 100, 48, MAX_PREVIEW_BYTES + 1),
            with(u32::MAX, u32::MAX, u32::MAX, u32::MAX),
        ] {
            assert_eq!(Layout::parse(&bad), Err(FormatError::Layout), "{bad:?}");
        }
        assert_eq!(Layout::parse(b"SATCHEL2"), Err(FormatError::Version));
        assert_eq!(Layout::parse(b"SATCHELS"), Err(FormatError::NotSatchel));
        assert_eq!(Layout::parse(b""), Err(FormatError::NotSatchel));
        assert_eq!(
            Layout::parse(&with(16_384, 100, 48, 0)[..23]),
            Err(FormatError::Layout)
        );
    }
}

//! What can be wrong with a satchel.

use core::fmt;

use satchel_crypto::cobblestone;

/// Why bytes are not a satchel, or not this one. The variants stand in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The magic is missing: another kind of file.
    NotSatchel,
    /// A satchel of another version of the format.
    Version,
    /// A length in the first 24 bytes is outside its limits or contradicts another.
    Layout,
    /// The manifest is not a compact JWS with exactly our protected header.
    ManifestToken,
    /// The manifest's JSON is not of the stated shape: a member missing, unknown, twice, or out
    /// of its limits.
    ManifestShape,
    /// The creator did not sign this manifest.
    Signature,
    /// The work id does not follow from creator and nonce.
    WorkId,
    /// Bytes between table and preview are not zero.
    Padding,
    /// The table is not the one the manifest was signed for.
    TableDigest,
    /// A table entry breaks a rule of FORMAT §2.
    Table,
    /// Counts or sizes in manifest, table and layout contradict each other.
    Sizes,
    /// The file is shorter or longer than its layout says.
    FileSize,
    /// The preview is not the one the manifest was signed for.
    PreviewDigest,
    /// The table's hashes are not those the manifest was signed for.
    MerkleRoot,
    /// The content key is not the one the manifest commits to.
    KeyCommitment,
    /// There is no such segment.
    NoSegment,
    /// A segment has not the length the table gives it.
    SegmentLength,
    /// A segment is not the one its creator packed.
    SegmentDigest,
    /// The key does not open this segment (its own commitment differs).
    SegmentKey,
    /// A segment's bytes were altered.
    SegmentAltered,
    /// Packing: more than the format can hold (FORMAT §5).
    TooLarge,
    /// Packing: segments missing, too many, or of another length than planned.
    Plan,
}

impl FormatError {
    /// A stable name for tests, logs and scripts.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotSatchel => "not_satchel",
            Self::Version => "version",
            Self::Layout => "layout",
            Self::Padding => "padding",
            Self::ManifestToken => "manifest_token",
            Self::ManifestShape => "manifest_shape",
            Self::Signature => "signature",
            Self::WorkId => "work_id",
            Self::Table => "table",
            Self::TableDigest => "table_digest",
            Self::Sizes => "sizes",
            Self::FileSize => "file_size",
            Self::PreviewDigest => "preview_digest",
            Self::MerkleRoot => "merkle_root",
            Self::KeyCommitment => "key_commitment",
            Self::NoSegment => "no_segment",
            Self::SegmentLength => "segment_length",
            Self::SegmentDigest => "segment_digest",
            Self::SegmentKey => "segment_key",
            Self::SegmentAltered => "segment_altered",
            Self::TooLarge => "too_large",
            Self::Plan => "plan",
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSatchel => "this is not a satchel file",
            Self::Version => {
                "this satchel is of another version of the format, which this program can't read"
            }
            Self::Layout => "the satchel's header contradicts itself",
            Self::Padding => "the satchel's header holds stray bytes",
            Self::ManifestToken => "the satchel's manifest can't be read",
            Self::ManifestShape => "the satchel's manifest is not of the agreed shape",
            Self::Signature => "the satchel's manifest is not signed by its creator",
            Self::WorkId => "the satchel's work id does not belong to its creator",
            Self::Table => "the satchel's segment table is invalid",
            Self::TableDigest => "the satchel's segment table was altered",
            Self::Sizes => "the satchel's sizes contradict each other",
            Self::FileSize => "the file is cut short or has bytes added",
            Self::PreviewDigest => "the satchel's preview was altered",
            Self::MerkleRoot => "the satchel's table does not belong to its manifest",
            Self::KeyCommitment => "this key does not belong to this satchel",
            Self::NoSegment => "the satchel has no such segment",
            Self::SegmentLength => "a segment has the wrong length",
            Self::SegmentDigest => "the satchel's contents were altered",
            Self::SegmentKey => "this key does not open this segment",
            Self::SegmentAltered => "a segment was altered",
            Self::TooLarge => "this is more than one satchel can hold",
            Self::Plan => "the data does not fit its segment plan",
        })
    }
}

impl core::error::Error for FormatError {}

impl From<cobblestone::Error> for FormatError {
    fn from(error: cobblestone::Error) -> Self {
        match error {
            cobblestone::Error::Length => Self::SegmentLength,
            cobblestone::Error::Commitment => Self::SegmentKey,
            cobblestone::Error::Chunk => Self::SegmentAltered,
            cobblestone::Error::TooLong => Self::TooLarge,
        }
    }
}

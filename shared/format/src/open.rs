//! Reading a satchel: first its front, then any segment in any order.
//!
//! A caller feeds the file's first bytes to [`Front::read`], which says how many it needs. The
//! [`Satchel`] it then gives answers where each segment lies and opens it. The content key is
//! compared with the manifest's commitment before anything is derived from it.

use core::ops::Range;

use satchel_crypto::{
    cobblestone::{self, PREFIX_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES},
    sha256,
};

use crate::{
    ContentKey, FormatError, Layout, Manifest, Segment, SegmentKey, SignedManifest, Table,
    WindowRoot, header, merkle::Leaf,
};

/// What the beginning of a file amounts to so far.
#[derive(Debug)]
pub enum Front {
    /// Call again with at least this many of the file's first bytes.
    Need(usize),
    /// The header was read and is genuine.
    Ready(Box<Satchel>),
}

impl Front {
    /// Reads the header from the file's first bytes (more may follow). Checks, in this order:
    /// magic, lengths, manifest, padding, table, and that they agree with each other.
    pub fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        // A wrong magic is told at once, however little there is.
        header::check_magic(bytes)?;
        let Some(fixed) = bytes.get(..header::FIXED_BYTES) else {
            return Ok(Self::Need(header::FIXED_BYTES));
        };
        let layout = Layout::parse(fixed)?;
        let len = usize::try_from(layout.header_len()).map_err(|_| FormatError::Layout)?;
        match bytes.get(..len) {
            Some(header) => Ok(Self::Ready(Box::new(Satchel::read(layout, header)?))),
            None => Ok(Self::Need(len)),
        }
    }
}

/// A satchel whose header is genuine: signed by its creator and consistent in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satchel {
    layout: Layout,
    signed: SignedManifest,
    table: Table,
}

impl Satchel {
    fn read(layout: Layout, header: &[u8]) -> Result<Self, FormatError> {
        let (manifest, table, padding) = layout.split(header).ok_or(FormatError::Layout)?;
        let token = core::str::from_utf8(manifest).map_err(|_| FormatError::ManifestToken)?;
        let signed = SignedManifest::verify(token)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(FormatError::Padding);
        }
        // The digest comes first: a table nobody signed needs no closer look.
        if sha256(table) != signed.manifest().table_digest.0 {
            return Err(FormatError::TableDigest);
        }
        let table = Table::parse(table)?;
        signed.manifest().fits(&layout, &table)?;
        Ok(Self {
            layout,
            signed,
            table,
        })
    }

    /// What the creator signed.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.signed.manifest()
    }

    /// The manifest with its token and digest.
    #[must_use]
    pub fn signed(&self) -> &SignedManifest {
        &self.signed
    }

    /// The segment table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Lengths of the parts before the body.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        // Below 2^45 + 8 MiB.
        self.layout
            .body_start()
            .saturating_add(self.table.body_size())
    }

    /// Whether a file of `bytes` bytes is neither cut short nor added to.
    pub fn check_file_size(&self, bytes: u64) -> Result<(), FormatError> {
        if bytes == self.file_size() {
            Ok(())
        } else {
            Err(FormatError::FileSize)
        }
    }

    /// Whether these are the preview's bytes (found at `layout().preview()`).
    pub fn check_preview(&self, bytes: &[u8]) -> Result<(), FormatError> {
        let fits = match &self.manifest().preview_digest {
            Some(digest) => {
                u64::try_from(bytes.len()) == Ok(u64::from(self.layout.preview_len()))
                    && sha256(bytes) == digest.0
            }
            None => bytes.is_empty(),
        };
        if fits {
            Ok(())
        } else {
            Err(FormatError::PreviewDigest)
        }
    }

    /// Whether this is the hash of segment `index` as its creator packed it ([`crate::merkle::Leaf`]).
    /// Without this a buyer, who holds the key too, could have put other contents behind the same
    /// manifest: no tag in the segment tells.
    pub fn check_segment(&self, index: u32, leaf: &[u8; 32]) -> Result<(), FormatError> {
        match self.table.leaf(index) {
            None => Err(FormatError::NoSegment),
            Some(known) if known == leaf => Ok(()),
            Some(_) => Err(FormatError::SegmentDigest),
        }
    }

    /// Where segment `index` lies in the file.
    pub fn segment_range(&self, index: u32) -> Result<Range<u64>, FormatError> {
        let range = self
            .table
            .sealed_range(index)
            .ok_or(FormatError::NoSegment)?;
        let start = self.layout.body_start();
        Ok(start.saturating_add(range.start)..start.saturating_add(range.end))
    }

    /// Checks the content key against the manifest's commitment and derives from it.
    pub fn unlock(&self, key: &ContentKey) -> Result<Unlocked<'_>, FormatError> {
        let manifest = self.manifest();
        key.check(&manifest.work, &manifest.key_commitment.0)?;
        Ok(Unlocked {
            satchel: self,
            root: key.window_root(&manifest.work),
        })
    }

    /// Starts reading a segment from its first 56 bytes; the segment's own key commitment is
    /// compared here. Chunk by chunk nothing tells whether the segment is the creator's: whoever
    /// reads all of it hashes it as well and asks [`Satchel::check_segment`].
    pub fn segment_reader(
        &self,
        index: u32,
        key: &SegmentKey,
        prefix: &[u8; PREFIX_BYTES],
    ) -> Result<SegmentReader, FormatError> {
        let segment = self.segment(index)?;
        let opener = key.opener(&self.manifest().work, index, prefix)?;
        let left = segment.sealed_len().checked_sub(PREFIX_BYTES as u64);
        Ok(SegmentReader {
            opener,
            left: left.ok_or(FormatError::SegmentLength)?,
            next: 0,
        })
    }

    /// Opens a whole segment with its own key: what a stream buyer does. First of all it must be
    /// the creator's, whoever else may have the key.
    pub fn open_segment(
        &self,
        index: u32,
        key: &SegmentKey,
        bytes: &[u8],
    ) -> Result<Vec<u8>, FormatError> {
        self.check_bytes(index, bytes)?;
        let (prefix, mut rest) = bytes
            .split_first_chunk()
            .ok_or(FormatError::SegmentLength)?;
        let mut reader = self.segment_reader(index, key, prefix)?;
        let mut plain = Vec::new();
        while let Some(len) = reader.next_len() {
            let (chunk, after) = rest
                .split_at_checked(len)
                .ok_or(FormatError::SegmentLength)?;
            reader.chunk(chunk, &mut plain)?;
            rest = after;
        }
        Ok(plain)
    }

    /// As [`Satchel::open_segment`], where the ciphertext lies: [`plain_parts`] then gives the
    /// plaintext. After an error the bytes are nothing of use.
    pub fn open_in_place(
        &self,
        index: u32,
        key: &SegmentKey,
        bytes: &mut [u8],
    ) -> Result<(), FormatError> {
        self.check_bytes(index, bytes)?;
        let (prefix, chunks) = bytes
            .split_first_chunk_mut()
            .ok_or(FormatError::SegmentLength)?;
        let opener = key.opener(&self.manifest().work, index, prefix)?;
        let (full, last) = chunks.as_chunks_mut::<SEALED_CHUNK_BYTES>();
        let mut number = 0;
        for chunk in full {
            opener.chunk_in_place(number, false, chunk)?;
            number = number.saturating_add(1);
        }
        Ok(opener.chunk_in_place(number, true, last)?)
    }

    /// Whether these are segment `index` as its creator packed it, before anything of it is opened.
    fn check_bytes(&self, index: u32, bytes: &[u8]) -> Result<(), FormatError> {
        if u64::try_from(bytes.len()) != Ok(self.segment(index)?.sealed_len()) {
            return Err(FormatError::SegmentLength);
        }
        self.check_segment(index, &Leaf::of(bytes))
    }

    fn segment(&self, index: u32) -> Result<&Segment, FormatError> {
        self.table.get(index).ok_or(FormatError::NoSegment)
    }
}

/// The plaintext of a segment that was opened where it lies, piece by piece.
pub fn plain_parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let chunks = bytes.get(PREFIX_BYTES..).unwrap_or_default();
    let plain = |chunk: &'_ [u8]| chunk.len().saturating_sub(TAG_BYTES);
    chunks
        .chunks(SEALED_CHUNK_BYTES)
        .map(move |chunk| chunk.get(..plain(chunk)).unwrap_or_default())
}

/// A satchel with its content key, checked.
#[derive(Debug)]
pub struct Unlocked<'a> {
    satchel: &'a Satchel,
    root: WindowRoot,
}

impl Unlocked<'_> {
    /// The key of segment `index`.
    pub fn segment_key(&self, index: u32) -> Result<SegmentKey, FormatError> {
        let work = &self.satchel.manifest().work;
        let segment = self.satchel.segment(index)?;
        Ok(self
            .root
            .window_key(work, segment.window)
            .segment_key(work, index))
    }

    /// Opens a whole segment from its ciphertext.
    pub fn open_segment(&self, index: u32, bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
        self.satchel
            .open_segment(index, &self.segment_key(index)?, bytes)
    }

    /// As [`Unlocked::open_segment`], where the ciphertext lies: [`plain_parts`] then gives the
    /// plaintext. After an error the bytes are nothing of use.
    pub fn open_in_place(&self, index: u32, bytes: &mut [u8]) -> Result<(), FormatError> {
        let key = self.segment_key(index)?;
        self.satchel.open_in_place(index, &key, bytes)
    }

    /// Starts reading a segment chunk by chunk, in constant memory.
    pub fn segment_reader(
        &self,
        index: u32,
        prefix: &[u8; PREFIX_BYTES],
    ) -> Result<SegmentReader, FormatError> {
        self.satchel
            .segment_reader(index, &self.segment_key(index)?, prefix)
    }
}

/// Opens the chunks of one segment in order; never holds more than one.
#[derive(Debug)]
pub struct SegmentReader {
    opener: cobblestone::Opener,
    /// Ciphertext bytes not yet read.
    left: u64,
    next: u64,
}

impl SegmentReader {
    /// Bytes of the next chunk's ciphertext (16 … 16,400); `None` at the end of the segment.
    #[must_use]
    pub fn next_len(&self) -> Option<usize> {
        let len = self.left.min(SEALED_CHUNK_BYTES as u64);
        usize::try_from(len).ok().filter(|len| *len > 0)
    }

    /// Appends the next chunk's plaintext to `out` once its tag is verified.
    pub fn chunk(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), FormatError> {
        if self.next_len() != Some(sealed.len()) {
            return Err(FormatError::SegmentLength);
        }
        let left = self.left.saturating_sub(sealed.len() as u64);
        self.opener.chunk(self.next, left == 0, sealed, out)?;
        self.left = left;
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}

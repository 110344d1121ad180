//! Packing: plaintext segments in, bytes of the file out. Memory: one segment, and 32 bytes for each.
//!
//! The body is written first, behind space reserved for the front; the front is known last,
//! because it holds the hash of every segment. Its length is known before:
//!
//! ```text
//! packer = Packer::new(…)            reserve packer.front_len() bytes
//! packer.segment(salt, plain) …      append what each call gives; or seal_in_place() on many threads, add() in order
//! packer.finish()                    write these bytes into the reserved space
//! ```

use satchel_crypto::{
    cobblestone::{CHUNK_BYTES, PREFIX_BYTES, SALT_BYTES, Sealer, TAG_BYTES},
    ed25519::SigningKey,
    sha256,
};

use crate::{
    ContentKey, FormatError, Layout, Manifest, Origin, SignedManifest, Table, Terms, WindowRoot,
    WorkId, header,
    manifest::{Bytes, Creator, VERSION},
    merkle::Leaf,
    work,
};

/// What the creator says of a work; everything else in the manifest is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The nonce in the work's id: 16 random bytes chosen once per work.
    pub work_nonce: [u8; work::NONCE_BYTES],
    /// Version of the work, from 1.
    pub version: u64,
    /// Who sells it.
    pub issuer: Origin,
    /// 1–200 characters.
    pub title: String,
    /// File name to save as, 1–255 bytes.
    pub name: String,
    /// Media type of the plaintext, ≤ 255 bytes.
    pub media_type: String,
    /// For `stream` media: the type for Media Source Extensions.
    pub mse: Option<String>,
    /// Of media, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Terms at packing.
    pub terms: Terms,
    /// Unix seconds.
    pub created: u64,
}

/// What belongs to a segment that was sealed where it lay, beside those bytes.
#[derive(Debug, Clone)]
pub struct Frame {
    prefix: [u8; PREFIX_BYTES],
    tags: Vec<[u8; TAG_BYTES]>,
    leaf: [u8; 32],
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            prefix: [0; PREFIX_BYTES],
            tags: Vec::new(),
            leaf: [0; 32],
        }
    }
}

impl Frame {
    /// The hash of the ciphertext ([`Packer::add`]).
    #[must_use]
    pub fn leaf(&self) -> [u8; 32] {
        self.leaf
    }

    /// Encrypts a whole segment where it lies. The hash is not taken here.
    pub fn seal(&mut self, mut sealer: Sealer, plain: &mut [u8]) -> Result<(), FormatError> {
        self.prefix = *sealer.prefix();
        self.tags.clear();
        let (full, last) = plain.as_chunks_mut::<CHUNK_BYTES>();
        for chunk in full {
            self.tags.push(sealer.chunk_in_place(chunk)?);
        }
        self.tags.push(sealer.finish_in_place(last)?);
        Ok(())
    }

    /// The ciphertext piece by piece: the prefix, then each chunk of `sealed` and its tag.
    pub fn parts<'a>(&'a self, sealed: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        // The last chunk may be empty; its tag is there all the same.
        let chunks = sealed.chunks(CHUNK_BYTES).chain([&[][..]]);
        let framed = chunks.zip(&self.tags).flat_map(|(chunk, tag)| [chunk, tag]);
        core::iter::once(&self.prefix[..]).chain(framed)
    }
}

/// Packs one satchel.
#[derive(Debug)]
pub struct Packer {
    creator: SigningKey,
    root: WindowRoot,
    manifest: Manifest,
    layout: Layout,
    table: Table,
    preview: Vec<u8>,
    leaves: Vec<[u8; 32]>,
    next: u32,
}

impl Packer {
    /// Starts a satchel; an empty `preview` means none. `content_key` MUST be fresh and random.
    ///
    /// [`FormatError::ManifestShape`] where the description breaks a limit,
    /// [`FormatError::TooLarge`] where the header would.
    pub fn new(
        description: Description,
        creator: SigningKey,
        content_key: &ContentKey,
        table: Table,
        preview: Vec<u8>,
    ) -> Result<Self, FormatError> {
        let public = creator.public();
        let work = WorkId::derive(&public, &description.work_nonce);
        let manifest = Manifest {
            v: VERSION,
            work_nonce: Bytes(description.work_nonce),
            version: description.version,
            creator: Creator(public),
            issuer: description.issuer,
            title: description.title,
            name: description.name,
            media_type: description.media_type,
            mse: description.mse,
            duration_ms: description.duration_ms,
            size: table.size(),
            terms: description.terms,
            segments: u64::from(table.count()),
            body_size: table.body_size(),
            // Of fixed length, so the manifest's length is known before the body.
            table_digest: Bytes([0; 32]),
            preview_digest: (!preview.is_empty()).then(|| Bytes(sha256(&preview))),
            merkle_root: Bytes([0; 32]),
            key_commitment: Bytes(content_key.commitment(&work)),
            created: description.created,
            work,
        };
        let draft = SignedManifest::sign(manifest.clone(), &creator)?;
        let layout = Layout::plan(
            u32::try_from(draft.token().len()).map_err(|_| FormatError::TooLarge)?,
            table.count(),
            u32::try_from(preview.len()).map_err(|_| FormatError::TooLarge)?,
        )?;
        if layout.body_start().saturating_add(table.body_size()) > header::MAX_FILE_BYTES {
            return Err(FormatError::TooLarge);
        }
        let root = content_key.window_root(&manifest.work);
        Ok(Self {
            creator,
            root,
            manifest,
            layout,
            table,
            preview,
            leaves: Vec::new(),
            next: 0,
        })
    }

    /// The work's id.
    #[must_use]
    pub fn work(&self) -> &WorkId {
        &self.manifest.work
    }

    /// Bytes to reserve before the body: header and preview.
    #[must_use]
    pub fn front_len(&self) -> u64 {
        self.layout.body_start()
    }

    /// Plaintext bytes the next call of [`Packer::segment`] wants; `None` when all are there.
    #[must_use]
    pub fn next_len(&self) -> Option<u32> {
        self.table.get(self.next).map(|segment| segment.plain_len)
    }

    /// Seals the next segment; append the answer to the body. `salt` MUST be fresh and random.
    /// [`FormatError::Plan`] where there is no next segment or it has another length.
    pub fn segment(
        &mut self,
        salt: &[u8; SALT_BYTES],
        plain: &[u8],
    ) -> Result<Vec<u8>, FormatError> {
        let mut sealed = plain.to_vec();
        let mut frame = Frame::default();
        self.seal_in_place(self.next, salt, &mut sealed, &mut frame)?;
        self.add(frame.leaf);
        Ok(frame.parts(&sealed).collect::<Vec<_>>().concat())
    }

    /// Seals any segment, on whatever thread, where it lies. [`Frame::parts`] then gives its
    /// ciphertext, and [`Packer::add`] takes its hash, in order. `salt` MUST be fresh and random.
    pub fn seal_in_place(
        &self,
        index: u32,
        salt: &[u8; SALT_BYTES],
        plain: &mut [u8],
        frame: &mut Frame,
    ) -> Result<(), FormatError> {
        let segment = self.table.get(index).ok_or(FormatError::Plan)?;
        if u32::try_from(plain.len()) != Ok(segment.plain_len) {
            return Err(FormatError::Plan);
        }
        let work = &self.manifest.work;
        let key = self
            .root
            .window_key(work, segment.window)
            .segment_key(work, index);
        frame.seal(key.sealer(work, index, salt), plain)?;
        let mut leaf = Leaf::new();
        for part in frame.parts(plain) {
            leaf.update(part);
        }
        frame.leaf = leaf.finish();
        Ok(())
    }

    /// Takes note of the next segment's hash, whose bytes were appended to the body.
    pub fn add(&mut self, leaf: [u8; 32]) {
        self.leaves.push(leaf);
        self.next = self.next.saturating_add(1);
    }

    /// The segments as planned.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The front: exactly [`Packer::front_len`] bytes, and the manifest that stands in it.
    /// [`FormatError::Plan`] while segments are missing.
    pub fn finish(mut self) -> Result<(Vec<u8>, SignedManifest), FormatError> {
        if self.next != self.table.count() {
            return Err(FormatError::Plan);
        }
        let table = self.table.packed(self.leaves)?;
        self.manifest.table_digest = Bytes(table.digest());
        self.manifest.merkle_root = Bytes(table.root());
        let signed = SignedManifest::sign(self.manifest, &self.creator)?;
        let mut front = self.layout.encode().to_vec();
        front.extend_from_slice(signed.token().as_bytes());
        front.extend_from_slice(&table.encode());
        let header =
            usize::try_from(self.layout.header_len()).map_err(|_| FormatError::TooLarge)?;
        front.resize(header, 0);
        front.extend_from_slice(&self.preview);
        Ok((front, signed))
    }
}

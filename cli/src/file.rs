//! A satchel on disk: read its front, check all of it, decrypt it. Memory: one chunk of 16 KiB.

use std::{
    fs::File,
    io::{BufReader, Read, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use satchel_format::{
    ContentKey, FormatError, Front, Satchel, SegmentReader, Unlocked, merkle::Leaf,
};

use crate::{
    fail::{Exit, Failure, Result},
    say::Progress,
};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes before a segment's first chunk.
const PREFIX_BYTES: usize = 56;

/// An open satchel whose header, length and preview are genuine.
#[derive(Debug)]
pub struct SatchelFile {
    file: File,
    path: PathBuf,
    /// What its header says.
    pub satchel: Satchel,
}

impl SatchelFile {
    /// Reads the front and checks it, the preview, and that nothing is missing or added.
    pub fn open(path: &Path) -> Result<Self> {
        let failure = |e| Failure::file("read", path, &e);
        let mut file = File::open(path).map_err(failure)?;
        let metadata = file.metadata().map_err(failure)?;
        if !metadata.is_file() {
            let what = format!("{} is not a file", path.display());
            return Err(Failure::new(Exit::Usage, what));
        }
        let mut bytes = Vec::new();
        let satchel = loop {
            match Front::read(&bytes)? {
                Front::Ready(satchel) => break *satchel,
                Front::Need(more) => {
                    let wanted = more.saturating_sub(bytes.len()) as u64;
                    let read = Read::by_ref(&mut file).take(wanted).read_to_end(&mut bytes);
                    if read.map_err(failure)? as u64 != wanted {
                        return Err(FormatError::FileSize.into());
                    }
                }
            }
        };
        satchel.check_file_size(metadata.len())?;
        // The preview follows the header, and is at most 4 MiB.
        let mut preview = Vec::new();
        let wanted = u64::from(satchel.layout().preview_len());
        Read::by_ref(&mut file)
            .take(wanted)
            .read_to_end(&mut preview)
            .map_err(failure)?;
        satchel.check_preview(&preview)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            satchel,
        })
    }

    /// Checks that the body is the one the creator signed.
    pub fn verify(&mut self) -> Result<()> {
        let mut progress = Progress::new("checking", self.satchel.table().body_size());
        let mut body = self.body()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        for (index, segment) in (0..).zip(self.satchel.table().segments()) {
            let mut leaf = Leaf::new();
            let mut left = segment.sealed_len();
            while left > 0 {
                let len = usize::try_from(left)
                    .unwrap_or(BUFFER_BYTES)
                    .min(BUFFER_BYTES);
                let part = buffer.get_mut(..len).ok_or(FormatError::Layout)?;
                body.read_exact(part)?;
                leaf.update(part);
                left = left.saturating_sub(len as u64);
                progress.add(len as u64);
            }
            self.satchel.check_segment(index, &leaf.finish())?;
        }
        Ok(())
    }

    /// Decrypts everything into `out`. The body is compared with the creator's signature once
    /// more on the way: the file may have changed since it was checked.
    pub fn decrypt(&mut self, key: &ContentKey, out: &mut dyn Write) -> Result<()> {
        let mut progress = Progress::new("opening", self.satchel.table().body_size());
        let mut body = self.body()?;
        let unlocked = self.satchel.unlock(key)?;
        for index in 0..self.satchel.table().count() {
            let leaf = decrypt_segment(&unlocked, index, &mut body, out, &mut progress)?;
            self.satchel.check_segment(index, &leaf)?;
        }
        Ok(())
    }

    fn body(&self) -> Result<Body> {
        let failure = |e| Failure::file("read", &self.path, &e);
        let mut file = self.file.try_clone().map_err(failure)?;
        let start = self.satchel.layout().body_start();
        file.seek(SeekFrom::Start(start)).map_err(failure)?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Body {
            reader,
            path: self.path.clone(),
        })
    }
}

/// Decrypts one segment into `out` and gives the hash of its ciphertext.
fn decrypt_segment(
    unlocked: &Unlocked<'_>,
    index: u32,
    body: &mut Body,
    out: &mut dyn Write,
    progress: &mut Progress,
) -> Result<[u8; 32]> {
    let mut leaf = Leaf::new();
    let mut prefix = [0; PREFIX_BYTES];
    body.read_exact(&mut prefix)?;
    leaf.update(&prefix);
    progress.add(PREFIX_BYTES as u64);
    let mut reader: SegmentReader = unlocked.segment_reader(index, &prefix)?;
    let (mut sealed, mut plain) = (Vec::new(), Vec::new());
    while let Some(len) = reader.next_len() {
        sealed.resize(len, 0);
        body.read_exact(&mut sealed)?;
        leaf.update(&sealed);
        plain.clear();
        reader.chunk(&sealed, &mut plain)?;
        out.write_all(&plain)
            .map_err(|e| Failure::new(Exit::Machine, format!("can't write the result: {e}")))?;
        progress.add(len as u64);
    }
    Ok(leaf.finish())
}

struct Body {
    reader: BufReader<File>,
    path: PathBuf,
}

impl Body {
    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.reader
            .read_exact(buffer)
            .map_err(|e| Failure::file("read", &self.path, &e))
    }
}

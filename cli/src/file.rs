//! A satchel on disk: read its front, check all of it, decrypt it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use satchel_format::{
    ContentKey, FormatError, Front, Satchel, Segment, SegmentReader, Unlocked, merkle::Leaf,
    open::plain_parts,
};

use crate::{
    fail::{Exit, Failure, Result},
    lanes::{self, Lane},
    money, out,
    say::Progress,
};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// Longest segment that is held as a whole: as long as the fixed plan's for works below 128 GB.
const WHOLE_BYTES: u64 = (8 << 20) + (1 << 16);
/// Bytes before a segment's first chunk.
const PREFIX_BYTES: usize = 56;

/// Altered segments that are named one by one.
const MAX_NAMED: usize = 5;

/// What a file that ends early lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Bytes to its proper end.
    pub bytes: u64,
    /// Segments that are there as a whole.
    pub whole: u32,
    /// Segments it should have.
    pub segments: u32,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, whole) = (money::grouped(self.bytes), self.whole);
        write!(
            f,
            "the last {bytes} bytes; {whole} of {} segments are whole",
            self.segments
        )
    }
}

/// An open satchel whose header, length and preview are genuine.
#[derive(Debug)]
pub struct SatchelFile {
    file: File,
    path: PathBuf,
    /// What its header says.
    pub satchel: Satchel,
    /// The preview, compared with its digest: empty where there is none, `None` where the file
    /// ends within it.
    pub preview: Option<Vec<u8>>,
}

impl SatchelFile {
    /// Reads the front and checks it, the preview, and that nothing is missing or added.
    pub fn open(path: &Path) -> Result<Self> {
        match Self::open_partly(path)? {
            (file, None) => Ok(file),
            (_, Some(missing)) => Err(Failure {
                what: format!("{} is cut short: it lacks {missing}", path.display()),
                ..Failure::from(FormatError::FileSize)
            }
            .next("Get the rest, or all of it again: nothing of it is lost.")),
        }
    }

    /// As [`SatchelFile::open`], for a file that may end early, even within its preview.
    pub fn open_partly(path: &Path) -> Result<(Self, Option<Missing>)> {
        let failure = |e| Failure::file("read", path, &e);
        let (mut file, have) = if out::is_pipe(path) {
            out::spooled_stdin()?
        } else {
            let file = File::open(path).map_err(failure)?;
            let metadata = file.metadata().map_err(failure)?;
            if !metadata.is_file() {
                let what = format!("{} is not a file", path.display());
                return Err(Failure::new(Exit::Usage, what));
            }
            (file, metadata.len())
        };
        let mut bytes = Vec::new();
        let satchel = loop {
            match Front::read(&bytes)? {
                Front::Ready(satchel) => break *satchel,
                Front::Need(more) => {
                    let wanted = more.saturating_sub(bytes.len()) as u64;
                    let read = Read::by_ref(&mut file).take(wanted).read_to_end(&mut bytes);
                    let read = read.map_err(failure)? as u64;
                    if read != wanted {
                        let lacking = money::grouped(wanted.saturating_sub(read));
                        return Err(Failure {
                            what: format!(
                                "{} ends within its header, of which at least {lacking} more bytes are needed",
                                path.display()
                            ),
                            ..Failure::from(FormatError::FileSize)
                        });
                    }
                }
            }
        };
        let want = satchel.file_size();
        if have > want {
            let added = money::grouped(have.saturating_sub(want));
            return Err(Failure {
                what: format!("{} has {added} bytes after its end", path.display()),
                ..Failure::from(FormatError::FileSize)
            });
        }
        let missing = (have < want).then(|| missing(&satchel, have));
        // The preview follows the header, and is at most 4 MiB.
        let mut preview = Vec::new();
        let wanted = u64::from(satchel.layout().preview_len());
        Read::by_ref(&mut file)
            .take(wanted)
            .read_to_end(&mut preview)
            .map_err(failure)?;
        let whole = missing.is_none() || preview.len() as u64 == wanted;
        if whole {
            satchel.check_preview(&preview)?;
        }
        let file = Self {
            file,
            path: path.to_owned(),
            satchel,
            preview: Some(preview).filter(|_| whole),
        };
        Ok((file, missing))
    }

    /// Checks that the body is the one the creator signed, and names the segments that aren't.
    pub fn verify(&mut self) -> Result<()> {
        let mut progress = Progress::new("checking", self.satchel.table().body_size());
        let mut body = self.body()?;
        let mut altered = Vec::new();
        let longest = self.longest();
        if longest > WHOLE_BYTES {
            for (index, len) in self.lens() {
                let leaf = hash_segment(len, &mut body, &mut progress)?;
                if self.satchel.check_segment(index, &leaf).is_err() {
                    altered.push(index);
                }
            }
        } else {
            self.each_segment(
                &mut body,
                &mut progress,
                |lane| {
                    lane.leaf = Leaf::of(&lane.bytes);
                    Ok(())
                },
                |lane| {
                    if self.satchel.check_segment(lane.index, &lane.leaf).is_err() {
                        altered.push(lane.index);
                    }
                    Ok(())
                },
            )?;
        }
        if altered.is_empty() {
            return Ok(());
        }
        Err(Failure {
            what: self.tell(&altered)?,
            ..Failure::from(FormatError::SegmentDigest)
        }
        .next("Get the file again from its creator or issuer; the rest of it is genuine."))
    }

    /// Each segment with the bytes of its ciphertext.
    fn lens(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..).zip(
            self.satchel
                .table()
                .segments()
                .iter()
                .map(Segment::sealed_len),
        )
    }

    fn longest(&self) -> u64 {
        self.lens().map(|(_, len)| len).max().unwrap_or_default()
    }

    /// Which segments were altered, and where they lie.
    fn tell(&self, altered: &[u32]) -> Result<String> {
        let count = self.satchel.table().count();
        let mut places = Vec::new();
        for index in altered.iter().take(MAX_NAMED) {
            let range = self.satchel.segment_range(*index)?;
            let (first, end) = (range.start, range.end.saturating_sub(1));
            let (first, last) = (money::grouped(first), money::grouped(end));
            places.push(format!("segment {index} (bytes {first} to {last})"));
        }
        let more = altered.len().saturating_sub(places.len());
        if more > 0 {
            places.push(format!("{more} more"));
        }
        Ok(format!(
            "{} of {count} segments are not as their creator packed them: {}",
            altered.len(),
            places.join(", ")
        ))
    }

    /// Decrypts everything into `out`. Of a segment nothing is written before it was compared with
    /// the creator's signature: the file may have changed since it was checked. Memory: some segments
    /// for each core; of a file whose segments are longer than [`WHOLE_BYTES`], a chunk, and there
    /// the comparison comes at a segment's end.
    pub fn decrypt(&mut self, key: &ContentKey, out: &mut dyn Write) -> Result<()> {
        let mut progress = Progress::new("opening", self.satchel.table().body_size());
        let mut body = self.body()?;
        let unlocked = self.satchel.unlock(key)?;
        let longest = self.longest();
        if longest > WHOLE_BYTES {
            for (index, _) in self.lens() {
                let leaf = decrypt_segment(&unlocked, index, &mut body, out, &mut progress)?;
                self.satchel.check_segment(index, &leaf)?;
            }
            return Ok(());
        }
        self.each_segment(
            &mut body,
            &mut progress,
            |lane| Ok(unlocked.open_in_place(lane.index, &mut lane.bytes)?),
            |lane| {
                let written = out::write_parts(out, plain_parts(&lane.bytes));
                written.map_err(|e| cannot_write(&e))
            },
        )
    }

    /// Reads all segments, works on many at once, and hands them on in order.
    fn each_segment(
        &self,
        body: &mut Body,
        progress: &mut Progress,
        work: impl Fn(&mut Lane) -> Result<()> + Sync,
        mut take: impl FnMut(&Lane) -> Result<()>,
    ) -> Result<()> {
        let mut lens = self.lens();
        lanes::run(
            lanes::lanes(self.longest()),
            |lane| match lens.next() {
                Some((index, len)) => body.read_exact(lane.room(index, len)).map(|()| true),
                None => Ok(false),
            },
            work,
            |lane| {
                take(lane)?;
                progress.add(lane.bytes.len() as u64);
                Ok(())
            },
        )
    }

    /// All of its bytes again, from the first: of a pipe too, which was spooled.
    pub fn whole(&self) -> Result<File> {
        self.from(0)
    }

    fn from(&self, start: u64) -> Result<File> {
        let failure = |e| Failure::file("read", &self.path, &e);
        let mut file = self.file.try_clone().map_err(failure)?;
        file.seek(SeekFrom::Start(start)).map_err(failure)?;
        Ok(file)
    }

    fn body(&self) -> Result<Body> {
        let file = self.from(self.satchel.layout().body_start())?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Body {
            reader,
            path: self.path.clone(),
        })
    }
}

fn missing(satchel: &Satchel, have: u64) -> Missing {
    let segments = satchel.table().count();
    let whole = (0..segments).take_while(|index| {
        let range = satchel.segment_range(*index);
        range.is_ok_and(|range| range.end <= have)
    });
    Missing {
        bytes: satchel.file_size().saturating_sub(have),
        whole: u32::try_from(whole.count()).unwrap_or(segments),
        segments,
    }
}

fn cannot_write(error: &io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("can't write the result: {error}"))
}

/// The hash of a segment of `left` bytes that is too long to be held.
fn hash_segment(mut left: u64, body: &mut Body, progress: &mut Progress) -> Result<[u8; 32]> {
    let mut leaf = Leaf::new();
    let mut buffer = vec![0; BUFFER_BYTES];
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
    Ok(leaf.finish())
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
        out.write_all(&plain).map_err(|e| cannot_write(&e))?;
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

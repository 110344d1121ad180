//! Sealing, opening and hashing of segments, each alone and on as many threads as asked, from file
//! to file: what `benches/container.mjs` compares with `age`, `rage` and `openssl`, which do only
//! one of them at a time. `satchel` itself does all of it in one pass.
//!
//! ```text
//! satchel-bench seal IN OUT THREADS    segments of 1 MiB, no digest
//! satchel-bench open IN OUT THREADS    the same back
//! satchel-bench hash IN OUT THREADS    leaf hashes and root; OUT is not written
//! satchel-bench loop SECONDS - THREADS 16 KiB chunks in memory; says bytes and seconds
//! ```

use std::{
    env,
    error::Error,
    fs::File,
    io::{Read, Write},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use satchel_cli::{
    fail::{Exit, Failure},
    lanes::{self, Lane},
    out::write_parts,
};
use satchel_crypto::{
    Key32,
    cobblestone::{CHUNK_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES, Sealer, sealed_len},
};
use satchel_format::{
    ContentKey, FormatError, WorkId,
    merkle::{Leaf, Tree},
    open::plain_parts,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SEGMENT_BYTES: u64 = 1 << 20;
const SALT: [u8; SALT_BYTES] = [7; SALT_BYTES];

/// What `satchel pack` derives for segment `index`, with a key that is secret from nobody.
struct Keys {
    work: WorkId,
    root: satchel_format::WindowRoot,
}

impl Keys {
    fn new() -> Result<Self> {
        let work = WorkId::parse(&format!("wrk_{}", satchel_crypto::b32::encode(&[5; 32])))
            .map_err(|_| "a work id")?;
        let root = ContentKey::from_key(Key32::from_bytes([3; 32])).window_root(&work);
        Ok(Self { work, root })
    }

    fn seal(&self, lane: &mut Lane) -> satchel_cli::fail::Result<()> {
        let key = self.root.window_key(&self.work, lane.index);
        let key = key.segment_key(&self.work, lane.index);
        let sealer = key.sealer(&self.work, lane.index, &SALT);
        Ok(lane.frame.seal(sealer, &mut lane.bytes)?)
    }

    fn open(&self, lane: &mut Lane) -> satchel_cli::fail::Result<()> {
        let key = self.root.window_key(&self.work, lane.index);
        let key = key.segment_key(&self.work, lane.index);
        let (prefix, chunks) = lane
            .bytes
            .split_first_chunk_mut()
            .ok_or(FormatError::SegmentLength)?;
        let opener = key.opener(&self.work, lane.index, prefix)?;
        let (full, last) = chunks.as_chunks_mut::<SEALED_CHUNK_BYTES>();
        let mut number = 0;
        for chunk in full {
            let plain = opener.chunk_in_place(number, false, chunk);
            plain.map_err(FormatError::from)?;
            number = number.saturating_add(1);
        }
        let plain = opener.chunk_in_place(number, true, last);
        Ok(plain.map_err(FormatError::from)?)
    }
}

/// Works on pieces of `len` bytes, as many at once as there are threads, in order.
fn pieces(
    input: &mut File,
    len: u64,
    threads: usize,
    work: impl Fn(&mut Lane) -> satchel_cli::fail::Result<()> + Sync,
    mut take: impl FnMut(&Lane) -> std::io::Result<()>,
) -> Result<()> {
    let mut left = input.metadata()?.len();
    let mut index = 0;
    let failed = |e: std::io::Error| Failure::new(Exit::Machine, e.to_string());
    let mut read = |lane: &mut Lane| {
        let next = left.min(len);
        if next == 0 {
            return Ok(false);
        }
        let room = lane.room(index, next);
        index = index.saturating_add(1);
        left = left.saturating_sub(next);
        input.read_exact(room).map(|()| true).map_err(failed)
    };
    if threads > 1 {
        let write = |lane: &Lane| take(lane).map_err(failed);
        return lanes::run(threads, read, work, write).map_err(|e| e.what.into());
    }
    let mut lane = Lane::default();
    while read(&mut lane).map_err(|e| e.what)? {
        work(&mut lane).map_err(|e| e.what)?;
        take(&lane)?;
    }
    Ok(())
}

/// Seals chunks of 16 KiB in memory, as `openssl speed -bytes 16384` does.
#[expect(
    clippy::disallowed_methods,
    reason = "a program on a machine, which measures"
)]
fn hot_loop(seconds: u64, threads: usize) {
    let total = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let plain = [1; CHUNK_BYTES];
                let mut sealer = Sealer::new(&Key32::from_bytes([3; 32]), &SALT, b"bench");
                let mut out = Vec::with_capacity(SEALED_CHUNK_BYTES);
                let mut bytes = 0_u64;
                while began.elapsed() < Duration::from_secs(seconds) {
                    for _ in 0..64 {
                        out.clear();
                        if sealer.chunk(&plain, &mut out).is_ok() {
                            bytes = bytes.saturating_add(CHUNK_BYTES as u64);
                        }
                    }
                }
                total.fetch_add(bytes, Ordering::Relaxed);
            });
        }
    });
    let bytes = total.load(Ordering::Relaxed);
    let micros = began.elapsed().as_micros();
    // A line for a program; this is a program's whole purpose here.
    let line = format!("{bytes} {micros}\n");
    // Nobody to tell when stdout is gone.
    let _ = std::io::stdout().write_all(line.as_bytes());
}

fn run(args: &[String]) -> Result<()> {
    let [job, input, output, threads] = args else {
        return Err("usage: satchel-bench seal|open|hash|loop IN OUT THREADS".into());
    };
    let threads: usize = threads.parse()?;
    if job == "loop" {
        hot_loop(input.parse()?, threads);
        return Ok(());
    }
    let keys = Keys::new()?;
    let mut input = File::open(input)?;
    let sealed = sealed_len(SEGMENT_BYTES).ok_or("a length")?;
    match job.as_str() {
        "seal" => {
            let mut out = File::create(output)?;
            let seal = |lane: &mut Lane| keys.seal(lane);
            pieces(&mut input, SEGMENT_BYTES, threads, seal, |lane| {
                write_parts(&mut out, lane.frame.parts(&lane.bytes))
            })
        }
        "open" => {
            let mut out = File::create(output)?;
            let open = |lane: &mut Lane| keys.open(lane);
            pieces(&mut input, sealed, threads, open, |lane| {
                write_parts(&mut out, plain_parts(&lane.bytes))
            })
        }
        "hash" => {
            let mut tree = Tree::default();
            let hash = |lane: &mut Lane| {
                lane.leaf = Leaf::of(&lane.bytes);
                Ok(())
            };
            pieces(&mut input, sealed, threads, hash, |lane| {
                tree.push(lane.leaf);
                Ok(())
            })?;
            let root = satchel_crypto::b64::encode(&tree.root());
            Ok(std::io::stdout().write_all(root.as_bytes())?)
        }
        _ => Err(format!("no job {job}").into()),
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    run(&args)
}

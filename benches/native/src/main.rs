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

use satchel_crypto::{
    Key32,
    cobblestone::{CHUNK_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES, Sealer, sealed_len},
};
use satchel_format::{
    ContentKey, WorkId,
    merkle::{Leaf, Tree},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const SEGMENT_BYTES: usize = 1 << 20;
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

    fn seal(&self, index: u32, plain: &[u8]) -> Result<Vec<u8>> {
        let key = self.root.window_key(&self.work, index);
        let key = key.segment_key(&self.work, index);
        let mut sealer = key.sealer(&self.work, index, &SALT);
        let mut out = Vec::with_capacity(plain.len().saturating_add(2048));
        out.extend_from_slice(sealer.prefix());
        let (full, last) = plain.as_chunks::<CHUNK_BYTES>();
        for chunk in full {
            sealer.chunk(chunk, &mut out).map_err(|_| "seal")?;
        }
        sealer.finish(last, &mut out).map_err(|_| "seal")?;
        Ok(out)
    }

    fn open(&self, index: u32, sealed: &[u8]) -> Result<Vec<u8>> {
        let key = self.root.window_key(&self.work, index);
        let key = key.segment_key(&self.work, index);
        let (prefix, chunks) = sealed.split_first_chunk().ok_or("a prefix")?;
        let opener = key.opener(&self.work, index, prefix)?;
        let mut out = Vec::with_capacity(sealed.len());
        let (full, last) = chunks.as_chunks::<SEALED_CHUNK_BYTES>();
        for (number, chunk) in (0_u64..).zip(full) {
            let opened = opener.chunk(number, false, chunk, &mut out);
            opened.map_err(|_| "a chunk")?;
        }
        let number = u64::try_from(full.len())?;
        opener
            .chunk(number, true, last, &mut out)
            .map_err(|_| "the last chunk")?;
        Ok(out)
    }
}

/// Reads pieces of `len` bytes, works on as many at once as there are threads, keeps their order.
fn pieces<O: Send>(
    input: &mut File,
    len: usize,
    threads: usize,
    work: impl Fn(u32, &[u8]) -> Result<O> + Sync,
    mut take: impl FnMut(O) -> Result<()>,
) -> Result<()> {
    let mut index = 0_u32;
    loop {
        let mut batch = Vec::new();
        while batch.len() < threads {
            let mut piece = Vec::with_capacity(len);
            Read::by_ref(input)
                .take(u64::try_from(len)?)
                .read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            batch.push((index, piece));
            index = index.saturating_add(1);
        }
        if batch.is_empty() {
            return Ok(());
        }
        if let [(index, piece)] = &batch[..] {
            take(work(*index, piece)?)?;
            continue;
        }
        let work = &work;
        let done = thread::scope(|scope| {
            let running: Vec<_> = batch
                .iter()
                .map(|(index, piece)| scope.spawn(move || work(*index, piece)))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
                .collect::<Result<Vec<_>>>()
        })?;
        for one in done {
            take(one)?;
        }
    }
}

/// Seals chunks of 16 KiB in memory, as `openssl speed -bytes 16384` does.
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
    let write = |out: &mut File, bytes: Vec<u8>| Ok(out.write_all(&bytes)?);
    let sealed = usize::try_from(sealed_len(SEGMENT_BYTES as u64).ok_or("a length")?)?;
    match job.as_str() {
        "seal" => {
            let mut out = File::create(output)?;
            let seal = |index, piece: &[u8]| keys.seal(index, piece);
            pieces(&mut input, SEGMENT_BYTES, threads, seal, |bytes| {
                write(&mut out, bytes)
            })
        }
        "open" => {
            let mut out = File::create(output)?;
            let open = |index, piece: &[u8]| keys.open(index, piece);
            pieces(&mut input, sealed, threads, open, |bytes| {
                write(&mut out, bytes)
            })
        }
        "hash" => {
            let mut tree = Tree::default();
            let hash = |_, piece: &[u8]| Ok(Leaf::of(piece));
            pieces(&mut input, sealed, threads, hash, |leaf| {
                tree.push(leaf);
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

//! Whole files: one is packed, some of its bytes are changed, and it is read as an opener does.
//!
//! Whatever happened to it, either it is refused or it gives what was packed. No other plaintext
//! comes out: not from a file that was altered, and not from one that somebody with the key resealed.
#![no_main]

use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use satchel_crypto::Key32;
use satchel_format::{
    ContentKey, Description, FormatError, Frame, Front, Origin, Packer, Satchel, Segment, Table,
    Terms, Use, keys::SegmentKey,
};
use satchel_fuzz::{ISSUER, WORK_NONCE};

/// Most bytes of a plaintext; longer ones teach nothing and take their time.
const MAX_PLAIN: usize = 80_000;

#[derive(Debug, Arbitrary)]
struct Input {
    segments: Vec<Piece>,
    fill: u8,
    key: [u8; 32],
    salt: [u8; 24],
    version: u64,
    texts: [String; 3],
    mse: Option<String>,
    duration_ms: Option<u64>,
    terms: (bool, u64, bool),
    created: u64,
    preview: Vec<u8>,
    damage: Vec<Damage>,
}

#[derive(Debug, Arbitrary)]
struct Piece {
    len: u16,
    window: bool,
    time: u16,
    init: bool,
}

#[derive(Debug, Arbitrary)]
enum Damage {
    Set { at: u32, to: u8 },
    Flip { from_end: u16, mask: u8 },
    Number { at: u8, to: u32 },
    Cut { to: u32 },
    Extend { by: Vec<u8> },
    Copy { from: u32, to: u32, len: u16 },
    Reseal { segment: u8, mask: u8 },
}

/// A packed file and what was put into it.
struct Packed {
    key: ContentKey,
    plain: Vec<u8>,
    table: Table,
    description: Description,
    file: Vec<u8>,
}

fuzz_target!(|input: Input| {
    let Some(packed) = pack(&input) else {
        return;
    };
    assert_eq!(open(&packed.file, &packed), Ok(packed.plain.clone()));
    let damaged = damaged(&packed, &input.damage);
    if damaged == packed.file {
        return;
    }
    let opened = open(&damaged, &packed);
    assert!(opened.is_err(), "an altered file was opened");
    by_chunks(&damaged, &packed);
});

fn plan(pieces: &[Piece]) -> Option<Table> {
    let (mut window, mut start_ms, mut left) = (0, 0_u32, MAX_PLAIN);
    let segments = pieces.iter().enumerate().map(|(index, piece)| {
        window += u32::from(piece.window && index > 0);
        start_ms += u32::from(piece.time);
        let len = left.min(piece.len.into());
        left -= len;
        let plain_len = u32::try_from(len).unwrap();
        Segment {
            plain_len,
            window,
            start_ms,
            init: piece.init,
        }
    });
    Table::new(segments.collect()).ok()
}

fn pack(input: &Input) -> Option<Packed> {
    let table = plan(&input.segments)?;
    let key = ContentKey::from_key(Key32::from_bytes(input.key));
    let [title, name, media_type] = input.texts.clone();
    let (pay_more, usd_micros, stream) = input.terms;
    let usage = if stream { Use::Stream } else { Use::Download };
    let description = Description {
        work_nonce: WORK_NONCE,
        version: input.version,
        issuer: Origin::parse(ISSUER).unwrap(),
        title,
        name,
        media_type,
        mse: input.mse.clone(),
        duration_ms: input.duration_ms,
        terms: Terms {
            pay_more,
            usd_micros,
            usage,
        },
        created: input.created,
    };
    // What breaks a limit of the manifest is refused before anything is packed.
    let preview = input.preview.clone();
    let mut packer = packer(&description, &key, &table, preview).ok()?;
    let plain: Vec<u8> = (0..table.size())
        .map(|at| input.fill.wrapping_add(at as u8))
        .collect();
    let mut body = Vec::new();
    for index in 0..table.count() {
        body.extend(
            packer
                .segment(&salt(input.salt, index), part(&plain, &table, index))
                .unwrap(),
        );
    }
    assert_eq!(packer.next_len(), None);
    let (file, _) = packer.finish().unwrap();
    Some(Packed {
        key,
        plain,
        table,
        description,
        file: [file, body].concat(),
    })
}

fn packer(
    description: &Description,
    key: &ContentKey,
    table: &Table,
    preview: Vec<u8>,
) -> Result<Packer, FormatError> {
    let creator = satchel_fuzz::key();
    Packer::new(description.clone(), creator, key, table.clone(), preview)
}

/// A salt for each segment: none is used twice.
fn salt(mut salt: [u8; 24], index: u32) -> [u8; 24] {
    salt[..4].copy_from_slice(&index.to_be_bytes());
    salt
}

fn part<'a>(plain: &'a [u8], table: &Table, index: u32) -> &'a [u8] {
    let range = table.plain_range(index).unwrap();
    &plain[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

fn damaged(packed: &Packed, damage: &[Damage]) -> Vec<u8> {
    let mut file = packed.file.clone();
    for one in damage {
        let len = file.len().max(1);
        let at = |position: u32| position as usize % len;
        match one {
            Damage::Set { at: position, to } => file
                .iter_mut()
                .skip(at(*position))
                .take(1)
                .for_each(|b| *b = *to),
            Damage::Flip { from_end, mask } => {
                file.iter_mut()
                    .rev()
                    .skip((*from_end).into())
                    .take(1)
                    .for_each(|b| *b ^= mask);
            }
            Damage::Number { at, to } => {
                let field = file.iter_mut().skip(usize::from(*at % 24));
                field
                    .zip(to.to_be_bytes())
                    .for_each(|(byte, new)| *byte = new);
            }
            Damage::Cut { to } => file.truncate(at(*to)),
            Damage::Extend { by } => file.extend(by),
            Damage::Copy { from, to, len } => {
                let piece: Vec<u8> = file
                    .iter()
                    .skip(at(*from))
                    .take((*len).into())
                    .copied()
                    .collect();
                file.iter_mut()
                    .skip(at(*to))
                    .zip(piece)
                    .for_each(|(byte, new)| *byte = new);
            }
            Damage::Reseal { segment, mask } => reseal(packed, &mut file, *segment, *mask),
        }
    }
    file
}

/// What a buyer could do, who has the key: other contents of the same length, sealed as they should be.
fn reseal(packed: &Packed, file: &mut [u8], segment: u8, mask: u8) {
    let index = u32::from(segment) % packed.table.count();
    let mut plain = part(&packed.plain, &packed.table, index).to_vec();
    plain.iter_mut().for_each(|byte| *byte ^= mask);
    let forger = packer(&packed.description, &packed.key, &packed.table, Vec::new()).unwrap();
    let mut frame = Frame::default();
    forger
        .seal_in_place(index, &[0xee; 24], &mut plain, &mut frame)
        .unwrap();
    let sealed = frame.parts(&plain).collect::<Vec<_>>().concat();
    let Ok(Front::Ready(satchel)) = Front::read(&packed.file) else {
        unreachable!("it was packed");
    };
    let start = usize::try_from(satchel.segment_range(index).unwrap().start).unwrap();
    file.iter_mut()
        .skip(start)
        .zip(sealed)
        .for_each(|(byte, new)| *byte = new);
}

fn ready(file: &[u8]) -> Result<Box<Satchel>, FormatError> {
    match Front::read(file)? {
        Front::Ready(satchel) => Ok(satchel),
        Front::Need(_) => Err(FormatError::FileSize),
    }
}

fn bytes_of<'a>(file: &'a [u8], range: &std::ops::Range<u64>) -> Option<&'a [u8]> {
    file.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// As FORMAT §6 says.
fn open(file: &[u8], packed: &Packed) -> Result<Vec<u8>, FormatError> {
    let satchel = ready(file)?;
    let (manifest, said) = (satchel.manifest(), &packed.description);
    // Whatever is genuine is the one manifest that was signed.
    assert_eq!((&manifest.title, &manifest.name), (&said.title, &said.name));
    assert_eq!(
        (&manifest.media_type, &manifest.mse),
        (&said.media_type, &said.mse)
    );
    assert_eq!(
        (manifest.terms, manifest.version),
        (said.terms, said.version)
    );
    assert_eq!(
        (manifest.created, manifest.duration_ms),
        (said.created, said.duration_ms)
    );
    assert_eq!(satchel.table().segments(), packed.table.segments());
    satchel.check_file_size(file.len() as u64)?;
    let preview = bytes_of(file, &satchel.layout().preview()).ok_or(FormatError::FileSize)?;
    satchel.check_preview(preview)?;
    let unlocked = satchel.unlock(&packed.key)?;
    let mut plain = Vec::new();
    for index in 0..satchel.table().count() {
        let bytes = bytes_of(file, &satchel.segment_range(index)?).ok_or(FormatError::FileSize)?;
        plain.extend(satchel.open_segment(index, &unlocked.segment_key(index)?, bytes)?);
    }
    Ok(plain)
}

/// Chunk by chunk nothing but a resealed segment can differ, and of that the hash tells.
fn by_chunks(file: &[u8], packed: &Packed) {
    let Ok(satchel) = ready(file) else {
        return;
    };
    let unlocked = satchel.unlock(&packed.key).unwrap();
    for index in 0..satchel.table().count() {
        let key = unlocked.segment_key(index).unwrap();
        let range = satchel.segment_range(index).unwrap();
        let Some(bytes) = bytes_of(file, &range) else {
            continue;
        };
        let same = bytes_of(&packed.file, &range) == Some(bytes);
        let whole = satchel.open_segment(index, &key, bytes);
        let genuine = part(&packed.plain, satchel.table(), index);
        if same {
            assert_eq!(whole.as_deref(), Ok(genuine));
        } else {
            assert_eq!(whole, Err(FormatError::SegmentDigest));
            chunks(&satchel, index, &key, bytes, genuine);
        }
    }
}

fn chunks(satchel: &Satchel, index: u32, key: &SegmentKey, bytes: &[u8], genuine: &[u8]) {
    let (prefix, mut rest) = bytes.split_first_chunk().unwrap();
    let resealed = prefix.starts_with(&[0xee; 24]);
    let Ok(mut reader) = satchel.segment_reader(index, key, prefix) else {
        return;
    };
    let mut plain = Vec::new();
    while let Some(len) = reader.next_len() {
        let (chunk, after) = rest.split_at(len);
        if reader.chunk(chunk, &mut plain).is_err() {
            break;
        }
        rest = after;
    }
    assert!(resealed || genuine.starts_with(&plain));
}

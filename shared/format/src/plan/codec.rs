//! What a track's codec is called in a media type (RFC 6381 and the codecs' own registrations).

use super::{
    Refusal,
    boxes::{child, children, u32_at},
};

/// Bytes of a visual sample entry before its boxes.
const VISUAL: usize = 78;
/// Bytes of an audio sample entry before its boxes; QuickTime's version 1 has [`SOUND_V1`] more.
const SOUND: usize = 28;
const SOUND_V1: usize = 16;

/// The codec's name, from a track's `stsd` and handler; `None` where this code doesn't know it.
pub(super) fn codec(stsd: &[u8], video: bool) -> Result<Option<String>, Refusal> {
    let Some(entry) = children(stsd, 8).next() else {
        return Ok(None);
    };
    let (kind, entry) = entry?;
    let from = match (video, entry.get(9)) {
        (true, _) => VISUAL,
        (false, Some(1)) => SOUND.saturating_add(SOUND_V1),
        (false, _) => SOUND,
    };
    let config = |name: [u8; 4]| child(entry, name, from);
    let name = String::from_utf8_lossy(kind);
    Ok(match kind {
        b"avc1" | b"avc3" => match config(*b"avcC")? {
            Some(avcc) => {
                let [_, profile, compatible, level] = first(avcc)?;
                Some(format!("{name}.{profile:02X}{compatible:02X}{level:02X}"))
            }
            None => None,
        },
        b"hvc1" | b"hev1" => match config(*b"hvcC")? {
            Some(hvcc) => Some(format!("{name}.{}", hevc(hvcc)?)),
            None => None,
        },
        b"vp09" => match config(*b"vpcC")? {
            Some(vpcc) => {
                let [_, _, _, _, profile, level, depth] = first(vpcc)?;
                Some(format!("vp09.{profile:02}.{level:02}.{:02}", depth >> 4))
            }
            None => None,
        },
        b"av01" => match config(*b"av1C")? {
            Some(av1c) => Some(av1(first(av1c)?)),
            None => None,
        },
        b"mp4a" => match config(*b"esds")? {
            Some(esds) => aac(esds),
            None => match child(entry, *b"wave", SOUND)? {
                Some(wave) => child(wave, *b"esds", 0)?.and_then(aac),
                None => None,
            },
        },
        b"Opus" => Some("opus".to_owned()),
        b"fLaC" => Some("flac".to_owned()),
        b".mp3" => Some("mp4a.6B".to_owned()),
        b"ac-3" | b"ec-3" => Some(name.into_owned()),
        _ => None,
    })
}

fn first<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes.first_chunk().copied().ok_or(Refusal::Malformed(
        "MP4: a codec's configuration ends too early",
    ))
}

fn av1([_, profile, depth]: [u8; 3]) -> String {
    let tier = if depth & 0x80 == 0 { 'M' } else { 'H' };
    let bits = match depth & 0x60 {
        0x60 => 12,
        0x40 => 10,
        _ => 8,
    };
    format!("av01.{}.{:02}{tier}.{bits:02}", profile >> 5, profile & 31)
}

fn hevc(hvcc: &[u8]) -> Result<String, Refusal> {
    let [_, profile, _, _, _, _, constraints @ .., level] = first::<13>(hvcc)?;
    let space = match profile >> 6 {
        0 => "",
        1 => "A",
        2 => "B",
        _ => "C",
    };
    let flags = u32_at(hvcc, 2)?.reverse_bits();
    let tier = if profile & 32 == 0 { 'L' } else { 'H' };
    let mut name = format!("{space}{}.{flags:X}.{tier}{level}", profile & 31);
    let zeros = constraints.iter().rev().take_while(|byte| **byte == 0);
    let used = constraints.len().saturating_sub(zeros.count());
    let used = constraints.iter().take(used);
    name.extend(used.map(|byte| format!(".{byte:X}")));
    Ok(name)
}

/// ISO 14496-1 descriptors: ES (3) → decoder config (4) → specific info (5).
fn aac(esds: &[u8]) -> Option<String> {
    let byte = |at: usize| esds.get(at).copied().unwrap_or_default();
    let descriptor = |at: usize, tag: u8| {
        if byte(at) != tag {
            return None;
        }
        let mut at = at.saturating_add(1);
        while byte(at) & 0x80 != 0 {
            at = at.saturating_add(1);
        }
        Some(at.saturating_add(1))
    };
    let mut at = descriptor(4, 3)?;
    let flags = byte(at.saturating_add(2));
    at = at.saturating_add(3);
    for (bit, len) in [(0x80, 2), (0x20, 2)] {
        if flags & bit != 0 {
            at = at.saturating_add(len);
        }
    }
    if flags & 0x40 != 0 {
        at = at.saturating_add(1).saturating_add(usize::from(byte(at)));
    }
    at = descriptor(at, 4)?;
    let kind = *esds.get(at)?;
    if kind != 0x40 {
        return Some(format!("mp4a.{kind:02X}"));
    }
    let Some(at) = descriptor(at.saturating_add(13), 5) else {
        return Some("mp4a.40.2".to_owned());
    };
    let mut object = byte(at) >> 3;
    if object == 31 {
        let more = (byte(at) & 7) << 3 | byte(at.saturating_add(1)) >> 5;
        object = more.saturating_add(32);
    }
    Some(format!("mp4a.40.{object}"))
}

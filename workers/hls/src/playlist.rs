//! Playlists (RFC 8216) of a packed file. Pure: they follow from the segment table, which is public.

use std::fmt::Write as _;

use satchel_format::Satchel;
use satchel_wire::{ErrorCode, Result};

/// `not_streaming` for what HLS has no fragments for: only fragmented MP4 has.
fn fragmented(front: &Satchel) -> Result<&str> {
    let mse = front.manifest().mse.as_deref().unwrap_or_default();
    let first = front.table().get(0);
    let begins = first.is_some_and(|segment| segment.init);
    if begins && (mse.starts_with("video/mp4") || mse.starts_with("audio/mp4")) {
        Ok(mse)
    } else {
        Err(ErrorCode::NotStreaming.into())
    }
}

/// A media segment: its number, milliseconds, bytes.
struct Piece {
    number: u32,
    init: bool,
    ms: u64,
    bytes: u64,
}

fn pieces(front: &Satchel) -> Vec<Piece> {
    let segments = front.table().segments();
    let end_ms = front.manifest().duration_ms.unwrap_or_default();
    let numbered = (0..).zip(segments.iter().enumerate());
    numbered
        .map(|(number, (i, segment))| {
            let rest = segments.get(i.saturating_add(1)..).unwrap_or_default();
            let next = rest.iter().find(|segment| !segment.init);
            let next_ms = next.map_or(end_ms, |segment| u64::from(segment.start_ms));
            Piece {
                number,
                init: segment.init,
                // Players divide by it.
                ms: next_ms.saturating_sub(u64::from(segment.start_ms)).max(1),
                bytes: u64::from(segment.plain_len),
            }
        })
        .collect()
}

/// `index.m3u8`: the one variant, with what players must know before they load anything of it.
pub(crate) fn main(front: &Satchel) -> Result<String> {
    let mse = fragmented(front)?;
    let codecs = mse
        .split_once("codecs=\"")
        .and_then(|(_, rest)| rest.split('"').next());
    let bits = |piece: &Piece| {
        let bits = piece.bytes.saturating_mul(8_000);
        bits.checked_div(piece.ms.max(250)).unwrap_or_default()
    };
    let all = pieces(front);
    let peak = all.iter().filter(|piece| !piece.init).map(bits).max();
    let bandwidth = peak.unwrap_or_default().max(1);
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:7\n");
    let _ = write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}");
    // An attribute in quotes: nothing in it may end them, or the line.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ',' | '-' | ' ');
    if let Some(codecs) = codecs.filter(|codecs| codecs.chars().all(plain)) {
        let _ = write!(out, ",CODECS=\"{}\"", codecs.replace(' ', ""));
    }
    out.push_str("\nmedia.m3u8\n");
    Ok(out)
}

/// `media.m3u8`: every segment, from the beginning to the end.
pub(crate) fn media(front: &Satchel) -> Result<String> {
    fragmented(front)?;
    let all = pieces(front);
    let longest = all.iter().filter(|piece| !piece.init).map(|piece| piece.ms);
    let target = longest.max().unwrap_or(1).div_ceil(1000);
    let mut out = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    );
    let mut samples = false;
    for Piece {
        number, init, ms, ..
    } in all
    {
        let written = if init {
            // New initialisation data within a work begins something else.
            if samples {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            writeln!(out, "#EXT-X-MAP:URI=\"{number}.mp4\"")
        } else {
            samples = true;
            let (s, rest) = (ms.div_euclid(1000), ms.rem_euclid(1000));
            writeln!(out, "#EXTINF:{s}.{rest:03},\n{number}.m4s")
        };
        let _ = written;
    }
    out.push_str("#EXT-X-ENDLIST\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn a_playlist_names_every_segment_once_with_its_time() {
        let front = fake::front();
        let list = media(&front).unwrap();
        assert_eq!(
            list,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"0.mp4\"\n#EXTINF:9.500,\n1.m4s\n\
             #EXTINF:10.000,\n2.m4s\n#EXTINF:5.250,\n3.m4s\n#EXT-X-ENDLIST\n"
        );
        let index = main(&front).unwrap();
        assert!(
            index.contains("CODECS=\"avc1.42C01E,mp4a.40.2\""),
            "{index}"
        );
        assert!(index.ends_with("\nmedia.m3u8\n"));
    }
}

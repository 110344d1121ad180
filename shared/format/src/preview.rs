//! What a preview is: told by its first bytes, and by nothing else (FORMAT §1).

use crate::plan::is_mp3_frame;

/// Bytes of a preview's beginning that [`PreviewType::of`] looks at.
pub const SNIFF_BYTES: usize = 64;
/// The EBML element `DocType` that says `webm`, where Matroska says something else.
const WEBM: [u8; 7] = *b"\x42\x82\x84webm";

/// The kinds of preview that a reader shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewType {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
    /// MP3.
    Mp3,
    /// MP4 with sound alone.
    M4a,
    /// MP4.
    Mp4,
    /// Ogg: Vorbis or Opus.
    Ogg,
    /// WebM.
    Webm,
}

impl PreviewType {
    /// Tells the kind from a preview's first [`SNIFF_BYTES`] bytes (more may follow); `None` for
    /// anything that isn't shown.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let at = |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk::<4>());
        let begins = |with: &[u8]| bytes.starts_with(with);
        let mut windows = bytes
            .get(..bytes.len().min(SNIFF_BYTES))?
            .windows(WEBM.len());
        if begins(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if begins(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if begins(b"GIF87a") || begins(b"GIF89a") {
            Some(Self::Gif)
        } else if begins(b"RIFF") && at(8) == Some(b"WEBP") {
            Some(Self::Webp)
        } else if at(4) == Some(b"ftyp") {
            Self::of_brand(*at(8)?)
        } else if begins(b"OggS") {
            Some(Self::Ogg)
        } else if begins(b"\x1a\x45\xdf\xa3") && windows.any(|window| window == WEBM) {
            Some(Self::Webm)
        } else if begins(b"ID3") || is_mp3_frame(bytes) {
            Some(Self::Mp3)
        } else {
            None
        }
    }

    /// The kind of a file that begins with `ftyp` and this major brand.
    fn of_brand(brand: [u8; 4]) -> Option<Self> {
        match &brand {
            b"avif" | b"avis" => Some(Self::Avif),
            b"M4A " | b"M4B " => Some(Self::M4a),
            b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1"
            | b"dash" | b"M4V " => Some(Self::Mp4),
            _ => None,
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Mp3 => "audio/mpeg",
            Self::M4a => "audio/mp4",
            Self::Mp4 => "video/mp4",
            Self::Ogg => "audio/ogg",
            Self::Webm => "video/webm",
        }
    }
}

#[cfg(test)]
mod tests {
    use satchel_crypto::b64;
    use serde_json::Value;

    use super::*;

    #[test]
    fn previews_are_what_their_first_bytes_say() {
        // The same cases are read by sdk/js/test/preview.test.mjs.
        let cases = include_str!("../../../tests/previews/types.json");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        for case in &cases {
            let bytes = b64::decode(case["bytes"].as_str().unwrap()).unwrap();
            let told = PreviewType::of(&bytes).map(PreviewType::media_type);
            assert_eq!(told, case["type"].as_str(), "{}", case["name"]);
        }
        assert!(cases.len() > 25);
    }

    #[test]
    fn any_beginning_of_a_preview_is_told_without_fault() {
        for bytes in [
            &b"RIFF....WEBP"[..],
            b"\0\0\0\x18ftypavif",
            b"\xff\xfb\x90\0",
        ] {
            for len in 0..bytes.len() {
                assert_eq!(PreviewType::of(&bytes[..len]), None);
            }
            assert!(PreviewType::of(bytes).is_some());
        }
    }
}

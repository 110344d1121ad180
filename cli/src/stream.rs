//! Works that are streamed: where their file is cut, or what to do about one that can't be.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use satchel_format::plan::{self, Kind, MediaPlan, PlanError, Refusal, SNIFF_BYTES, Source};

use crate::{
    fail::{Exit, Failure, Result},
    out,
};

/// What makes ffmpeg write fragments, without which nobody could begin in the middle.
const FRAGMENTED: &str = "-movflags +frag_keyframe+empty_moov+default_base_moof";

struct Ranges<'a> {
    file: &'a File,
    size: u64,
}

impl Source for Ranges<'_> {
    type Error = io::Error;

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(buffer)
    }
}

/// Where to cut `file`; it is at its beginning afterwards. `media_type` is what its name says it is.
pub fn plan(file: &mut File, size: u64, path: &Path, media_type: &str) -> Result<MediaPlan> {
    let failure = |e| Failure::file("read", path, &e);
    let mut head = Vec::new();
    io::Read::by_ref(file)
        .take(SNIFF_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(failure)?;
    let kind = plan::sniff(&head);
    let mut ranges = Ranges { file, size };
    let planned = match kind {
        Kind::Mp4 => plan::mp4(&mut ranges),
        Kind::Mp3 => plan::mp3(&mut ranges),
        Kind::Webm => {
            let why = "streams are packed from fragmented MP4 or from MP3, and this is WebM";
            Err(Refusal::NotStreamable(why).into())
        }
        Kind::Other => {
            let why = if is_media(media_type) {
                "streams are packed from fragmented MP4 or from MP3, and this is neither"
            } else {
                "streaming is for sound and film; a document or archive is read whole"
            };
            Err(Refusal::NotStreamable(why).into())
        }
    };
    file.seek(SeekFrom::Start(0)).map_err(failure)?;
    planned.map_err(|error| match error {
        PlanError::Source(error) => failure(error),
        PlanError::Refused(refusal) => refused(refusal, kind, path, media_type),
    })
}

fn is_media(media_type: &str) -> bool {
    media_type.starts_with("audio/") || media_type.starts_with("video/")
}

fn refused(refusal: Refusal, kind: Kind, path: &Path, media_type: &str) -> Failure {
    let convert = if media_type.starts_with("audio/") {
        Some("-vn -c:a aac")
    } else if media_type.starts_with("video/") || matches!(kind, Kind::Mp4 | Kind::Webm) {
        Some("-c:v libx264 -pix_fmt yuv420p -c:a aac")
    } else {
        None
    };
    let codecs = match refusal {
        Refusal::NotFragmented => Some("-c copy"),
        Refusal::NotStreamable(_) => convert,
        Refusal::Damaged(_) | Refusal::Malformed(_) | Refusal::TooManySegments => None,
    };
    let (input, output) = names(path);
    let next = match codecs {
        Some(codecs) => format!(
            "Make it so with `ffmpeg -i {input} {codecs} {FRAGMENTED} {output}`, and pack that. \
             Or sell this one with --use download."
        ),
        None => "It can be sold with --use download.".to_owned(),
    };
    let what = format!("{} can't be streamed as it is: {refusal}", path.display());
    Failure::new(Exit::Usage, what)
        .code(refusal.code())
        .next(next)
}

/// What to read and what to write, as one types it in a shell.
fn names(path: &Path) -> (String, String) {
    if out::is_pipe(path) {
        return ("IN".to_owned(), "OUT.mp4".to_owned());
    }
    let mut output = path.with_extension("").into_os_string();
    output.push("-stream.mp4");
    (quoted(path), quoted(Path::new(&output)))
}

fn quoted(path: &Path) -> String {
    let mut text = path.display().to_string();
    // Otherwise it would be taken for an option.
    if text.starts_with('-') {
        text.insert_str(0, "./");
    }
    let bare = |c: char| c.is_ascii_alphanumeric() || "._/-+=:,@".contains(c);
    if text.chars().all(bare) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_pasted_into_a_shell() {
        for (path, input, output) in [
            ("a/song.m4a", "a/song.m4a", "a/song-stream.mp4"),
            ("-x.mp4", "./-x.mp4", "./-x-stream.mp4"),
            (
                "it\'s $1.mov",
                "'it'\\''s $1.mov'",
                "'it'\\''s $1-stream.mp4'",
            ),
            ("-", "IN", "OUT.mp4"),
        ] {
            assert_eq!(names(Path::new(path)), (input.into(), output.into()));
        }
    }
}

//! `satchel preview`, and the preview that `satchel pack` puts into a satchel.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;
use satchel_format::{PreviewType, header::MAX_PREVIEW_BYTES};
use serde_json::json;

use crate::{
    fail::{Exit, Failure, Result},
    file::SatchelFile,
    money,
    out::Target,
    say,
};

/// What the user asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// The satchel; `-` is stdin.
    pub file: PathBuf,
    /// Where its preview goes; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there already.
    #[arg(long)]
    pub force: bool,
}

/// Runs the command: writes the preview once it was compared with what the creator signed.
pub fn extract(options: &Options, json: bool) -> Result<()> {
    let target = Target::new(&options.out, options.force)?;
    if json && target == Target::Stdout {
        let what = "--json and -o - both want stdout";
        return Err(Failure::new(Exit::Usage, what));
    }
    let (file, missing) = SatchelFile::open_partly(&options.file)?;
    let shown = options.file.display();
    if file.satchel.layout().preview_len() == 0 {
        let what = format!("{shown} has no preview");
        return Err(Failure::new(Exit::Usage, what).code("no_preview"));
    }
    let Some(preview) = &file.preview else {
        let lacking = missing.map_or(String::new(), |missing| missing.to_string());
        let what = format!("{shown} ends within its preview: it lacks {lacking}");
        return Err(Failure::new(Exit::BadFile, what).code("file_size"));
    };
    let kind = PreviewType::of(preview).ok_or_else(|| {
        let what = format!("the preview of {shown} is of no kind that is shown");
        Failure::new(Exit::BadFile, what).code("preview_type").next(
            "A preview is a picture or a sample. Whoever made this one had something else in mind.",
        )
    })?;
    target.write(|out| {
        out.write_all(preview)
            .map_err(|e| Failure::file("write", &options.out, &e))
    })?;
    let (kind, bytes) = (kind.media_type(), preview.len());
    let path = options.out.display();
    if json {
        let told = json!({"preview": path.to_string(), "media_type": kind, "bytes": bytes});
        return say::line(&told.to_string());
    }
    let told = format!(
        "wrote {path} ({kind}, {} bytes)",
        money::grouped(bytes as u64)
    );
    match target {
        Target::Path(_) | Target::Special(_) => say::line(&told),
        Target::Stdout => {
            say::note(&told);
            Ok(())
        }
    }
}

/// Reads a file that is to be a preview: of a kind that readers show, and within its limit.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failure = |e| Failure::file("read", path, &e);
    let most = u64::from(MAX_PREVIEW_BYTES);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failure)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failure)?;
    if bytes.len() as u64 > most {
        let what = format!(
            "{} is too long for a preview: at most {} bytes",
            path.display(),
            money::grouped(most)
        );
        return Err(Failure::new(Exit::Usage, what)
            .code("preview_too_long")
            .next("Take a smaller picture or a shorter sample."));
    }
    if PreviewType::of(&bytes).is_none() {
        let what = format!("{} can't be a preview", path.display());
        return Err(Failure::new(Exit::Usage, what)
            .code("preview_type")
            .next("By its first bytes it is none of PNG, JPEG, GIF, WebP, AVIF, MP3, M4A, MP4, Ogg and WebM."));
    }
    Ok(bytes)
}

//! `satchel info` and `satchel verify`: what anybody can know of a satchel, without network.

use std::path::Path;

use satchel_crypto::b64;
use satchel_format::PreviewType;
use serde_json::{Value, json};

use crate::{
    fail::Result,
    file::SatchelFile,
    money,
    say::{self, plain},
};

/// Shows what the header says; the body is not read.
pub fn info(path: &Path, json: bool) -> Result<()> {
    let (file, missing) = SatchelFile::open_partly(path)?;
    if json {
        let mut described = describe(&file)?;
        if let (Some(missing), Some(members)) = (missing, described.as_object_mut()) {
            members.insert("missing_bytes".into(), missing.bytes.into());
            members.insert("whole_segments".into(), missing.whole.into());
        }
        return say::line(&described.to_string());
    }
    let satchel = &file.satchel;
    let manifest = satchel.manifest();
    let terms = &manifest.terms;
    let more = if terms.pay_more { " or more" } else { "" };
    let mut rows = vec![
        ("title", plain(&manifest.title)),
        ("file", plain(&manifest.name)),
        ("media type", plain(&manifest.media_type)),
        (
            "price",
            format!(
                "{}{more} when packed; the issuer's price holds",
                money::usd(terms.usd_micros)
            ),
        ),
        ("use", terms.usage.as_str().to_owned()),
        ("issuer", manifest.issuer.to_string()),
        ("work", manifest.work.to_string()),
        ("version", manifest.version.to_string()),
        (
            "contents",
            format!("{} bytes", money::grouped(manifest.size)),
        ),
        (
            "satchel",
            format!("{} bytes", money::grouped(satchel.file_size())),
        ),
        (
            "segments",
            format!(
                "{} in {} windows",
                manifest.segments,
                satchel.table().windows()
            ),
        ),
        ("creator", manifest.creator.0.jkt()),
        ("manifest", b64::encode(satchel.signed().digest())),
    ];
    if let Some(ms) = manifest.duration_ms {
        rows.insert(3, ("duration", format!("{} ms", money::grouped(ms))));
    }
    if manifest.preview_digest.is_some() {
        let bytes = money::grouped(u64::from(satchel.layout().preview_len()));
        let kind = match &file.preview {
            None => "not all of it is here",
            Some(_) => preview_type(&file).unwrap_or("of no kind that is shown"),
        };
        rows.push(("preview", format!("{kind}, {bytes} bytes")));
    }
    if let Some(missing) = missing {
        rows.push(("missing", missing.to_string()));
    }
    for (name, value) in rows {
        say::line(&format!("{name:<11} {value}"))?;
    }
    say::note(if missing.is_some() {
        "Signature and header are genuine. The file is not complete."
    } else {
        "Signature, header and length are genuine. `satchel verify` checks the contents too."
    });
    Ok(())
}

/// Checks everything that can be checked without the key.
pub fn verify(path: &Path, json: bool) -> Result<()> {
    let mut file = SatchelFile::open(path)?;
    file.verify()?;
    if json {
        return say::line(&describe(&file)?.to_string());
    }
    say::line(&format!(
        "genuine: all {} bytes are as their creator signed them",
        money::grouped(file.satchel.file_size())
    ))
}

fn preview_type(file: &SatchelFile) -> Option<&'static str> {
    let preview = file.preview.as_deref().unwrap_or_default();
    PreviewType::of(preview).map(PreviewType::media_type)
}

/// The manifest and what follows from it, for scripts.
fn describe(file: &SatchelFile) -> Result<Value> {
    let satchel = &file.satchel;
    let manifest = serde_json::to_value(satchel.manifest())
        .map_err(|_| satchel_format::FormatError::ManifestShape)?;
    Ok(json!({
        "manifest": manifest,
        "manifest_digest": b64::encode(satchel.signed().digest()),
        "signer": satchel.manifest().creator.0.jkt(),
        "file_size": satchel.file_size(),
        "header_len": satchel.layout().header_len(),
        "preview_len": satchel.layout().preview_len(),
        "preview_type": preview_type(file),
        "windows": satchel.table().windows(),
    }))
}

//! Takes the built site's names and its widget script into the worker. The site is built first
//! (tools/build.mjs); without it, as in a plain `cargo test`, the names are those of the sources.

use std::{error::Error, fs, path::Path};

const MANIFEST: &str = "../../site/dist/manifest.json";
const SCRIPT: &str = "../../site/dist/widget.js";
const SCRIPT_SOURCE: &str = "../../site/src/widget.js";
const BATCH: &str = "../../site/dist/batch.js";
const BATCH_SOURCE: &str = "../../site/src/batch.js";
/// Name in the manifest, variable for the compiler.
const NAMES: [(&str, &str); 5] = [
    ("frame.js", "SATCHEL_FRAME_JS"),
    ("frame.css", "SATCHEL_FRAME_CSS"),
    ("work.css", "SATCHEL_WORK_CSS"),
    ("widget.pinned", "SATCHEL_PINNED_JS"),
    ("widget.integrity", "SATCHEL_PINNED_INTEGRITY"),
];

/// Tells cargo.
fn tell(line: &str) {
    println!("cargo::{line}");
}

fn main() -> Result<(), Box<dyn Error>> {
    let built = Path::new(MANIFEST).exists() && Path::new(SCRIPT).exists();
    let script = if built { SCRIPT } else { SCRIPT_SOURCE };
    if built {
        tell(&format!("rerun-if-changed={MANIFEST}"));
    } else {
        // A missing file would count as changed in every build; its folder appears once.
        tell("rerun-if-changed=../../site");
        tell("warning=site/dist is not there: pages will name files by their sources");
    }
    let batch = if built { BATCH } else { BATCH_SOURCE };
    tell(&format!("rerun-if-changed={script}"));
    tell(&format!("rerun-if-changed={batch}"));
    let manifest = if built {
        fs::read_to_string(MANIFEST)?
    } else {
        "{}".to_owned()
    };
    let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
    for (name, variable) in NAMES {
        let address = match manifest.get(name).and_then(serde_json::Value::as_str) {
            Some(address) => address.to_owned(),
            None if built => return Err(format!("{MANIFEST} does not name {name}").into()),
            None => format!("/assets/{name}"),
        };
        tell(&format!("rustc-env={variable}={address}"));
    }
    let out = std::env::var("OUT_DIR")?;
    fs::copy(script, Path::new(&out).join("widget.js"))?;
    fs::copy(batch, Path::new(&out).join("batch.js"))?;
    Ok(())
}

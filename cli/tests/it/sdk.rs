//! What the JavaScript SDK packs, this program opens. The reverse is
//! `sdk/js/test/vectors.test.mjs`.

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn satchels_packed_by_the_javascript_sdk_open_here() {
    let folder = Folder::new();
    let script = repository()
        .join("cli/tests/it/pack.mjs")
        .display()
        .to_string();
    let sdk = repository().join("sdk/js").display().to_string();
    for len in [0, 1, 16_384, (1 << 20) + 17] {
        let plain: Vec<u8> = (0..len)
            .map(|i: u32| i.to_le_bytes()[0].wrapping_mul(31))
            .collect();
        folder.write("plain", &plain);
        let made = folder
            .run(node(), &[&script, &sdk, "plain", "js.satchel"])
            .json();
        let info = folder.satchel(&["info", "js.satchel", "--json"]).json();
        assert_eq!(info["manifest"]["title"], "Täglich 🌊");
        assert_eq!(info["manifest_digest"], made["digest"]);
        assert_eq!(info["preview_len"], 15);
        folder.satchel(&["verify", "js.satchel"]).ok();
        let key: Value = json!({
            "v": 1, "work": made["work"], "work_nonce": info["manifest"]["work_nonce"],
            "version": 1, "content_key": made["content_key"],
        });
        folder.write("js.key", key.to_string().as_bytes());
        let args = [
            "open",
            "js.satchel",
            "-o",
            "out",
            "--force",
            "--key-file",
            "js.key",
        ];
        folder.satchel(&args).ok();
        assert!(folder.read("out") == plain, "{len}");
    }
}

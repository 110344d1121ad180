//! Previews: what may be one, and that what comes out is what the creator signed.

use crate::support::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest of a cover";

fn pack(folder: &Folder, preview: &str) -> Ran {
    folder.write("song.mp3", b"a song");
    if !folder.has("creator.key") {
        folder.satchel(&["key", "creator.key"]).ok();
    }
    let pack = ["pack", "song.mp3", "-o", "song.satchel", "--title", "Tide"];
    let more = ["--price", "0.50", "--issuer", "http://localhost:8787"];
    let key = ["--key", "creator.key", "--preview", preview, "--force"];
    folder.satchel(&[&pack[..], &more, &key].concat())
}

#[test]
fn preview_is_told_by_info_and_comes_out_as_it_went_in() {
    let folder = Folder::new();
    folder.write("cover.png", PNG);
    pack(&folder, "cover.png").ok();
    let told = folder.satchel(&["info", "song.satchel"]).ok();
    assert!(told.contains("preview     image/png, 32 bytes"), "{told}");
    let json = folder.satchel(&["info", "song.satchel", "--json"]).json();
    assert_eq!(json["preview_type"], "image/png");
    let said = folder
        .satchel(&["preview", "song.satchel", "-o", "out.png"])
        .ok();
    assert_eq!(said, "wrote out.png (image/png, 32 bytes)\n");
    assert_eq!(folder.read("out.png"), PNG);
    folder
        .satchel(&["preview", "song.satchel", "-o", "out.png"])
        .fails(2);
    let piped = folder.piped(&["preview", "-", "-o", "-"], &folder.read("song.satchel"));
    assert_eq!(piped.bytes(), PNG);
    // The rest of the file isn't needed for it; all of the preview is.
    let whole = folder.read("song.satchel");
    folder.write("part.satchel", &whole[..16_384 + PNG.len()]);
    folder
        .satchel(&["preview", "part.satchel", "-o", "part.png"])
        .ok();
    folder.write("part.satchel", &whole[..16_384 + PNG.len() - 1]);
    let err = folder
        .satchel(&["preview", "part.satchel", "-o", "no.png"])
        .fails(3);
    assert!(
        err.contains("ends within its preview") && !folder.has("no.png"),
        "{err}"
    );
}

#[test]
fn altered_preview_is_not_written() {
    let folder = Folder::new();
    folder.write("cover.png", PNG);
    pack(&folder, "cover.png").ok();
    let mut bytes = folder.read("song.satchel");
    bytes[16_384 + 20] ^= 1;
    folder.write("song.satchel", &bytes);
    let err = folder
        .satchel(&["preview", "song.satchel", "-o", "out.png"])
        .fails(3);
    assert!(
        err.contains("(preview_digest)") && !folder.has("out.png"),
        "{err}"
    );
}

#[test]
fn only_pictures_and_samples_within_the_limit_are_previews() {
    let folder = Folder::new();
    let long = [PNG, &vec![0; (4 << 20) + 1 - PNG.len()]].concat();
    for (bytes, code) in [
        (&b""[..], "(preview_type)"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'>",
            "(preview_type)",
        ),
        (b"<!DOCTYPE html>", "(preview_type)"),
        (b"%PDF-1.7", "(preview_type)"),
        (&long, "(preview_too_long)"),
    ] {
        folder.write("cover", bytes);
        let err = pack(&folder, "cover").fails(2);
        assert!(err.contains(code), "{err}");
        assert!(!folder.has("song.satchel") && !folder.has("song.satchel.key"));
    }
    folder.write("cover", &long[..4 << 20]);
    pack(&folder, "cover").ok();
    folder.satchel(&["verify", "song.satchel"]).ok();
}

#[test]
fn what_is_no_picture_or_sample_is_not_shown() {
    let folder = Folder::new();
    let told = folder.satchel(&["info", &vector("preview")]).ok();
    assert!(
        told.contains("preview     of no kind that is shown"),
        "{told}"
    );
    let err = folder
        .satchel(&["preview", &vector("preview"), "-o", "out"])
        .fails(3);
    assert!(
        err.contains("(preview_type)") && !folder.has("out"),
        "{err}"
    );
    let err = folder
        .satchel(&["preview", &vector("empty"), "-o", "out"])
        .fails(2);
    assert!(err.contains("(no_preview)"), "{err}");
}

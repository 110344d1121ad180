//! Later versions of a work, and ids that must be met.

use serde_json::Value;

use crate::support::*;

const PACK: [&str; 6] = ["pack", "song.mp3", "--title", "Tide", "--price", "1"];
const KEY: [&str; 2] = ["--key", "creator.key"];
const ISSUER: [&str; 2] = ["--issuer", "http://localhost:8787"];

fn first() -> (Folder, Value) {
    let folder = Folder::new();
    folder.write("song.mp3", b"a song");
    folder.satchel(&["key", "creator.key"]).ok();
    folder.satchel(&["key", "other.key"]).ok();
    let out = ["-o", "first.satchel", "--json"];
    let made = folder.satchel(&[&PACK[..], &KEY, &ISSUER, &out].concat());
    let made = made.json();
    (folder, made)
}

#[test]
fn new_version_takes_nonce_issuer_and_number_from_the_one_before() {
    let (folder, first) = first();
    let next = |from: &str, to: &str| {
        let more = ["--new-version-of", from, "-o", to, "--json"];
        folder.satchel(&[&PACK[..], &KEY, &more].concat()).json()
    };
    let second = next("first.satchel", "second.satchel");
    let third = next("second.satchel", "third.satchel");
    assert_eq!(
        (&second["work"], &third["work"]),
        (&first["work"], &first["work"])
    );
    assert_eq!(
        (&second["version"], &third["version"]),
        (&2.into(), &3.into())
    );
    let info = folder.satchel(&["info", "third.satchel", "--json"]).json();
    assert_eq!(info["manifest"]["issuer"], "http://localhost:8787");
    let open = [
        "open",
        "third.satchel",
        "-o",
        "out",
        "--key-file",
        "third.satchel.key",
    ];
    folder.satchel(&open).ok();
    // It says all of these itself.
    let more = ["--new-version-of", "first.satchel", "-o", "x"];
    for other in [
        ["--nonce", "AAAAAAAAAAAAAAAAAAAAAA"],
        ["--work-version", "7"],
    ] {
        folder
            .satchel(&[&PACK[..], &KEY, &more, &other].concat())
            .fails(2);
    }
    let other = ["--key", "other.key"];
    let err = folder
        .satchel(&[&PACK[..], &other, &more].concat())
        .fails(2);
    assert!(err.contains("of another creator"), "{err}");
    assert!(!folder.has("x") && !folder.has("x.key"));
}

#[test]
fn work_is_packed_only_under_the_id_that_was_asked_for() {
    let (folder, first) = first();
    let (work, nonce) = (
        first["work"].as_str().unwrap(),
        first["work_nonce"].as_str().unwrap(),
    );
    let asked = ["--work", work, "-o", "x"];
    let err = folder
        .satchel(&[&PACK[..], &KEY, &ISSUER, &asked].concat())
        .fails(2);
    assert!(
        err.contains("--nonce") && err.contains("--new-version-of"),
        "{err}"
    );
    for (key, nonce) in [
        ("other.key", nonce),
        ("creator.key", "AAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let with = ["--key", key, "--nonce", nonce];
        let err = folder
            .satchel(&[&PACK[..], &with, &ISSUER, &asked].concat())
            .fails(2);
        assert!(
            err.contains("this key and nonce make wrk_") && err.contains(work),
            "{err}"
        );
    }
    let other = ["--work", "wrk_x", "-o", "x"];
    folder
        .satchel(&[&PACK[..], &KEY, &ISSUER, &other].concat())
        .fails(2);
    assert!(!folder.has("x") && !folder.has("x.key"));
    folder
        .satchel(&[&PACK[..], &KEY, &ISSUER, &asked, &["--nonce", nonce]].concat())
        .ok();
    let earlier = ["--new-version-of", "first.satchel", "--force"];
    folder
        .satchel(&[&PACK[..], &KEY, &asked, &earlier].concat())
        .ok();
}

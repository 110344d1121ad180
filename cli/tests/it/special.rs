//! What is no file is written to as it is, or refused; it is never replaced by one.
#![cfg(unix)]

use std::{fs, os::unix::fs::FileTypeExt as _, process::Command, thread};

use crate::support::*;

fn folder_with_pipe() -> Folder {
    let folder = Folder::new();
    folder.write("song.mp3", b"a song");
    folder.satchel(&["key", "creator.key"]).ok();
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.unwrap().success());
    folder
}

fn is_pipe(folder: &Folder) -> bool {
    let metadata = fs::symlink_metadata(folder.path("pipe")).unwrap();
    metadata.file_type().is_fifo()
}

const PACK: [&str; 11] = [
    "pack",
    "song.mp3",
    "--title",
    "Tide",
    "--price",
    "0.50",
    "--issuer",
    "http://localhost:8787",
    "--key",
    "creator.key",
    "-o",
];

#[test]
fn opening_writes_into_a_device_or_named_pipe_and_leaves_it_there() {
    let folder = folder_with_pipe();
    folder
        .satchel(&[&PACK[..], &["song.satchel"]].concat())
        .ok();
    let open = [
        "open",
        "song.satchel",
        "--key-file",
        "song.satchel.key",
        "-o",
        "pipe",
    ];
    for force in [&[][..], &["--force"]] {
        let path = folder.path("pipe");
        let reader = thread::spawn(move || fs::read(path).unwrap());
        folder.satchel(&[&open[..], force].concat()).ok();
        assert_eq!(reader.join().unwrap(), b"a song");
        assert!(is_pipe(&folder));
    }
}

#[test]
fn packing_never_replaces_what_is_no_file() {
    let folder = folder_with_pipe();
    let err = folder
        .satchel(&[&PACK[..], &["pipe", "--force", "--key-out", "song.key"]].concat())
        .fails(2);
    assert!(err.contains("is not a file"), "{err}");
    assert!(is_pipe(&folder));
}

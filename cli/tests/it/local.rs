//! What works without an issuer: info, verify, pack, open with the key file, and their refusals.

use crate::support::*;

/// A folder with `song.mp3` packed as `song.satchel`.
fn packed(contents: &[u8]) -> Folder {
    let folder = Folder::new();
    folder.write("song.mp3", contents);
    folder.satchel(&["key", "creator.key"]).ok();
    folder
        .satchel(&[
            "pack",
            "song.mp3",
            "-o",
            "song.satchel",
            "--title",
            "Tide",
            "--price",
            "0.50",
            "--issuer",
            "http://localhost:8787/",
            "--key",
            "creator.key",
        ])
        .ok();
    folder
}

#[test]
fn packed_file_opens_again_byte_for_byte() {
    for len in [0, 1, 16_384, (1 << 20) + 5] {
        let contents: Vec<u8> = (0..len).map(|i: u32| i.to_le_bytes()[0] ^ 0x5a).collect();
        let folder = packed(&contents);
        folder.satchel(&["verify", "song.satchel"]).ok();
        let opened = folder
            .satchel(&[
                "open",
                "song.satchel",
                "-o",
                "out",
                "--key-file",
                "song.satchel.key",
            ])
            .ok();
        assert!(opened.starts_with("opened out ("), "{opened}");
        assert!(folder.read("out") == contents, "{len}");
    }
}

#[test]
fn contents_come_out_on_stdout_alone() {
    let folder = packed(b"a song");
    let args = [
        "open",
        "song.satchel",
        "-o",
        "-",
        "--key-file",
        "song.satchel.key",
    ];
    let ran = folder.satchel(&args);
    assert_eq!(ran.ok(), "a song");
    assert!(ran.stderr().contains("opened -"), "{}", ran.stderr());
    folder.satchel(&[&args[..], &["--json"]].concat()).fails(2);
}

#[test]
fn info_tells_what_the_creator_signed() {
    let folder = packed(b"a song");
    let text = folder.satchel(&["info", "song.satchel"]).ok();
    for part in [
        "Tide",
        "$0.50",
        "audio/mpeg",
        "http://localhost:8787",
        "download",
        "6 bytes",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json = folder.satchel(&["info", "song.satchel", "--json"]).json();
    assert_eq!(json["manifest"]["terms"]["usd_micros"], 500_000);
    assert_eq!(json["manifest"]["name"], "song.mp3");
    assert_eq!(json["file_size"], folder.read("song.satchel").len());
}

#[test]
fn new_version_of_a_work_keeps_its_id() {
    let folder = packed(b"a song");
    let first = folder.satchel(&["info", "--json", "song.satchel"]).json();
    let nonce = first["manifest"]["work_nonce"].as_str().unwrap().to_owned();
    // The option's earlier name goes on working.
    let second = folder
        .satchel(&[
            "pack",
            "song.mp3",
            "-o",
            "second.satchel",
            "--title",
            "Tide II",
            "--price",
            "1",
            "--issuer",
            "http://localhost:8787",
            "--work-key",
            "creator.key",
            "--nonce",
            &nonce,
            "--work-version",
            "2",
            "--json",
        ])
        .json();
    assert_eq!(second["work"], first["manifest"]["work"]);
    assert_ne!(second["manifest_digest"], first["manifest_digest"]);
    let err = folder
        .satchel(&[
            "open",
            "second.satchel",
            "-o",
            "out",
            "--key-file",
            "song.satchel.key",
        ])
        .fails(2);
    assert!(err.contains("another work or version"), "{err}");
}

#[test]
fn damaged_files_are_refused_with_the_fault_and_nothing_is_written() {
    let folder = packed(b"a song");
    for (name, fault) in [
        ("magic_of_version_2", "version"),
        ("file_cut_short", "file_size"),
        ("file_cut_in_header", "file_size"),
        ("price_changed", "signature"),
        ("body_replaced_by_a_key_holder", "segment_digest"),
        ("preview_altered", "preview_digest"),
    ] {
        let err = folder.satchel(&["verify", &vector(name)]).fails(3);
        assert!(err.contains(&format!("({fault})")), "{name}: {err}");
        let args = [
            "open",
            &vector(name),
            "-o",
            "out",
            "--key-file",
            "song.satchel.key",
        ];
        // Where header and length are sound, it is the key that is another work's.
        let exit = if fault == "segment_digest" { 2 } else { 3 };
        folder.satchel(&args).fails(exit);
    }
    assert!(!folder.has("out"));
    folder.satchel(&["info", "missing.satchel"]).fails(1);
    folder.satchel(&["info", "."]).fails(2);
}

#[test]
fn key_that_does_not_fit_leaves_nothing_behind() {
    let folder = packed(b"a song");
    let key = String::from_utf8(folder.read("song.satchel.key")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&key).unwrap();
    json["content_key"] = "A".repeat(43).into();
    folder.write("wrong.key", json.to_string().as_bytes());
    let before = folder.names();
    let args = [
        "open",
        "song.satchel",
        "-o",
        "out",
        "--key-file",
        "wrong.key",
    ];
    let err = folder.satchel(&args).fails(3);
    assert!(err.contains("(key_commitment)"), "{err}");
    assert_eq!(folder.names(), before);
}

#[test]
fn nothing_is_replaced_unasked() {
    let folder = packed(b"a song");
    folder.write("out", b"precious");
    let args = [
        "open",
        "song.satchel",
        "-o",
        "out",
        "--key-file",
        "song.satchel.key",
    ];
    folder.satchel(&args).fails(2);
    assert_eq!(folder.read("out"), b"precious");
    folder.satchel(&[&args[..], &["--force"]].concat()).ok();
    assert_eq!(folder.read("out"), b"a song");
    folder.satchel(&["key", "creator.key"]).fails(2);
    folder
        .satchel(&["wallet", "new", "out", "--issuer", "http://localhost:8787"])
        .fails(2);
}

#[test]
fn streams_are_not_opened_here() {
    let folder = packed(b"a song");
    let err = folder
        .satchel(&["open", &vector("media"), "-o", "out", "--wallet", "none"])
        .fails(7);
    assert!(err.contains("(streaming_only)"), "{err}");
    assert!(
        err.contains("Play it at http://localhost:8787/w/wrk_"),
        "{err}"
    );
}

#[test]
fn wrong_arguments_are_told_before_anything_happens() {
    let folder = packed(b"a song");
    for args in [
        &[
            "pack",
            "song.mp3",
            "-o",
            "x",
            "--title",
            "T",
            "--price",
            "0,5",
            "--issuer",
            "http://a",
            "--key",
            "creator.key",
        ][..],
        &[
            "pack",
            "song.mp3",
            "-o",
            "x",
            "--title",
            "T",
            "--price",
            "1",
            "--issuer",
            "localhost:8787",
            "--key",
            "creator.key",
        ],
        &["open", "song.satchel"],
        &["open", "song.satchel", "-o", "out"],
        &[
            "open",
            "song.satchel",
            "-o",
            "no/such/folder/out",
            "--wallet",
            "w",
        ],
        &["wallet", "balance"],
        &["frobnicate"],
        &[],
    ] {
        folder.satchel(args).fails(2);
    }
    // A title beyond the format's limit is the packer's to refuse.
    let title = "x".repeat(201);
    let args = [
        "pack",
        "song.mp3",
        "-o",
        "x",
        "--title",
        &title,
        "--price",
        "1",
        "--issuer",
        "http://localhost:1",
        "--key",
        "creator.key",
    ];
    let err = folder.satchel(&args).fails(2);
    assert!(err.contains("(manifest_shape)"), "{err}");
    assert!(!folder.has("x") && !folder.has("x.key"));
}

#[cfg(unix)]
#[test]
fn secrets_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = packed(b"a song");
    folder
        .satchel(&[
            "wallet",
            "new",
            "wallet.json",
            "--issuer",
            "http://localhost:8787",
        ])
        .ok();
    for name in ["creator.key", "song.satchel.key", "wallet.json"] {
        let mode = std::fs::metadata(folder.path(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        std::fs::set_permissions(folder.path(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    let err = folder
        .satchel(&["wallet", "balance", "--wallet", "wallet.json"])
        .fails(2);
    assert!(err.contains("chmod 600"), "{err}");
    let args = [
        "pack",
        "song.mp3",
        "-o",
        "x",
        "--title",
        "T",
        "--price",
        "1",
        "--issuer",
        "http://localhost:1",
        "--key",
        "creator.key",
    ];
    folder.satchel(&args).fails(2);
}

/// Offsets of a file of three segments: 1 MiB, 1 MiB, 5 bytes.
fn three_segments() -> Folder {
    packed(&vec![7; (2 << 20) + 5])
}

#[test]
fn file_that_ends_early_says_what_is_missing() {
    let folder = three_segments();
    let whole = folder.read("song.satchel");
    let cut = |len: usize| folder.write("part.satchel", &whole[..len]);
    cut(whole.len() - 3);
    let err = folder.satchel(&["verify", "part.satchel"]).fails(3);
    assert!(
        err.contains("lacks the last 3 bytes; 2 of 3 segments are whole")
            && err.contains("(file_size)"),
        "{err}"
    );
    let told = folder.satchel(&["info", "part.satchel"]).ok();
    assert!(told.contains("Tide"), "{told}");
    assert!(
        told.contains("missing     the last 3 bytes; 2 of 3 segments"),
        "{told}"
    );
    let json = folder.satchel(&["info", "part.satchel", "--json"]).json();
    assert_eq!(
        (&json["missing_bytes"], &json["whole_segments"]),
        (&3.into(), &2.into())
    );
    cut(16_384);
    let told = folder.satchel(&["info", "part.satchel"]).ok();
    assert!(told.contains("0 of 3 segments"), "{told}");
    cut(16_000);
    let err = folder.satchel(&["info", "part.satchel"]).fails(3);
    assert!(
        err.contains("ends within its header, of which at least 384 more bytes"),
        "{err}"
    );
    folder.write("part.satchel", &[&whole[..], b"xy"].concat());
    let err = folder.satchel(&["info", "part.satchel"]).fails(3);
    assert!(err.contains("has 2 bytes after its end"), "{err}");
}

#[test]
fn altered_segments_are_named_with_their_place() {
    let folder = three_segments();
    let mut bytes = folder.read("song.satchel");
    bytes[16_384 + 99] ^= 1;
    *bytes.last_mut().unwrap() ^= 1;
    folder.write("song.satchel", &bytes);
    let err = folder.satchel(&["verify", "song.satchel"]).fails(3);
    assert!(
        err.contains("2 of 3 segments are not as their creator packed them"),
        "{err}"
    );
    assert!(
        err.contains("segment 0 (bytes 16,384 to 1,066,055)"),
        "{err}"
    );
    assert!(
        err.contains("segment 2 (bytes") && !err.contains("segment 1"),
        "{err}"
    );
    assert!(err.contains("(segment_digest)"), "{err}");
    let open = [
        "open",
        "song.satchel",
        "-o",
        "out",
        "--key-file",
        "song.satchel.key",
    ];
    let err = folder.satchel(&open).fails(3);
    assert!(err.contains("(segment_digest)"), "{err}");
    assert!(!folder.has("out"));
    let open = [
        "open",
        "song.satchel",
        "-o",
        "-",
        "--key-file",
        "song.satchel.key",
    ];
    let ran = folder.satchel(&open);
    ran.fails(3);
}

/// Of `tests/vectors/preview.satchel` in pieces of 16 KiB, as libtorrent 2.1 computes it.
const PREVIEW_INFO_HASH: &str = "90807a6be78d0ce2d41e730c5e7b2b3451078042a64e731c0599be198d6a7f91";

#[test]
fn magnet_link_names_the_hash_of_the_whole_file() {
    let folder = Folder::new();
    let vector = vector("preview");
    let told = folder
        .satchel(&["magnet", &vector, "--json", "--torrent", "it.torrent"])
        .json();
    let hash = told["info_hash"].as_str().unwrap();
    assert_eq!(
        told["magnet"],
        format!(
            "magnet:?xt=urn:btmh:1220{hash}&dn=preview.satchel&xl={}",
            told["length"]
        )
    );
    assert_eq!(hash, PREVIEW_INFO_HASH);
    let torrent = folder.read("it.torrent");
    assert!(torrent.starts_with(b"d4:infod9:file treed15:preview.satcheld0:d6:length"));
    // Somebody else's file of that name is not written over.
    folder
        .satchel(&["magnet", &vector, "--torrent", "it.torrent"])
        .fails(2);
    let cut = [&folder.read("it.torrent")[..], b""].concat();
    folder.write("no.satchel", &cut);
    folder.satchel(&["magnet", "no.satchel"]).fails(3);
}

#[test]
fn magnet_of_a_pipe_is_that_of_the_file() {
    let folder = packed(b"a song");
    let whole = folder.read("song.satchel");
    let of_file = folder.satchel(&["magnet", "song.satchel", "--json"]).json();
    let of_pipe = ["magnet", "-", "--json", "--torrent", "it.torrent"];
    let of_pipe = folder.piped(&of_pipe, &whole).json();
    // The name is that of the contents, song.mp3, which is that of the file here.
    assert_eq!(of_pipe, of_file);
    folder
        .satchel(&["magnet", "song.satchel", "--torrent", "file.torrent"])
        .ok();
    assert!(folder.read("it.torrent") == folder.read("file.torrent"));
    let named = ["magnet", "-", "--name", "other.satchel"];
    let link = folder.piped(&named, &whole).ok();
    assert!(link.contains("&dn=other.satchel&xl="), "{link}");
    folder
        .piped(&["magnet", "-", "--name", "a/b"], &whole)
        .fails(2);
    folder
        .piped(&["magnet", "-"], &whole[..whole.len() - 1])
        .fails(3);
}

#[test]
fn manual_and_completions_name_every_command() {
    let folder = Folder::new();
    let manual = folder.satchel(&["man"]).ok();
    assert!(manual.contains(".TH satchel 1"), "{manual}");
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.satchel(&["completions", shell]).ok();
        for command in [
            "info", "verify", "preview", "open", "buy", "wallet", "pack", "magnet", "key",
        ] {
            assert!(script.contains(command), "{shell}: {command}");
            assert!(manual.contains(&format!("satchel {command}")), "{command}");
        }
    }
    folder.satchel(&["completions", "tcl"]).fails(2);
}

#[test]
fn pipes_go_in_and_out() {
    let folder = packed(b"a song");
    let pack = [
        "pack",
        "-",
        "-o",
        "-",
        "--title",
        "Tide",
        "--price",
        "1",
        "--issuer",
        "http://localhost:8787",
    ];
    let key = ["--key", "creator.key", "--name", "tide.bin"];
    let args = [&pack[..], &key[..], &["--key-out", "tide.key"]].concat();
    let contents = vec![9; (1 << 20) + 3];
    let ran = folder.piped(&args, &contents);
    assert!(
        ran.stderr().contains("packed - as wrk_"),
        "{}",
        ran.stderr()
    );
    let satchel = ran.bytes();
    let told = folder.piped(&["info", "-", "--json"], &satchel).json();
    assert_eq!(told["manifest"]["name"], "tide.bin");
    folder.piped(&["verify", "-"], &satchel).ok();
    let open = ["open", "-", "-o", "-", "--key-file", "tide.key"];
    assert!(folder.piped(&open, &satchel).bytes() == contents);
    let cut = satchel.split_last().unwrap().1;
    let err = folder.piped(&["verify", "-"], cut).fails(3);
    assert!(err.contains("lacks the last 1 bytes"), "{err}");
    // A satchel whose key went nowhere could never be opened.
    let err = folder.piped(&[&pack[..], &key[..]].concat(), b"x").fails(2);
    assert!(err.contains("--key-out"), "{err}");
    let unnamed = [&pack[..], &key[..2], &["--key-out", "other.key"]].concat();
    let err = folder.piped(&unnamed, b"x").fails(2);
    assert!(err.contains("--name"), "{err}");
    assert!(!folder.has("other.key"));
}

#[test]
fn nonce_may_begin_with_a_hyphen() {
    let folder = packed(b"a song");
    let nonce = format!("-{}", "A".repeat(21));
    let pack = [
        "pack",
        "song.mp3",
        "-o",
        "b.satchel",
        "--title",
        "T",
        "--price",
        "1",
    ];
    let more = ["--issuer", "http://localhost:8787", "--key", "creator.key"];
    let args = [&pack[..], &more[..], &["--nonce", &nonce, "--json"]].concat();
    assert_eq!(folder.satchel(&args).json()["work_nonce"], nonce);
}

//! A file that was damaged says where, before anything is paid or written.

use std::collections::BTreeSet;

use crate::support::*;

/// Three segments: 1 MiB, 1 MiB, 5 bytes.
fn packed() -> Folder {
    let folder = Folder::new();
    folder.write("song.mp3", &vec![7; (2 << 20) + 5]);
    folder.satchel(&["key", "creator.key"]).ok();
    let pack = ["pack", "song.mp3", "-o", "song.satchel", "--title", "Tide"];
    let more = ["--price", "0.50", "--issuer", "http://localhost:8787"];
    let key = ["--key", "creator.key"];
    folder.satchel(&[&pack[..], &more, &key].concat()).ok();
    folder
}

#[test]
fn damaged_at_five_places_gives_five_clear_errors() {
    let folder = packed();
    let whole = folder.read("song.satchel");
    let manifest = u32::from_be_bytes(*whole[12..].first_chunk().unwrap()) as usize;
    // The payload begins behind the protected header's dot; the price is in its second half.
    let price = {
        let token = std::str::from_utf8(&whole[24..24 + manifest]).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let json = satchel_crypto::b64::decode(parts[1]).unwrap();
        let json = String::from_utf8(json).unwrap();
        let cheap = json.replace("\"usd_micros\":500000", "\"usd_micros\":100000");
        assert_ne!(json, cheap);
        let payload = satchel_crypto::b64::encode(cheap.as_bytes());
        let token = [parts[0], &payload, parts[2]].join(".");
        [&whole[..24], token.as_bytes(), &whole[24 + manifest..]].concat()
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damaged = [
        (flipped(0), "this is not a satchel file (not_satchel)"),
        (
            price,
            "the satchel's manifest is not signed by its creator (signature)",
        ),
        (
            flipped(24 + manifest + 3),
            "the satchel's segment table was altered (table_digest)",
        ),
        (
            flipped(16_384 + (1 << 20) + 30_000),
            "1 of 3 segments are not as their creator packed them: segment 1 (bytes 1,066,056 to 2,115,727) (segment_digest)",
        ),
        (
            whole[..whole.len() - 7].to_vec(),
            "broken.satchel is cut short: it lacks the last 7 bytes; 2 of 3 segments are whole (file_size)",
        ),
    ];
    let mut told = BTreeSet::new();
    for (bytes, said) in damaged {
        assert_ne!(bytes, whole);
        folder.write("broken.satchel", &bytes);
        let before = folder.names();
        let err = folder.satchel(&["verify", "broken.satchel"]).fails(3);
        assert!(err.contains(said), "{said}: {err}");
        told.insert(err);
        for open in [
            &[
                "open",
                "broken.satchel",
                "-o",
                "out",
                "--key-file",
                "song.satchel.key",
            ][..],
            &[
                "buy",
                "broken.satchel",
                "-o",
                "out",
                "--wallet",
                "none",
                "--yes",
            ],
        ] {
            folder.satchel(open).fails(3);
        }
        assert_eq!(folder.names(), before, "{said}");
    }
    assert_eq!(told.len(), 5);
}

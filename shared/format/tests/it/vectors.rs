//! The vectors in `tests/vectors`: small satchels and what a reader must say of them. `sdk/js`
//! reads the same files. `UPDATE=1 cargo test -p satchel-format` writes them anew.

use std::{collections::BTreeSet, fs, path::PathBuf};

use satchel_crypto::{Key32, b64, ed25519::SigningKey, jws, sha256};
use satchel_format::{
    ContentKey, Description, FormatError, Segment, Table, Terms, Use, manifest::PROTECTED_HEADER,
};
use serde_json::{Value, json};

use crate::support::*;

/// One vector: a file, a key, and what comes of them.
struct Vector {
    name: &'static str,
    comment: &'static str,
    file: Vec<u8>,
    key: u8,
    fault: Option<FormatError>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

impl Vector {
    /// What stands beside the file. `expect` is `opens` or the fault Rust names; other readers
    /// must refuse too, under a name of their own.
    fn json(&self) -> Value {
        let mut json = json!({
            "comment": self.comment,
            "content_key": b64::encode(&[self.key; 32]),
            "expect": self.fault.map_or("opens", FormatError::code),
        });
        if self.fault.is_none() {
            let key = content_key(self.key);
            let satchel = verify(&self.file).unwrap();
            let work = &satchel.manifest().work;
            let root = key.window_root(work);
            let windows = 0..satchel.table().windows().min(4);
            let window_keys: Vec<String> = windows
                .map(|window| b64::encode(root.window_key(work, window).key().as_bytes()))
                .collect();
            let plain = open(&self.file, &key).unwrap();
            json["plaintext_sha256"] = b64::encode(&sha256(&plain)).into();
            json["manifest_digest"] = b64::encode(satchel.signed().digest()).into();
            json["window_keys"] = window_keys.into();
        }
        json
    }
}

fn good(name: &'static str, comment: &'static str, parts: &Parts) -> Vector {
    Vector {
        name,
        comment,
        file: parts.file(),
        key: 3,
        fault: None,
    }
}

/// What all damaged ones were before.
fn base() -> Parts {
    Parts::pack("base", description(), table(&[20, 20, 7]), b"preview")
}

fn media() -> Parts {
    let segment = |plain_len, window, start_ms, init| Segment {
        plain_len,
        window,
        start_ms,
        init,
    };
    let segments = vec![
        segment(700, 0, 0, true),
        segment(9_000, 0, 0, false),
        segment(16_384, 0, 4_000, false),
        segment(5_000, 1, 10_500, false),
        segment(1, 2, 20_000, false),
    ];
    let description = Description {
        title: "Täglich 🌊".to_owned(),
        name: "täglich.mp4".to_owned(),
        media_type: "video/mp4".to_owned(),
        mse: Some("video/mp4; codecs=\"avc1.42C01E, mp4a.40.2\"".to_owned()),
        duration_ms: Some(21_000),
        terms: Terms {
            pay_more: true,
            usd_micros: 100,
            usage: Use::Stream,
        },
        version: 7,
        ..description()
    };
    Parts::pack("media", description, Table::new(segments).unwrap(), b"")
}

fn sound() -> Vec<Vector> {
    let sized = |len: u32| Parts::pack("sized", description(), table(&[len]), b"");
    vec![
        good(
            "empty",
            "an empty work is one segment of no bytes",
            &sized(0),
        ),
        good("one_byte", "the smallest work that has contents", &sized(1)),
        good(
            "chunk_less_one",
            "one chunk of 16,383 bytes",
            &sized(16_383),
        ),
        good(
            "chunk",
            "one full chunk and the empty one that ends it",
            &sized(16_384),
        ),
        good(
            "chunk_and_one",
            "one full chunk and one byte",
            &sized(16_385),
        ),
        good(
            "media",
            "initialisation data, three windows, non-ASCII title, mse",
            &media(),
        ),
        good("preview", "three segments behind a plain preview", &base()),
        good(
            "long_table",
            "a table that makes the header two blocks long",
            &Parts::pack("long", description(), table(&vec![1; 1_000]), b""),
        ),
    ]
}

fn damaged() -> Vec<Vector> {
    let mut all = Vec::new();
    damaged_layout(&mut all);
    damaged_token(&mut all);
    damaged_manifest(&mut all);
    damaged_table(&mut all);
    damaged_body(&mut all);
    all
}

type Vectors = Vec<Vector>;

fn add(
    all: &mut Vectors,
    name: &'static str,
    fault: FormatError,
    comment: &'static str,
    file: Vec<u8>,
) {
    all.push(Vector {
        name,
        comment,
        file,
        key: 3,
        fault: Some(fault),
    });
}

fn damaged_layout(all: &mut Vectors) {
    use FormatError::{FileSize, Layout, NotSatchel, Padding};
    let file = base().file();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    add(
        all,
        "magic_of_version_2",
        NotSatchel,
        "magic SATCHEL2",
        with(7, b"2"),
    );
    let mut larger = with(8, &32_768_u32.to_be_bytes());
    larger.splice(16_384..16_384, [0; 16_384]);
    add(
        all,
        "header_not_smallest",
        Layout,
        "16,384 zeros more than needed",
        larger,
    );
    add(
        all,
        "header_len_zero",
        Layout,
        "header_len is 0",
        with(8, &[0; 4]),
    );
    add(
        all,
        "manifest_len_zero",
        Layout,
        "manifest_len is 0",
        with(12, &[0; 4]),
    );
    add(
        all,
        "manifest_too_long",
        Layout,
        "a signed manifest of a few bytes more than 32,768",
        too_long(),
    );
    add(
        all,
        "manifest_len_huge",
        Layout,
        "manifest_len is 2^32 − 1",
        with(12, &[0xff; 4]),
    );
    add(
        all,
        "table_len_not_of_entries",
        Layout,
        "table_len is 49",
        with(16, &[0, 0, 0, 49]),
    );
    add(
        all,
        "table_len_zero",
        Layout,
        "no segment at all",
        with(16, &[0; 4]),
    );
    add(
        all,
        "preview_len_huge",
        Layout,
        "preview of 2^32 − 1 bytes",
        with(20, &[0xff; 4]),
    );
    add(
        all,
        "padding_not_zero",
        Padding,
        "the last byte of the header is 1",
        with(16_383, &[1]),
    );
    let end = file.len() - 1;
    add(
        all,
        "file_cut_short",
        FileSize,
        "the last byte is missing",
        file[..end].to_vec(),
    );
    add(
        all,
        "file_cut_in_header",
        FileSize,
        "only 5,000 bytes",
        file[..5_000].to_vec(),
    );
    add(
        all,
        "file_with_a_byte_added",
        FileSize,
        "one zero too many",
        [&file[..], &[0]].concat(),
    );
}

/// A header whose lengths agree, around a signed manifest that spaces make one byte too long.
fn too_long() -> Vec<u8> {
    let mut parts = base();
    let text = parts.claims().to_string();
    // Three bytes of payload are four characters of base64.
    let spaces = " ".repeat(24_468 - text.len());
    parts.sign(&format!("{text}{spaces}"));
    assert!(
        (32_769..32_772).contains(&parts.token.len()),
        "{}",
        parts.token.len()
    );
    let lens = [
        49_152,
        parts.token.len() as u32,
        48,
        parts.preview.len() as u32,
    ];
    let mut file = b"SATCHEL1".to_vec();
    file.extend(lens.into_iter().flat_map(u32::to_be_bytes));
    file.extend(parts.token.as_bytes());
    file.extend(&parts.table);
    file.resize(49_152, 0);
    file.extend(&parts.preview);
    file.extend(parts.segments.concat());
    file
}

fn damaged_token(all: &mut Vectors) {
    use FormatError::{ManifestShape, ManifestToken, Signature, WorkId};
    let base = base();
    let with = |token: String| {
        Parts {
            token,
            ..base.clone()
        }
        .file()
    };
    let claims = base.claims().to_string();
    let header = |header: &str| with(jws::sign(&creator(1), header, claims.as_bytes()));
    let kid = r#"{"alg":"EdDSA","typ":"satchel-manifest+jws","kid":"x"}"#;
    add(
        all,
        "token_with_kid",
        ManifestToken,
        "a member too many in the header",
        header(kid),
    );
    let none = r#"{"alg":"none","typ":"satchel-manifest+jws"}"#;
    add(
        all,
        "token_alg_none",
        ManifestToken,
        "alg none, though signed",
        header(none),
    );
    let order = r#"{"alg":"EdDSA","typ":"satchel-order+jws"}"#;
    add(
        all,
        "token_of_an_order",
        ManifestToken,
        "signed as another kind",
        header(order),
    );
    add(
        all,
        "token_padded",
        ManifestToken,
        "base64 with padding",
        with(format!("{}==", base.token)),
    );
    // The signature's last character carries two bits of it and four that must be zero.
    let mut stray = base.token.clone();
    let last = stray.pop().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let position = alphabet.find(last).unwrap();
    stray.push(alphabet.chars().nth(position + 1).unwrap());
    add(
        all,
        "token_with_stray_bits",
        ManifestToken,
        "the signature's last bits",
        with(stray),
    );

    let (signed, signature) = base.token.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let mut cheaper = base.claims();
    cheaper["terms"]["usd_micros"] = 1.into();
    let cheaper = b64::encode(cheaper.to_string().as_bytes());
    let cheaper = format!("{head}.{cheaper}.{signature}");
    add(
        all,
        "price_changed",
        Signature,
        "cheaper, under the old signature",
        with(cheaper),
    );
    let other = SigningKey::from_seed(&Key32::from_bytes([9; 32]));
    let forged = jws::sign(&other, PROTECTED_HEADER, claims.as_bytes());
    add(
        all,
        "signed_by_another_key",
        Signature,
        "not the creator's signature",
        with(forged),
    );
    let mut stolen = base.claims();
    stolen["creator"]["x"] = other.public().to_b64().into();
    let stolen = jws::sign(&other, PROTECTED_HEADER, stolen.to_string().as_bytes());
    add(
        all,
        "work_of_another_creator",
        WorkId,
        "someone else signs for this work",
        with(stolen),
    );
    let mut parts = base.clone();
    parts.change(|claims| claims["work_nonce"] = b64::encode(&[8; 16]).into());
    add(
        all,
        "work_of_another_nonce",
        WorkId,
        "the nonce does not make the id",
        parts.file(),
    );
    add(
        all,
        "creator_key_of_small_order",
        ManifestShape,
        "the creator's key is the neutral point, under which S = 0 signs any message",
        signed_by_the_neutral_point(&base).file(),
    );
}

/// A satchel that opens, with a signature nobody's key made, where small orders are not refused.
fn signed_by_the_neutral_point(base: &Parts) -> Parts {
    let mut point = [0; 32];
    point[0] = 1;
    let x = b64::encode(&point);
    let thumbprint = sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let id = satchel_crypto::b32::encode(&sha256(&[&thumbprint[..], &[2; 16]].concat()));
    let work = satchel_format::WorkId::parse(&format!("wrk_{id}")).unwrap();
    let (key, mut parts) = (content_key(3), base.clone());
    let windows = key.window_root(&work);
    for (index, segment) in (0..).zip(&mut parts.segments) {
        let key = windows.window_key(&work, index).segment_key(&work, index);
        let plain = vec![b'?'; segment.len() - 56 - 16];
        let sealer = key.sealer(&work, index, &salt("neutral", index));
        *segment = sealer.prefix().to_vec();
        sealer.finish(&plain, segment).unwrap();
    }
    let mut claims = parts.claims();
    claims["creator"]["x"] = x.into();
    claims["work"] = work.as_str().into();
    claims["key_commitment"] = b64::encode(&key.commitment(&work)).into();
    claims["merkle_root"] = b64::encode(&root(&parts.segments)).into();
    let signature = [point, [0; 32]].concat();
    parts.token = [
        PROTECTED_HEADER.as_bytes(),
        claims.to_string().as_bytes(),
        &signature,
    ]
    .map(b64::encode)
    .join(".");
    parts
}

fn damaged_manifest(all: &mut Vectors) {
    use FormatError::{ManifestShape, Sizes};
    let with = |change: &dyn Fn(&mut Value)| {
        let mut parts = base();
        parts.change(change);
        parts.file()
    };
    let set = |member: &str, value: Value| with(&|claims| claims[member] = value.clone());
    for (name, comment, member, value) in [
        (
            "manifest_v_2",
            "another version of the format",
            "v",
            json!(2),
        ),
        (
            "manifest_unknown_member",
            "a member nobody knows",
            "surprise",
            json!(1),
        ),
        (
            "manifest_null_member",
            "mse is null instead of absent",
            "mse",
            json!(null),
        ),
        (
            "manifest_version_zero",
            "versions count from 1",
            "version",
            json!(0),
        ),
        (
            "manifest_number_too_large",
            "size is 2^53",
            "size",
            json!(1_u64 << 53),
        ),
        (
            "manifest_number_as_text",
            "created is a string",
            "created",
            json!("1800000000"),
        ),
        (
            "manifest_terms_as_array",
            "terms as a list",
            "terms",
            json!([false, 1, "download"]),
        ),
        (
            "manifest_name_dot_dot",
            "the folder above",
            "name",
            json!(".."),
        ),
        ("manifest_name_with_slash", "a path", "name", json!("a/b")),
        (
            "manifest_issuer_with_path",
            "not an origin",
            "issuer",
            json!("http://localhost:8787/"),
        ),
        (
            "manifest_title_with_escape",
            "an escape character",
            "title",
            json!("a\u{1b}[2J"),
        ),
        (
            "manifest_title_too_long",
            "201 characters",
            "title",
            json!("x".repeat(201)),
        ),
        (
            "manifest_use_unknown",
            "a use nobody knows",
            "terms",
            json!({"pay_more": false, "usd_micros": 1, "use": "rent"}),
        ),
        (
            "manifest_digest_too_short",
            "31 bytes",
            "merkle_root",
            json!(b64::encode(&[1; 31])),
        ),
    ] {
        add(all, name, ManifestShape, comment, set(member, value));
    }
    let missing = with(&|claims| {
        claims.as_object_mut().unwrap().remove("created");
    });
    add(
        all,
        "manifest_member_missing",
        ManifestShape,
        "created is absent",
        missing,
    );
    let text = base().claims().to_string();
    let mut twice = base();
    twice.sign(&format!(r#"{{"version":2,{}"#, &text[1..]));
    add(
        all,
        "manifest_member_twice",
        ManifestShape,
        "version 2, then version 1",
        twice.file(),
    );
    let mut surrogate = base();
    surrogate.sign(&text.replace(r#""title":"Tide""#, r#""title":"\ud800""#));
    add(
        all,
        "manifest_lone_surrogate",
        ManifestShape,
        "not a text",
        surrogate.file(),
    );
    for (name, comment, member, value) in [
        (
            "sizes_segments",
            "one segment too many",
            "segments",
            json!(4),
        ),
        (
            "sizes_size",
            "one byte of plaintext too many",
            "size",
            json!(48),
        ),
        (
            "sizes_body_size",
            "one byte of body too many",
            "body_size",
            json!(264),
        ),
    ] {
        add(all, name, Sizes, comment, set(member, value));
    }
    let unsigned = with(&|claims| {
        claims.as_object_mut().unwrap().remove("preview_digest");
    });
    add(
        all,
        "preview_without_digest",
        Sizes,
        "a preview nobody signed",
        unsigned,
    );
    let mut promised = base();
    promised.preview.clear();
    add(
        all,
        "preview_missing",
        Sizes,
        "a preview that is not there",
        promised.file(),
    );
}

fn damaged_table(all: &mut Vectors) {
    use FormatError::{Table, TableDigest};
    // Entry e, field f: byte 16 e + 4 f + 3 is its lowest.
    let signed = |at: usize, byte: u8| {
        let mut parts = base();
        parts.table[at] = byte;
        parts.sign_contents();
        parts.file()
    };
    add(
        all,
        "table_unknown_flag",
        Table,
        "flag bit 1",
        signed(15, 2),
    );
    add(
        all,
        "table_first_window_one",
        Table,
        "windows count from 0",
        signed(7, 1),
    );
    add(
        all,
        "table_window_gap",
        Table,
        "window 1, then 3",
        signed(39, 3),
    );
    add(
        all,
        "table_window_back",
        Table,
        "window 1, then 0",
        signed(39, 0),
    );
    add(
        all,
        "table_time_decreases",
        Table,
        "9 ms, then 0",
        signed(11, 9),
    );
    add(
        all,
        "table_empty_segment",
        Table,
        "no bytes, one of three",
        signed(35, 0),
    );
    add(
        all,
        "table_segment_too_long",
        Table,
        "1 GiB and more",
        signed(0, 0x41),
    );
    let mut altered = base();
    altered.table[11] = 1;
    add(
        all,
        "table_altered",
        TableDigest,
        "a time nobody signed",
        altered.file(),
    );
}

fn damaged_body(all: &mut Vectors) {
    use FormatError::{KeyCommitment, MerkleRoot, PreviewDigest, SegmentAltered, SegmentKey};
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = base();
        change(&mut parts);
        parts.file()
    };
    let preview = with(&|parts| parts.preview[0] ^= 1);
    add(
        all,
        "preview_altered",
        PreviewDigest,
        "its first bit",
        preview,
    );
    let flipped = with(&|parts| parts.segments[1][60] ^= 1);
    add(
        all,
        "body_bit_flipped",
        MerkleRoot,
        "one bit of a segment",
        flipped,
    );
    let swapped = with(&|parts| parts.segments.swap(0, 1));
    add(
        all,
        "body_segments_swapped",
        MerkleRoot,
        "two of one length",
        swapped,
    );
    let replaced = with(&|parts| {
        let other = Parts::pack_contents(
            "evil",
            description(),
            table(&[20, 20, 7]),
            b"preview",
            |len| vec![b'!'; len],
        );
        parts.segments = other.segments;
    });
    let comment = "other contents, sealed with the right key by somebody who bought it";
    add(
        all,
        "body_replaced_by_a_key_holder",
        MerkleRoot,
        comment,
        replaced,
    );
    all.push(Vector {
        name: "wrong_content_key",
        comment: "the content key of another packing",
        file: base().file(),
        key: 4,
        fault: Some(KeyCommitment),
    });
    let swapped = with(&|parts| {
        parts.segments.swap(0, 1);
        parts.sign_contents();
    });
    add(
        all,
        "segments_swapped_and_signed",
        SegmentKey,
        "by the creator's own mistake",
        swapped,
    );
    let commitment = with(&|parts| {
        parts.segments[0][30] ^= 1;
        parts.sign_contents();
    });
    add(
        all,
        "segment_commitment_flipped",
        SegmentKey,
        "one bit, then signed",
        commitment,
    );
    let tag = with(&|parts| {
        *parts.segments[2].last_mut().unwrap() ^= 1;
        parts.sign_contents();
    });
    add(
        all,
        "segment_tag_flipped",
        SegmentAltered,
        "one bit, then signed",
        tag,
    );
}

fn all() -> Vec<Vector> {
    [sound(), damaged()].into_iter().flatten().collect()
}

#[test]
fn vectors_on_disk_are_those_the_writer_makes() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut names = BTreeSet::new();
    for vector in all() {
        let path = folder().join(vector.name);
        let json = format!("{:#}\n", vector.json());
        for (extension, bytes) in [("satchel", &vector.file[..]), ("json", json.as_bytes())] {
            let path = path.with_extension(extension);
            if update {
                fs::create_dir_all(folder()).unwrap();
                fs::write(&path, bytes).unwrap();
            }
            let on_disk = fs::read(&path).expect("run with UPDATE=1 to write the vectors");
            assert!(
                on_disk == bytes,
                "{} differs; UPDATE=1 writes it anew",
                path.display()
            );
            names.insert(format!("{}.{extension}", vector.name));
        }
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            names.contains(&name) || name == "README.md",
            "{name} is nobody's"
        );
    }
    assert_eq!(
        NAMES.len() * 2,
        names.len(),
        "a vector has no test of its own"
    );
}

/// Reads one vector from disk and compares what the reader says with what it should.
fn check(name: &str) {
    let path = folder().join(name);
    let file = fs::read(path.with_extension("satchel")).unwrap();
    let json = fs::read(path.with_extension("json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let key = Key32::from_b64(json["content_key"].as_str().unwrap()).unwrap();
    match open(&file, &ContentKey::from_key(key)) {
        Ok(plain) => {
            assert_eq!(json["expect"], "opens");
            assert_eq!(json["plaintext_sha256"], b64::encode(&sha256(&plain)));
        }
        Err(fault) => assert_eq!(json["expect"], fault.code()),
    }
}

macro_rules! vectors {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        mod on_disk {
            $(
                #[test]
                fn $name() {
                    super::check(stringify!($name));
                }
            )*
        }
    };
}

vectors! {
    empty one_byte chunk_less_one chunk chunk_and_one media preview long_table
    magic_of_version_2 header_not_smallest header_len_zero manifest_len_zero manifest_len_huge
    manifest_too_long
    table_len_not_of_entries table_len_zero preview_len_huge padding_not_zero file_cut_short
    file_cut_in_header file_with_a_byte_added
    token_with_kid token_alg_none token_of_an_order token_padded token_with_stray_bits
    price_changed signed_by_another_key work_of_another_creator work_of_another_nonce
    creator_key_of_small_order
    manifest_v_2 manifest_unknown_member manifest_null_member manifest_version_zero
    manifest_number_too_large manifest_number_as_text manifest_terms_as_array
    manifest_name_dot_dot manifest_name_with_slash manifest_issuer_with_path
    manifest_title_with_escape manifest_title_too_long manifest_use_unknown
    manifest_digest_too_short manifest_member_missing manifest_member_twice
    manifest_lone_surrogate sizes_segments sizes_size sizes_body_size
    preview_without_digest preview_missing
    table_unknown_flag table_first_window_one table_window_gap table_window_back
    table_time_decreases table_empty_segment table_segment_too_long table_altered
    preview_altered body_bit_flipped body_segments_swapped body_replaced_by_a_key_holder
    wrong_content_key segments_swapped_and_signed segment_commitment_flipped segment_tag_flipped
}

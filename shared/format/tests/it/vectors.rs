//! The vectors in `tests/vectors`: small satchels and what a reader must say of them. `sdk/js`
//! reads the same files. `UPDATE=1 cargo test -p satchel-format` writes them anew.

use std::{collections::BTreeSet, fs, path::PathBuf};

use satchel_crypto::{Key32, b64, sha256};
use satchel_format::{ContentKey, Description, FormatError, Origin, Segment, Table, Terms, Use};
use serde_json::{Value, json};

use crate::support::*;

/// One vector: a file, a key, and what comes of them.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) comment: &'static str,
    pub(crate) file: Vec<u8>,
    pub(crate) key: u8,
    pub(crate) fault: Option<FormatError>,
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
pub(crate) fn base() -> Parts {
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
            &Parts::pack("long", description(), table(&vec![1; 400]), b""),
        ),
        good(
            "spaced_members",
            "members in another order, with spaces and escapes",
            &spaced(),
        ),
        good(
            "issuer_of_every_kind",
            "letters, digits, signs, a label that is no name yet, a port",
            &described(Description {
                issuer: Origin::parse("http://xn--0.a_b-c.example:65535").unwrap(),
                ..description()
            }),
        ),
        good(
            "astral_title",
            "a title of 200 characters, 800 bytes",
            &described(Description {
                title: "🌊".repeat(200),
                ..description()
            }),
        ),
        good(
            "mse_of_a_download",
            "mse and duration_ms of a work that is sold for keeping",
            &described(Description {
                mse: Some("audio/mpeg".to_owned()),
                duration_ms: Some(0),
                ..description()
            }),
        ),
        good(
            "init_in_the_middle",
            "initialisation data again, as after a change of codec",
            &init_in_the_middle(),
        ),
    ]
}

fn described(description: Description) -> Parts {
    Parts::pack("described", description, table(&[9]), b"")
}

fn spaced() -> Parts {
    let mut parts = described(description());
    let claims = parts.claims();
    let members = claims.as_object().unwrap().iter().rev();
    let members: Vec<String> = members
        .map(|(name, value)| format!("\t{} :\r\n {value}", Value::from(name.as_str())))
        .collect();
    let text = format!(" {{{}}}\n", members.join(" ,"));
    parts.sign(&text.replace("Tide", r"\u0054\u0069de"));
    parts
}

fn init_in_the_middle() -> Parts {
    let segments = [(5, 0, true), (9, 0, false), (5, 1, true), (9, 1, false)];
    let segment = |(plain_len, window, init)| Segment {
        plain_len,
        window,
        start_ms: 10_000 * window,
        init,
    };
    let table = Table::new(segments.into_iter().map(segment).collect()).unwrap();
    Parts::pack("init", description(), table, b"")
}

fn all() -> Vec<Vector> {
    [sound(), crate::damaged::all()]
        .into_iter()
        .flatten()
        .collect()
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
    magic_of_another_kind token_of_four_parts token_with_newline signature_r_of_small_order signature_s_not_reduced
    json_number_with_fraction json_number_with_exponent json_number_minus_zero json_number_leading_zero
    json_byte_order_mark json_not_utf8 json_name_twice_by_escape json_terms_member_twice json_terms_member_unknown
    json_creator_member_unknown json_nested_deep json_bytes_after_its_end manifest_title_next_line
    manifest_name_turned manifest_work_upper_case manifest_issuer_upper_case manifest_issuer_default_port
    manifest_issuer_short_ipv4 manifest_issuer_hex manifest_issuer_two_dots manifest_issuer_long_ipv6
    manifest_issuer_mapped_ipv4 manifest_issuer_stray_letter manifest_issuer_port_zero
    issuer_of_every_kind
    manifest_issuer_with_user manifest_issuer_ftp table_two_empty_segments
    spaced_members astral_title init_in_the_middle mse_of_a_download
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
    table_hash_altered
    preview_altered body_bit_flipped body_segments_swapped body_replaced_by_a_key_holder
    wrong_content_key segments_swapped_and_signed segment_commitment_flipped segment_tag_flipped
}

//! The damaged vectors: each is `base` with one fault, and named by it.

use curve25519_dalek::{Scalar, scalar::clamp_integer};
use satchel_crypto::{b64, ed25519::SigningKey, jws, sha256};
use satchel_format::{FormatError, WorkId, manifest::PROTECTED_HEADER};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::{
    support::*,
    vectors::{Vector, base},
};

macro_rules! cases {
    ($all:ident: $($name:ident, $fault:ident, $comment:expr, $file:expr;)*) => {
        $($all.push(Vector {
            name: stringify!($name),
            comment: $comment,
            file: $file,
            key: 3,
            fault: Some(FormatError::$fault),
        });)*
    };
}

pub(crate) fn all() -> Vec<Vector> {
    let mut all = Vec::new();
    layout(&mut all);
    token(&mut all);
    signer(&mut all);
    manifest(&mut all);
    spelling(&mut all);
    table_entries(&mut all);
    contents(&mut all);
    all
}

/// The base with one of its parts changed.
fn with(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = base();
    change(&mut parts);
    parts.file()
}

fn layout(all: &mut Vec<Vector>) {
    let file = base().file();
    let at = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let mut larger = at(8, &32_768_u32.to_be_bytes());
    larger.splice(16_384..16_384, [0; 16_384]);
    cases! { all:
        magic_of_version_2, Version, "magic SATCHEL2", at(7, b"2");
        magic_of_another_kind, NotSatchel, "magic SATCHELS", at(7, b"S");
        header_not_smallest, Layout, "16,384 zeros more than needed", larger;
        header_len_zero, Layout, "header_len is 0", at(8, &[0; 4]);
        manifest_len_zero, Layout, "manifest_len is 0", at(12, &[0; 4]);
        manifest_len_huge, Layout, "manifest_len is 2^32 − 1", at(12, &[0xff; 4]);
        manifest_too_long, Layout, "a signed manifest just over 32,768 bytes", too_long();
        table_len_not_of_entries, Layout, "table_len is 49", at(16, &[0, 0, 0, 49]);
        table_len_zero, Layout, "no segment at all", at(16, &[0; 4]);
        preview_len_huge, Layout, "a preview of 2^32 − 1 bytes", at(20, &[0xff; 4]);
        padding_not_zero, Padding, "the last byte of the header is 1", at(16_383, &[1]);
        file_cut_short, FileSize, "the last byte is missing", file[..file.len() - 1].to_vec();
        file_cut_in_header, FileSize, "only 5,000 bytes", file[..5_000].to_vec();
        file_with_a_byte_added, FileSize, "one zero too many", [&file[..], &[0]].concat();
    }
}

/// A header whose lengths agree, around a signed manifest that spaces make too long.
fn too_long() -> Vec<u8> {
    let mut parts = base();
    let text = parts.claims().to_string();
    // Three bytes of payload are four characters of base64.
    let spaces = " ".repeat(24_468 - text.len());
    parts.sign(&format!("{text}{spaces}"));
    let len = u32::try_from(parts.token.len()).unwrap();
    assert!((32_769..32_772).contains(&len), "{len}");
    let mut file = b"SATCHEL1".to_vec();
    file.extend([49_152, len, 48, 7].into_iter().flat_map(u32::to_be_bytes));
    file.extend(parts.token.as_bytes());
    file.extend(&parts.table);
    file.resize(49_152, 0);
    file.extend(&parts.preview);
    file.extend(parts.segments.concat());
    file
}

fn token(all: &mut Vec<Vector>) {
    let claims = base().claims().to_string();
    let header = |header: &str| {
        with(|parts| parts.token = jws::sign(&creator(1), header, claims.as_bytes()))
    };
    let kid = r#"{"alg":"EdDSA","typ":"satchel-manifest+jws","kid":"x"}"#;
    let none = r#"{"alg":"none","typ":"satchel-manifest+jws"}"#;
    let order = r#"{"alg":"EdDSA","typ":"satchel-order+jws"}"#;
    // The signature's last character carries two bits of it and four that must be zero.
    let stray = with(|parts| {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let position = alphabet.find(parts.token.pop().unwrap()).unwrap();
        parts
            .token
            .push(alphabet.chars().nth(position + 1).unwrap());
    });
    cases! { all:
        token_with_kid, ManifestToken, "a member too many in the header", header(kid);
        token_alg_none, ManifestToken, "alg none, though signed", header(none);
        token_of_an_order, ManifestToken, "signed as another kind", header(order);
        token_of_four_parts, ManifestToken, "a part too many", with(|parts| parts.token += ".");
        token_with_newline, ManifestToken, "a line end after it", with(|parts| parts.token += "\n");
        token_padded, ManifestToken, "base64 with padding", with(|parts| parts.token += "==");
        token_with_stray_bits, ManifestToken, "the signature's last bits", stray;
    }
}

fn signer(all: &mut Vec<Vector>) {
    let other = creator(9);
    let claims = base().claims();
    let forged = |claims: &Value| {
        let token = jws::sign(&other, PROTECTED_HEADER, claims.to_string().as_bytes());
        with(|parts| parts.token = token)
    };
    let mut stolen = claims.clone();
    stolen["creator"]["x"] = other.public().to_b64().into();
    let mut cheaper = claims.clone();
    cheaper["terms"]["usd_micros"] = 1.into();
    let cheaper = with(|parts| {
        let (signed, signature) = parts.token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let payload = b64::encode(cheaper.to_string().as_bytes());
        parts.token = format!("{header}.{payload}.{signature}");
    });
    let nonce = with(|parts| {
        parts.change(|claims| claims["work_nonce"] = b64::encode(&[8; 16]).into());
    });
    cases! { all:
        price_changed, Signature, "cheaper, under the old signature", cheaper;
        signed_by_another_key, Signature, "not the creator's signature", forged(&claims);
        work_of_another_creator, WorkId, "someone else signs for this work", forged(&stolen);
        work_of_another_nonce, WorkId, "the nonce does not make the id", nonce;
        signature_r_of_small_order, Signature,
            "S B = R + k A holds, with the neutral point for R: some verifiers would take it",
            with(|parts| resign(parts, |key, message, _| {
                let mut r = [0; 32];
                r[0] = 1;
                let k = [&r[..], key.public().as_bytes(), message].concat();
                let k = Scalar::from_bytes_mod_order_wide(&Sha512::digest(&k).into());
                let a: [u8; 64] = Sha512::digest([1; 32]).into();
                let a = Scalar::from_bytes_mod_order(clamp_integer(*a.first_chunk().unwrap()));
                [r, (k * a).to_bytes()].concat()
            }));
        signature_s_not_reduced, Signature, "S + L: a second spelling of a good signature",
            with(|parts| resign(parts, |_, _, signature| {
                let mut carry = 0;
                let mut signature = signature.to_vec();
                for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
                    let sum = u16::from(*byte) + u16::from(order) + carry;
                    *byte = sum.to_le_bytes()[0];
                    carry = sum >> 8;
                }
                signature
            }));
        creator_key_of_small_order, ManifestShape,
            "the creator's key is the neutral point, under which S = 0 signs any message",
            with(sign_by_the_neutral_point);
    }
}

/// L, the order of the group, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The manifest with another signature, made from key, message and its own.
fn resign(parts: &mut Parts, make: impl Fn(&SigningKey, &[u8], &[u8]) -> Vec<u8>) {
    let (message, signature) = parts.token.rsplit_once('.').unwrap();
    let signature = b64::decode(signature).unwrap();
    let signature = make(&creator(1), message.as_bytes(), &signature);
    parts.token = format!("{message}.{}", b64::encode(&signature));
}

/// A satchel that opens, with a signature nobody's key made, where small orders are not refused.
fn sign_by_the_neutral_point(parts: &mut Parts) {
    let mut point = [0; 32];
    point[0] = 1;
    let x = b64::encode(&point);
    let thumbprint = sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let id = satchel_crypto::b32::encode(&sha256(&[&thumbprint[..], &[2; 16]].concat()));
    let work = WorkId::parse(&format!("wrk_{id}")).unwrap();
    let key = content_key(3);
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
    for (entry, leaf) in parts.table.chunks_mut(ENTRY).zip(leaves(&parts.segments)) {
        entry[16..].copy_from_slice(&leaf);
    }
    claims["table_digest"] = b64::encode(&sha256(&parts.table)).into();
    claims["merkle_root"] = b64::encode(&root(&parts.segments)).into();
    let signature = [point, [0; 32]].concat();
    parts.token = [
        PROTECTED_HEADER.as_bytes(),
        claims.to_string().as_bytes(),
        &signature,
    ]
    .map(b64::encode)
    .join(".");
}

fn manifest(all: &mut Vec<Vector>) {
    let set =
        |member: &str, value: Value| with(|parts| parts.change(|claims| claims[member] = value));
    let remove = |member: &str| {
        with(|parts| {
            parts.change(|claims| drop(claims.as_object_mut().unwrap().remove(member)));
        })
    };
    let text = base().claims().to_string();
    let twice = with(|parts| parts.sign(&format!(r#"{{"version":2,{}"#, &text[1..])));
    let surrogate = text.replace(r#""title":"Tide""#, r#""title":"\ud800""#);
    let rent = json!({"pay_more": false, "usd_micros": 1, "use": "rent"});
    let issuer = "http://localhost:8787/";
    cases! { all:
        manifest_v_2, ManifestShape, "another version of the format", set("v", json!(2));
        manifest_unknown_member, ManifestShape, "a member nobody knows", set("new", json!(1));
        manifest_null_member, ManifestShape, "null instead of absent", set("mse", json!(null));
        manifest_member_missing, ManifestShape, "created is absent", remove("created");
        manifest_member_twice, ManifestShape, "version 2, then version 1", twice;
        manifest_version_zero, ManifestShape, "they count from 1", set("version", json!(0));
        manifest_number_too_large, ManifestShape, "2^53", set("size", json!(1_u64 << 53));
        manifest_number_as_text, ManifestShape, "created in quotes", set("created", json!("18"));
        manifest_terms_as_array, ManifestShape, "a list", set("terms", json!([false, 1, "stream"]));
        manifest_use_unknown, ManifestShape, "a use nobody knows", set("terms", rent);
        manifest_name_dot_dot, ManifestShape, "the folder above", set("name", json!(".."));
        manifest_name_with_slash, ManifestShape, "a path", set("name", json!("a/b"));
        manifest_issuer_with_path, ManifestShape, "no origin", set("issuer", json!(issuer));
        manifest_title_with_escape, ManifestShape, "U+001B", set("title", json!("a\u{1b}[2J"));
        manifest_title_too_long, ManifestShape, "201 long", set("title", json!("x".repeat(201)));
        manifest_lone_surrogate, ManifestShape, "no text", with(|parts| parts.sign(&surrogate));
        manifest_digest_too_short, ManifestShape, "31 bytes",
            set("merkle_root", json!(b64::encode(&[1; 31])));
        sizes_segments, Sizes, "one segment too many", set("segments", json!(4));
        sizes_size, Sizes, "one byte of plaintext too many", set("size", json!(48));
        sizes_body_size, Sizes, "one byte of body too many", set("body_size", json!(264));
        preview_without_digest, Sizes, "a preview nobody signed", remove("preview_digest");
        preview_missing, Sizes, "promised, not there", with(|parts| parts.preview.clear());
    }
}

/// Texts that mean what the base's does, or nearly, to a reader that is less strict.
fn spelling(all: &mut Vec<Vector>) {
    let text = base().claims().to_string();
    let replaced = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        with(|parts| parts.sign(&changed))
    };
    let raw = |payload: Vec<u8>| {
        with(|parts| parts.token = jws::sign(&creator(1), PROTECTED_HEADER, &payload))
    };
    let set =
        |member: &str, value: Value| with(|parts| parts.change(|claims| claims[member] = value));
    let deep = format!(
        r#"{{"new":{}1{},{}"#,
        "[".repeat(6_000),
        "]".repeat(6_000),
        &text[1..]
    );
    let at = text.find("Tide").unwrap();
    let mut invalid = text.clone().into_bytes();
    invalid[at] = 0xff;
    let work = base().claims()["work"].as_str().unwrap().to_uppercase();
    let work = work.replacen("WRK_", "wrk_", 1);
    cases! { all:
        json_number_with_fraction, ManifestShape, "1.0", replaced(r#""version":1"#, r#""version":1.0"#);
        json_number_with_exponent, ManifestShape, "1e0", replaced(r#""version":1"#, r#""version":1e0"#);
        json_number_minus_zero, ManifestShape, "-0", replaced(r#""usd_micros":500000"#, r#""usd_micros":-0"#);
        json_number_leading_zero, ManifestShape, "01", replaced(r#""version":1"#, r#""version":01"#);
        json_byte_order_mark, ManifestShape, "U+FEFF in front", raw([b"\xef\xbb\xbf", text.as_bytes()].concat());
        json_not_utf8, ManifestShape, "a byte FF in the title", raw(invalid);
        json_name_twice_by_escape, ManifestShape, "version as \\u0076ersion, too",
            replaced("{", r#"{"\u0076ersion":1,"#);
        json_terms_member_twice, ManifestShape, "use, then use", replaced(r#""use":"#, r#""use":"stream","use":"#);
        json_terms_member_unknown, ManifestShape, "a term nobody knows", replaced(r#""use":"#, r#""new":1,"use":"#);
        json_creator_member_unknown, ManifestShape, "kid in the key", replaced(r#""kty":"#, r#""kid":"x","kty":"#);
        json_nested_deep, ManifestShape, "six thousand arrays", raw(deep.into_bytes());
        json_bytes_after_its_end, ManifestShape, "two values", raw(format!("{text}{{}}").into_bytes());
        manifest_title_next_line, ManifestShape, "U+0085, a control beyond ASCII", set("title", json!("a\u{85}b"));
        manifest_name_turned, ManifestShape, "U+202E: shown as tideexe.mp3", set("name", json!("tide\u{202e}3pm.exe"));
        manifest_work_upper_case, ManifestShape, "another spelling of the id", set("work", json!(work));
        manifest_issuer_upper_case, ManifestShape, "a host in capitals", set("issuer", json!("https://Satchel.example"));
        manifest_issuer_default_port, ManifestShape, "443", set("issuer", json!("https://satchel.example:443"));
        manifest_issuer_with_user, ManifestShape, "a name in front", set("issuer", json!("https://me@satchel.example"));
        manifest_issuer_short_ipv4, ManifestShape, "127.1, which browsers read as 127.0.0.1", set("issuer", json!("https://127.1"));
        manifest_issuer_hex, ManifestShape, "a last label that is a number", set("issuer", json!("https://a.0x7f"));
        manifest_issuer_two_dots, ManifestShape, "an empty label", set("issuer", json!("https://a..example"));
        manifest_issuer_long_ipv6, ManifestShape, "::1 in full", set("issuer", json!("https://[0:0:0:0:0:0:0:1]"));
        manifest_issuer_mapped_ipv4, ManifestShape, "127.0.0.1 as IPv6", set("issuer", json!("https://[::ffff:7f00:1]"));
        manifest_issuer_stray_letter, ManifestShape, "an exclamation mark", set("issuer", json!("https://a!.example"));
        manifest_issuer_port_zero, ManifestShape, "written 08443", set("issuer", json!("https://a.example:08443"));
        manifest_issuer_ftp, ManifestShape, "another scheme", set("issuer", json!("ftp://satchel.example"));
    }
}

fn table_entries(all: &mut Vec<Vector>) {
    // Entry e, field f: byte 48 e + 4 f + 3 is its lowest.
    let signed = |at: usize, byte: u8| {
        with(|parts| {
            parts.table[at] = byte;
            parts.sign_contents();
        })
    };
    cases! { all:
        table_unknown_flag, Table, "flag bit 1", signed(15, 2);
        table_first_window_one, Table, "windows count from 0", signed(7, 1);
        table_window_gap, Table, "window 1, then 3", signed(103, 3);
        table_window_back, Table, "window 1, then 0", signed(103, 0);
        table_time_decreases, Table, "9 ms, then 0", signed(11, 9);
        table_empty_segment, Table, "no bytes, one of three", signed(99, 0);
        table_segment_too_long, Table, "1 GiB and more", signed(0, 0x41);
        table_two_empty_segments, Table, "an empty work in two", {
            let mut parts = base();
            for entry in parts.table.chunks_mut(ENTRY) {
                entry[..4].copy_from_slice(&[0; 4]);
            }
            parts.sign_contents();
            parts.file()
        };
        table_altered, TableDigest, "a time nobody signed", with(|parts| parts.table[11] = 1);
        table_hash_altered, MerkleRoot, "the table is signed, its hashes are not those of the root",
            with(|parts| {
                parts.table[16] ^= 1;
                let digest = b64::encode(&sha256(&parts.table));
                parts.change(|claims| claims["table_digest"] = digest.into());
            });
    }
}

fn contents(all: &mut Vec<Vector>) {
    let signed = |change: &dyn Fn(&mut Parts)| {
        with(|parts| {
            change(parts);
            parts.sign_contents();
        })
    };
    let lens = table(&[20, 20, 7]);
    let evil = |len| vec![b'!'; len];
    let evil = Parts::pack_contents("evil", description(), lens, b"preview", evil).segments;
    let bought = "other contents, sealed with the right key by somebody who bought it";
    let tag = |parts: &mut Parts| *parts.segments[2].last_mut().unwrap() ^= 1;
    cases! { all:
        preview_altered, PreviewDigest, "its first bit", with(|parts| parts.preview[0] ^= 1);
        body_bit_flipped, SegmentDigest, "one bit", with(|parts| parts.segments[1][60] ^= 1);
        body_segments_swapped, SegmentDigest, "two of one length", with(|p| p.segments.swap(0, 1));
        body_replaced_by_a_key_holder, SegmentDigest, bought, with(|parts| parts.segments = evil);
        wrong_content_key, KeyCommitment, "that of another packing", base().file();
        segments_swapped_and_signed, SegmentKey, "by mistake", signed(&|p| p.segments.swap(0, 1));
        segment_commitment_flipped, SegmentKey, "and signed", signed(&|p| p.segments[0][30] ^= 1);
        segment_tag_flipped, SegmentAltered, "one bit, then signed", signed(&tag);
    }
    for vector in all
        .iter_mut()
        .filter(|vector| vector.name == "wrong_content_key")
    {
        vector.key = 4;
    }
}

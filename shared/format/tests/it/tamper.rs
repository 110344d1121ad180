//! Whatever is changed is noticed, and nothing of it comes out.
use crate::support::*;
use satchel_crypto::{Key32, b64, ed25519::SigningKey, jws};
use satchel_format::{Description, FormatError, Terms, manifest::PROTECTED_HEADER};

fn small() -> Parts {
    Parts::pack("small", description(), table(&[20, 20, 7]), b"preview")
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let good = small().file();
    let plain = open(&good, &content_key(3)).unwrap();
    let padding = 24 + small().token.len() + small().table.len()..16_384;
    for at in 0..good.len() {
        // Of the padding, which is most of the file, a sample will do.
        if padding.contains(&at) && at % 509 != 0 && at + 1 != padding.end {
            continue;
        }
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let opened = open(&bad, &content_key(3));
            assert!(
                opened.is_err(),
                "byte {at}, bit {bit}: {} bytes came out",
                plain.len()
            );
        }
    }
}

#[test]
fn no_truncation_goes_unnoticed() {
    let good = small().file();
    for len in 0..good.len() {
        assert_eq!(
            verify(&good[..len]).unwrap_err(),
            FormatError::FileSize,
            "{len}"
        );
    }
    assert_eq!(
        verify(&[&good[..], &[0]].concat()).unwrap_err(),
        FormatError::FileSize
    );
}

#[test]
fn swapped_segments_are_told_by_their_hash_and_by_their_key() {
    let mut parts = small();
    parts.segments.swap(0, 1);
    let file = parts.file();
    assert_eq!(verify(&file).unwrap_err(), FormatError::SegmentDigest);
    let satchel = front(&file).unwrap();
    let unlocked = satchel.unlock(&content_key(3)).unwrap();
    let swapped = segment(&satchel, &file, 0);
    let opened = unlocked.open_segment(0, swapped);
    assert_eq!(opened, Err(FormatError::SegmentDigest));
    // Who reads chunk by chunk has no hash yet: the segment's own key tells it.
    let reader = unlocked.segment_reader(0, swapped.first_chunk().unwrap());
    assert_eq!(reader.unwrap_err(), FormatError::SegmentKey);
}

#[test]
fn swapped_chunks_of_a_segment_are_told() {
    let mut parts = Parts::pack("chunks", description(), table(&[40_000]), b"");
    let chunk = 16_384 + 16;
    parts.segments[0][56..56 + 2 * chunk].rotate_left(chunk);
    // Signed as it is, so that nothing but the chunks' own tags can tell.
    parts.sign_contents();
    let file = parts.file();
    let satchel = front(&file).unwrap();
    let unlocked = satchel.unlock(&content_key(3)).unwrap();
    let opened = unlocked.open_segment(0, segment(&satchel, &file, 0));
    assert_eq!(opened, Err(FormatError::SegmentAltered));
}

#[test]
fn changed_price_is_told_by_the_signature() {
    let mut parts = small();
    let mut claims = parts.claims();
    claims["terms"]["usd_micros"] = 1.into();
    let (signed, signature) = parts.token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    parts.token = format!(
        "{header}.{}.{signature}",
        b64::encode(claims.to_string().as_bytes())
    );
    assert_eq!(front(&parts.file()).unwrap_err(), FormatError::Signature);
}

#[test]
fn other_creator_can_not_sign_this_work() {
    let other = SigningKey::from_seed(&Key32::from_bytes([9; 32]));
    let mut parts = small();
    let claims = parts.claims();
    parts.token = jws::sign(&other, PROTECTED_HEADER, claims.to_string().as_bytes());
    assert_eq!(front(&parts.file()).unwrap_err(), FormatError::Signature);
    let mut claims = claims;
    claims["creator"]["x"] = other.public().to_b64().into();
    parts.token = jws::sign(&other, PROTECTED_HEADER, claims.to_string().as_bytes());
    assert_eq!(front(&parts.file()).unwrap_err(), FormatError::WorkId);
}

#[test]
fn front_of_another_version_does_not_fit_this_body() {
    let cheap = Description {
        version: 2,
        terms: Terms {
            usd_micros: 1,
            ..description().terms
        },
        ..description()
    };
    let parts = small();
    let other = Parts::pack("other", cheap, table(&[20, 20, 7]), b"preview");
    let mixed = Parts {
        segments: parts.segments,
        ..other
    };
    assert_eq!(
        verify(&mixed.file()).unwrap_err(),
        FormatError::SegmentDigest
    );
}

#[test]
fn contents_replaced_by_somebody_who_has_the_key_are_told_segment_by_segment() {
    // Every buyer of a download holds the content key and could seal something else with it.
    let good = small();
    let evil = Parts::pack_contents(
        "evil",
        description(),
        table(&[20, 20, 7]),
        b"preview",
        |len| vec![b'!'; len],
    );
    let mixed = Parts {
        segments: evil.segments,
        ..good
    }
    .file();
    let satchel = front(&mixed).unwrap();
    let unlocked = satchel.unlock(&content_key(3)).unwrap();
    for index in 0..3 {
        let opened = unlocked.open_segment(index, segment(&satchel, &mixed, index));
        assert_eq!(opened, Err(FormatError::SegmentDigest));
    }
    let bytes = segment(&satchel, &mixed, 0);
    let mut reader = unlocked
        .segment_reader(0, bytes.first_chunk().unwrap())
        .unwrap();
    let mut plain = Vec::new();
    reader.chunk(&bytes[56..], &mut plain).unwrap();
    assert_eq!(plain, [b'!'; 20], "the key alone can't tell");
}

#[test]
fn another_key_is_told_before_anything_is_decrypted() {
    let file = small().file();
    assert_eq!(
        open(&file, &content_key(4)),
        Err(FormatError::KeyCommitment)
    );
}

#[test]
fn segments_of_another_length_or_number_are_refused() {
    let file = small().file();
    let satchel = front(&file).unwrap();
    let unlocked = satchel.unlock(&content_key(3)).unwrap();
    let bytes = segment(&satchel, &file, 0);
    for wrong in [
        &bytes[..bytes.len() - 1],
        &bytes[..56],
        &bytes[..10],
        &[],
        &file[..],
    ] {
        assert_eq!(
            unlocked.open_segment(0, wrong),
            Err(FormatError::SegmentLength)
        );
    }
    assert_eq!(unlocked.open_segment(3, bytes), Err(FormatError::NoSegment));
    let mut reader = unlocked
        .segment_reader(0, bytes.first_chunk().unwrap())
        .unwrap();
    let mut out = Vec::new();
    assert_eq!(reader.next_len(), Some(36));
    assert_eq!(
        reader.chunk(&bytes[56..91], &mut out),
        Err(FormatError::SegmentLength)
    );
    reader.chunk(&bytes[56..], &mut out).unwrap();
    assert_eq!((out.len(), reader.next_len()), (20, None));
    assert_eq!(reader.chunk(&[], &mut out), Err(FormatError::SegmentLength));
}

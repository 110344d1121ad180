//! Manifests: any text as a token, and any text as the payload of a token that is genuine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satchel_crypto::jws;
use satchel_format::{
    SignedManifest,
    header::{MAX_FILE_BYTES, MAX_MANIFEST_BYTES},
    manifest::{MAX_TITLE_CHARS, PROTECTED_HEADER},
};
use satchel_fuzz::{KEY, assert_faithful, filled};

fuzz_target!(|text: &str| {
    check(text);
    let payload = filled(text);
    check(&jws::sign(&KEY, PROTECTED_HEADER, payload.as_bytes()));
});

fn check(token: &str) {
    let Ok(signed) = SignedManifest::verify(token) else {
        return;
    };
    assert!(token.len() <= MAX_MANIFEST_BYTES as usize);
    assert_eq!(signed.token(), token);
    let payload = jws::Parsed::parse(token).unwrap().payload;
    let manifest = signed.manifest();
    assert_faithful(&payload, manifest);
    // What readers in JavaScript can count, and what a terminal can show.
    assert!(manifest.size <= MAX_FILE_BYTES && manifest.terms.usd_micros <= MAX_FILE_BYTES);
    assert!((1..=MAX_TITLE_CHARS).contains(&manifest.title.chars().count()));
    for text in [&manifest.title, &manifest.name, &manifest.media_type] {
        assert!(!text.is_empty() && !text.chars().any(char::is_control));
    }
    assert!(!manifest.name.contains(['/', '\\']) && manifest.name != "..");
    // The vectors bring other creators' genuine tokens.
    if manifest.creator.0 == KEY.public() {
        let again = SignedManifest::sign(manifest.clone(), &KEY).unwrap();
        assert_eq!(again.manifest(), manifest);
        assert_eq!(SignedManifest::verify(again.token()), Ok(again.clone()));
    }
}

//! What the fuzz targets share: one signer, and what must hold of every document that is accepted.
//!
//! No fuzzer guesses a signature, so the targets sign for it. Inputs are texts in which a few marks
//! stand for what follows from the signer's key ([`filled`]); everything else is the fuzzer's.

use std::{fmt::Debug, sync::LazyLock};

use satchel_crypto::{Key32, b64, ed25519::SigningKey};
use satchel_format::WorkId;
use satchel_json::FromJson;
use serde::Serialize;
use serde_json::Value;

/// The issuer that all documents are for.
pub const ISSUER: &str = "https://satchel.example";
/// The time it is, Unix seconds: within the life of the examples in `schemas/`.
pub const NOW_S: u64 = 1_700_000_100;
/// The nonce of the work that `@w` names.
pub const WORK_NONCE: [u8; 16] = [2; 16];

/// The only key there is: whatever is accepted was signed with it.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(key);

/// The same, to give away.
#[must_use]
pub fn key() -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([1; 32]))
}

static MARKS: LazyLock<[(&str, String); 4]> = LazyLock::new(|| {
    let public = KEY.public();
    [
        ("@x", public.to_b64()),
        ("@t", public.jkt()),
        ("@w", WorkId::derive(&public, &WORK_NONCE).to_string()),
        ("@n", b64::encode(&WORK_NONCE)),
    ]
});

/// The text with `@x` replaced by the key, `@t` by its thumbprint, `@w` by a work of its, `@n` by
/// that work's nonce.
#[must_use]
pub fn filled(text: &str) -> String {
    let fill = |text: String, (mark, value): &(&str, String)| text.replace(mark, value);
    MARKS.iter().fold(text.to_owned(), fill)
}

/// A document that was read says what was written, no more and no less, and reads back the same.
pub fn assert_faithful<T: FromJson + Serialize + PartialEq + Debug>(text: &[u8], value: &T) {
    let written = serde_json::to_value(value).unwrap();
    let original = serde_json::from_slice(text).unwrap();
    assert_eq!(without_nulls(written), without_nulls(original));
    assert_reads_back(value);
}

/// A value reads back the same.
pub fn assert_reads_back<T: FromJson + Serialize + PartialEq + Debug>(value: &T) {
    let text = satchel_json::to_vec(value).unwrap();
    assert_eq!(text, serde_json::to_vec(value).unwrap());
    assert_eq!(satchel_json::from_slice(&text).as_ref(), Ok(value));
}

/// An optional member may be absent or null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(name, value)| (name, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

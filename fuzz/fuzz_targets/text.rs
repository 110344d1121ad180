//! Short texts: ids, encodings, origins, handles, money. One value has one spelling.
#![no_main]

#[path = "../../cli/src/money.rs"]
#[expect(dead_code, reason = "only what reads is called")]
mod money;

use libfuzzer_sys::fuzz_target;
use satchel_crypto::{Key32, b32, b64, ed25519::PublicKey, handle, wrap::Keyring};
use satchel_domain::id::{
    AccountId, Digest, FundingId, OrderId, SessionId, Thumbprint, UploadId, WorkId,
};
use satchel_format::{Origin, manifest::Bytes};
use satchel_wire::{command, receipt};
use url::Url;

fuzz_target!(|text: &str| {
    encodings(text);
    ids(text);
    if let Ok(origin) = Origin::parse(text) {
        assert_eq!(origin.as_str(), text);
        assert!(is_as_browsers_spell_it(text), "{text}");
        assert!(text.starts_with("http://") || origin.is_private());
    }
    amounts(text);
    if receipt::is_handle(text) {
        assert!(text.is_ascii() && !text.contains(['/', '.', '%', '?']));
    }
    let key = Key32::from_bytes([7; 32]);
    assert!(handle::open(&key, text).is_err());
    if let Ok(ring) = Keyring::parse(text) {
        let wrapped = ring.wrap(&key, b"work", [0; 12]).unwrap();
        assert_eq!(ring.unwrap(&wrapped, b"work").as_ref(), Ok(&key));
        assert!(ring.unwrap(&wrapped, b"other").is_err());
        assert!(ring.unwrap(text, b"work").is_err());
    }
    let _ = command::check_text(text, text);
});

fn encodings(text: &str) {
    if let Ok(bytes) = b32::decode(text) {
        assert_eq!(b32::encode(&bytes), text);
    }
    if let Ok(bytes) = b64::decode(text) {
        assert_eq!(b64::encode(&bytes), text);
        assert_eq!(Bytes::<16>::parse(text).is_ok(), bytes.len() == 16);
        assert_eq!(Key32::from_b64(text).is_ok(), bytes.len() == 32);
    }
    if let Ok(key) = PublicKey::from_b64(text) {
        assert_eq!(key.to_b64(), text);
        assert!(!key.verify(b"message", &[0; 64]));
    }
    // And the other way round.
    let bytes = text.as_bytes();
    assert_eq!(b32::decode(&b32::encode(bytes)).as_deref(), Ok(bytes));
    assert_eq!(b64::decode(&b64::encode(bytes)).as_deref(), Ok(bytes));
    if bytes.len() <= handle::MAX_BYTES {
        let key = Key32::from_bytes([7; 32]);
        let name = handle::seal(&key, bytes).unwrap();
        assert_eq!(handle::open(&key, &name).as_deref(), Ok(bytes));
    }
}

/// Ids are checked in two ways: where they are only carried, and where they are decoded.
fn ids(text: &str) {
    macro_rules! agree {
        ($($id:ident, $decode:path, $bytes:literal;)*) => {$(
            let decoded = text.strip_prefix($id::PREFIX).and_then(|body| $decode(body).ok());
            let is_id = decoded.is_some_and(|bytes| bytes.len() == $bytes);
            let read = $id::parse(text);
            assert_eq!(read.is_ok(), is_id, stringify!($id));
            if let Ok(id) = read {
                assert_eq!((id.as_str(), id.to_string().as_str()), (text, text));
            }
        )*};
    }
    agree! {
        WorkId, b32::decode, 32;
        OrderId, b32::decode, 20;
        FundingId, b32::decode, 20;
        UploadId, b32::decode, 20;
        SessionId, b32::decode, 20;
        Thumbprint, b64::decode, 32;
        AccountId, b64::decode, 32;
        Digest, b64::decode, 32;
    }
    assert_eq!(
        WorkId::parse(text).is_ok(),
        satchel_format::WorkId::parse(text).is_ok()
    );
}

/// What the other reader of the format asks: `new URL(text).origin === text`. Whether an
/// internationalised label decodes is left to whoever looks the host up.
fn is_as_browsers_spell_it(text: &str) -> bool {
    text.contains("xn--")
        || Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

fn amounts(text: &str) {
    if let Ok(micros) = money::parse_usd(text) {
        let written = money::usd(micros).replace(|c: char| !c.is_ascii_digit() && c != '.', "");
        assert_eq!(money::parse_usd(&written), Ok(micros), "{written}");
    }
}

//! Cryptography of the runtime: Ed25519 by WebCrypto costs half of what compiled code does, and
//! none of a worker's size (docs/adr/0008).

/// Natively, where tests run, signatures are verified by RustCrypto.
#[cfg(not(target_family = "wasm"))]
pub use satchel_crypto::ed25519::Software as Platform;
#[cfg(target_family = "wasm")]
use satchel_crypto::ed25519::{PublicKey, Verifier};

/// Verifies signatures by WebCrypto.
#[cfg(target_family = "wasm")]
#[derive(Debug, Clone, Copy)]
pub struct Platform;

#[cfg(target_family = "wasm")]
mod web {
    use js_sys::Uint8Array;
    use wasm_bindgen::prelude::wasm_bindgen;

    // One function rather than two imported ones: each call from wasm is a crossing.
    #[wasm_bindgen(inline_js = r#"
// The last keys stay imported: whoever signs twice mostly does so soon.
const keys = new Map();
const KEPT = 256;

async function imported(name, key) {
  const made = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  if (keys.size >= KEPT) keys.clear();
  keys.set(name, made);
  return made;
}

export async function verifyEd25519(key, message, signature) {
  const name = String.fromCharCode(...key);
  return crypto.subtle.verify("Ed25519", keys.get(name) ?? (await imported(name, key)), signature, message);
}
"#)]
    extern "C" {
        #[wasm_bindgen(js_name = verifyEd25519)]
        pub(super) fn verify(
            key: Uint8Array,
            message: Uint8Array,
            signature: Uint8Array,
        ) -> js_sys::Promise;
    }
}

#[cfg(target_family = "wasm")]
impl Verifier for Platform {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        begin(key, message, signature).await
    }
}

/// Boxed: it would be part of the future of every kind of document.
#[cfg(target_family = "wasm")]
fn begin(
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> std::pin::Pin<Box<dyn Future<Output = bool>>> {
    // WebCrypto alone would take an R of small order, which other verifiers refuse.
    let r = signature.first_chunk().map(PublicKey::from_bytes);
    let sound = matches!(r, Some(Ok(_)));
    // Copies: WebCrypto reads them after wasm's memory may have moved.
    let copy = |bytes: &[u8]| js_sys::Uint8Array::from(bytes);
    let verdict = web::verify(copy(key.as_bytes()), copy(message), copy(signature));
    let verdict = crate::task::settled(&verdict);
    // A rejection says that the bytes are no key or no signature.
    Box::pin(async move {
        let verdict = verdict.await;
        sound && verdict.is_ok_and(|verdict| verdict == wasm_bindgen::JsValue::TRUE)
    })
}

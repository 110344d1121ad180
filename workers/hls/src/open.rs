//! Sends a segment as it comes from the files worker: each chunk is decrypted by the runtime's own
//! WebCrypto, forty times as fast as compiled code (docs/adr/0003), and no byte of it enters this program.

use satchel_edge::{Env, internal};
use satchel_wire::{ApiError, ErrorCode, Result};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};

use crate::{Answer, gate::Part};

#[wasm_bindgen(module = "/src/open.js")]
extern "C" {
    #[wasm_bindgen(js_name = binding, catch)]
    fn js_binding(env: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = wait)]
    fn js_wait(ms: f64) -> js_sys::Promise;

    #[wasm_bindgen(js_name = sealed)]
    fn js_sealed(files: &JsValue, path: &str, range: &str, head: bool) -> js_sys::Promise;

    #[wasm_bindgen(js_name = opened)]
    fn js_opened(
        files: &JsValue,
        path: &str,
        range: &str,
        secret: js_sys::Uint8Array,
        length: u32,
        kind: &str,
        head: bool,
    ) -> js_sys::Promise;
}

/// A binding of this worker.
pub(crate) fn binding(env: &Env, name: &str) -> std::result::Result<JsValue, JsValue> {
    js_binding(env.as_ref(), name)
}

/// Lets time pass.
pub(crate) async fn wait(ms: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
    let _ = js_wait(ms as f64).await;
}

/// The answer that carries a segment.
pub(crate) async fn bytes(files: Result<JsValue>, part: Part, head: bool) -> Result<Answer> {
    let files = files?;
    let range = format!("bytes={}-{}", part.from, part.to.saturating_sub(1));
    let answer = match part.opens {
        None => js_sealed(&files, &part.file, &range, head),
        Some(opens) => {
            // One array, one crossing: key, leaf, context.
            let secret = [opens.key.as_bytes().as_slice(), &opens.leaf, &opens.context].concat();
            let secret = js_sys::Uint8Array::from(&secret[..]);
            let kind = &part.media_type;
            js_opened(&files, &part.file, &range, secret, opens.length, kind, head)
        }
    };
    let answer = answer.await.map_err(|error| unavailable(&error))?;
    // A status in place of an answer: the files worker has no such bytes.
    if let Some(status) = answer.as_f64() {
        return Err(unavailable(&JsValue::from(status)));
    }
    Ok(answer.unchecked_into())
}

fn unavailable(error: &JsValue) -> ApiError {
    let _ = internal(format!("bytes: {error:?}"));
    ErrorCode::Unavailable.into()
}

//! Sends a segment as it comes from the files worker: each chunk is decrypted by the runtime's own
//! WebCrypto, forty times as fast as compiled code (docs/adr/0003), and no byte of it enters this program.

use satchel_edge::Env;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::gate::Part;

#[wasm_bindgen(module = "/src/open.js")]
extern "C" {
    /// Method and address of a request.
    pub(crate) fn line(request: &JsValue) -> String;

    #[wasm_bindgen(js_name = wait)]
    fn js_wait(ms: f64) -> js_sys::Promise;

    fn sealed(env: &JsValue, path: &str, range: &str, head: bool) -> js_sys::Promise;

    fn opened(
        env: &JsValue,
        path: &str,
        range: &str,
        secret: js_sys::Uint8Array,
        length: u32,
        kind: &str,
        head: bool,
    ) -> js_sys::Promise;
}

/// Lets time pass.
pub(crate) async fn wait(ms: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
    let _ = js_wait(ms as f64).await;
}

/// The answer that carries a segment: a promise of the runtime's own, nothing of it passes here.
pub(crate) fn send(env: &Env, part: &Part, head: bool) -> js_sys::Promise {
    let range = format!("bytes={}-{}", part.from, part.to.saturating_sub(1));
    let env: &JsValue = env.as_ref();
    match &part.opens {
        None => sealed(env, &part.file, &range, head),
        Some(opens) => {
            // One array, one crossing: key, leaf, context.
            let secret = [opens.key.as_bytes().as_slice(), &opens.leaf, &opens.context].concat();
            let secret = js_sys::Uint8Array::from(&secret[..]);
            let kind = &part.media_type;
            opened(env, &part.file, &range, secret, opens.length, kind, head)
        }
    }
}

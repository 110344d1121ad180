//! Requests to somebody who is none of ours.

use satchel_wire::{ErrorCode, Result};
use wasm_bindgen::{JsCast as _, prelude::wasm_bindgen};

use crate::log;

/// Whoever does not answer in that time does not answer, milliseconds.
const PATIENCE_MS: u32 = 20_000;

#[wasm_bindgen(inline_js = r#"
export async function outside(method, url, patience) {
  const signal = AbortSignal.timeout(patience);
  const answer = await fetch(url, { method, signal, redirect: "manual" });
  return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) };
}
"#)]
extern "C" {
    fn outside(method: &str, url: &str, patience: u32) -> js_sys::Promise;

    type Outside;

    #[wasm_bindgen(method, getter)]
    fn status(this: &Outside) -> u16;

    #[wasm_bindgen(method, getter)]
    fn bytes(this: &Outside) -> Vec<u8>;
}

/// Asks, without a body; gives status and body. The address is not logged: it may be signed.
pub async fn ask_outside(method: &str, url: &str) -> Result<(u16, Vec<u8>)> {
    let answer = outside(method, url, PATIENCE_MS).await;
    let answer: Outside = answer
        .map_err(|_| {
            log("warn", "outside", &"no answer");
            ErrorCode::Unavailable
        })?
        .unchecked_into();
    Ok((answer.status(), answer.bytes()))
}

//! What is written in JavaScript: each call from wasm is a crossing and a piece of a worker's size
//! (docs/adr/0013), so that what takes several of them is one function here.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::worker_sys::web_sys::Request;

#[wasm_bindgen(inline_js = r#"
export const told = (error) => String(error);

export async function ask(target, method, url, body) {
  const headers = body && { "content-type": "application/json" };
  const answer = await target.fetch(url, { method, headers, body });
  return { ok: answer.ok, bytes: new Uint8Array(await answer.arrayBuffer()) };
}

// Whole where its length is known: piece by piece costs twice as much. Otherwise nothing is read beyond
// `most`: leaving the loop cancels the stream.
export async function readBody(request, most) {
  const announced = request.headers.get("content-length");
  if (announced > most) return undefined;
  if (announced !== null) return new Uint8Array(await request.arrayBuffer());
  const pieces = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.length;
    if (size > most) return undefined;
    pieces.push(piece);
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}
"#)]
extern "C" {
    /// What an exception says.
    pub(crate) fn told(error: &JsValue) -> String;

    /// Sends a request, with a JSON body or without one, and reads the whole answer.
    pub(crate) fn ask(
        target: &Target,
        method: &str,
        url: &str,
        body: Option<Uint8Array>,
    ) -> Promise;

    /// The body of a request; `undefined` where it is longer than `most` bytes.
    #[wasm_bindgen(js_name = readBody)]
    pub(crate) fn read_body(request: &Request, most: usize) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// A stub of an object or the binding of a service.
    #[derive(Debug)]
    pub(crate) type Target;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn fetch(this: &Target, request: &Request) -> Result<Promise, JsValue>;

    /// What [`ask`] was told.
    pub(crate) type Answer;

    /// Whether its status says success.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn ok(this: &Answer) -> bool;

    /// Its body.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn bytes(this: &Answer) -> Vec<u8>;
}

//! Answers that need a body and nothing else to wait for: one promise, of JavaScript's own, and few crossings, where a
//! future in Rust costs a promise for itself and one for each that it awaits.

use js_sys::{Array, Promise, Uint8Array, futures::future_to_promise};
use satchel_wire::Result;
use wasm_bindgen::{
    JsCast as _, JsValue,
    prelude::{Closure, wasm_bindgen},
};
use worker::{Response, worker_sys::web_sys};

use crate::{
    Call, MAX_BODY_BYTES,
    call::served,
    respond::{JSON, OPEN_TO_ALL},
};

#[wasm_bindgen(inline_js = r#"
let init;

// `run` is given the body and a header, or nothing where the body is none that can be read at once. It gives the text
// of an answer, or a promise of one.
export async function quick(request, most, name, fields, run) {
  const { headers } = request;
  const length = headers.get("content-length");
  const plain = length !== null && length <= most && headers.get("content-type") === "application/json";
  const body = plain ? new Uint8Array(await request.arrayBuffer().catch(() => new ArrayBuffer(0))) : undefined;
  const answer = run(body, (plain && headers.get(name)) || "");
  if (typeof answer !== "string") return answer;
  if (!init) {
    init = { headers: new Headers() };
    const pairs = fields();
    for (let at = 0; at < pairs.length; at += 2) init.headers.set(pairs[at], pairs[at + 1]);
  }
  return new Response(answer, init);
}
"#)]
extern "C" {
    fn quick(
        request: &web_sys::Request,
        most: usize,
        name: &str,
        fields: &JsValue,
        run: JsValue,
    ) -> Promise;
}

thread_local! {
    static FIELDS: JsValue = Closure::<dyn FnMut() -> Array>::new(|| {
        let fields = Array::new();
        for (name, value) in JSON.into_iter().chain([("cache-control", "no-store")]).chain(OPEN_TO_ALL) {
            fields.push(&name.into());
            fields.push(&value.into());
        }
        fields
    })
    .into_js_value();
}

/// Answers a `POST` of JSON: with 200 and the text that `at_once` makes of body and header `name`, or as `handler` does
/// where that makes nothing of it.
pub fn quickly<Q, F, Fut>(request: &web_sys::Request, name: &str, at_once: Q, handler: F) -> Promise
where
    Q: FnOnce(&[u8], &str) -> Option<String> + 'static,
    F: FnOnce(Call) -> Fut + 'static,
    Fut: Future<Output = Result<Response>> + 'static,
{
    let call = Call::from(request);
    let run = move |body: JsValue, header: JsValue| -> JsValue {
        let mut call = call;
        if let Some(body) = body.dyn_ref::<Uint8Array>() {
            let body = body.to_vec();
            if let Some(text) = at_once(&body, &header.as_string().unwrap_or_default()) {
                return text.into();
            }
            call.has_been_read(body);
        }
        let answer = async move {
            let answer = served(call, handler).await.map(web_sys::Response::from);
            answer.map(JsValue::from).map_err(JsValue::from)
        };
        future_to_promise(answer).into()
    };
    let run = Closure::once_into_js(run);
    FIELDS.with(|fields| quick(request, MAX_BODY_BYTES, name, fields, run))
}

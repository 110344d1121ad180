//! What a worker exports, with one promise for all of it: the macros of the `worker` crate make one,
//! with all that belongs to it, for each function of each object (docs/adr/0013).

use std::pin::Pin;

use js_sys::{Promise, futures::future_to_promise};
use satchel_wire::Result;
use wasm_bindgen::JsValue;
use worker::{Response, worker_sys::web_sys};

use crate::{
    Call,
    call::{answered, served},
};

/// What comes of answering.
type Answer = Pin<Box<dyn Future<Output = worker::Result<Response>>>>;

fn promise(answer: Answer) -> Promise {
    future_to_promise(async move {
        let answer = answer.await.map(web_sys::Response::from);
        answer.map(JsValue::from).map_err(JsValue::from)
    })
}

/// [`crate::serve`] for an exported `fetch`.
pub fn fetched<F, Fut>(request: &web_sys::Request, handler: F) -> Promise
where
    F: FnOnce(Call) -> Fut + 'static,
    Fut: Future<Output = Result<Response>> + 'static,
{
    promise(Box::pin(served(Call::from(request), handler)))
}

/// [`crate::serve_object`] for an object's exported `fetch`.
pub fn object_fetched<F, Fut>(request: &web_sys::Request, handler: F) -> Promise
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Response>> + 'static,
{
    promise(Box::pin(answered(Box::pin(handler(Call::from(request))))))
}

/// For an object's exported `alarm`: an error makes the runtime try again.
pub fn alarmed(done: impl Future<Output = worker::Result<Response>> + 'static) -> Promise {
    promise(Box::pin(done))
}

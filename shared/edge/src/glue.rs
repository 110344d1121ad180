//! What a worker exports, with one promise for all of it: the macros of the `worker` crate make one,
//! with all that belongs to it, for each function of each object (docs/adr/0013).

use std::pin::Pin;

use js_sys::{Promise, Uint8Array};
use satchel_wire::Result;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Response, worker_sys::web_sys};

use crate::{
    Call,
    call::{self, answered, served},
    task,
};

#[wasm_bindgen(inline_js = r#"
export const open = () => Promise.withResolvers();
export const fulfil = (opened, value) => opened.resolve(value);
export const reject = (opened, error) => opened.reject(error instanceof Error ? error : new Error(error));
// Who asks an object looks at status and body, and at no header.
export const tell = (opened, status, body) => opened.resolve(new Response(body, { status }));
"#)]
extern "C" {
    /// A promise with what settles it.
    type Opened;

    #[wasm_bindgen(method, getter)]
    fn promise(this: &Opened) -> Promise;

    fn open() -> Opened;

    fn fulfil(opened: &Opened, value: JsValue);

    fn reject(opened: &Opened, error: JsValue);

    fn tell(opened: &Opened, status: u16, body: Uint8Array);
}

/// What comes of answering.
type Answer = Pin<Box<dyn Future<Output = worker::Result<Response>>>>;

fn promise(answer: Answer) -> Promise {
    let opened = open();
    let promise = opened.promise();
    task::spawn(Box::pin(async move {
        match answer.await.map(web_sys::Response::from) {
            Ok(response) => fulfil(&opened, response.into()),
            Err(error) => reject(&opened, error.into()),
        }
    }));
    promise
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

/// What comes of asking an object: JSON.
type Told = Pin<Box<dyn Future<Output = Result<Vec<u8>>>>>;

/// For an object's exported `fetch`: `handler` is given the path's segments and the body, and gives JSON.
pub fn object_asked<Fut>(
    request: &web_sys::Request,
    handler: impl FnOnce(Vec<String>, Vec<u8>) -> Fut + 'static,
) -> Promise
where
    Fut: Future<Output = Result<Vec<u8>>> + 'static,
{
    told(
        request,
        Box::new(|path, body| Box::pin(handler(path, body))),
    )
}

/// Neither generic nor inlined: one state machine for all objects.
fn told(
    request: &web_sys::Request,
    handler: Box<dyn FnOnce(Vec<String>, Vec<u8>) -> Told>,
) -> Promise {
    let url = request.url();
    let path = call::path_of(&url).split('/').skip(1);
    let path = path.map(ToOwned::to_owned).collect();
    let body = call::own_body(request);
    let opened = open();
    let promise = opened.promise();
    task::spawn(Box::pin(async move {
        let answer = match body.await {
            Ok(body) => handler(path, body).await,
            Err(error) => Err(error),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(error) => {
                let problem = error.problem();
                let body = satchel_json::to_vec(&problem).unwrap_or_default();
                (problem.status, body)
            }
        };
        // A copy: the runtime reads it after wasm's memory may have moved.
        tell(&opened, status, Uint8Array::from(&body[..]));
    }));
    promise
}

/// For an object's exported `alarm`: an error makes the runtime try again.
pub fn alarmed(done: impl Future<Output = worker::Result<Response>> + 'static) -> Promise {
    promise(Box::pin(done))
}

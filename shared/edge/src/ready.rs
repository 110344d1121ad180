//! Answers that are made once and given many times: kept on JavaScript's side, so that giving one is a single
//! crossing; and a way to answer without a promise where nothing has to be waited for.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use js_sys::{Array, futures::future_to_promise};
use satchel_wire::{ErrorCode, Result};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Response, worker_sys::web_sys};

use crate::{Call, call::served, respond::OPEN_TO_ALL};

#[wasm_bindgen(inline_js = r#"
export function keep(status, fields, body, tag) {
  const headers = new Headers();
  for (let at = 0; at < fields.length; at += 2) headers.set(fields[at], fields[at + 1]);
  return { answer: { status, headers }, known: { status: 304, headers }, body, tag };
}

// RFC 9110 §13.1.2: weak comparison with each tag of the list.
const names = (list, tag) => list.split(",").some((one) => ["*", tag, `W/${tag}`].includes(one.trim()));

export function give({ answer, known, body, tag }, request) {
  const given = tag && request.headers.get("if-none-match");
  return given && names(given, tag) ? new Response(null, known) : new Response(body, answer);
}
"#)]
extern "C" {
    #[derive(Debug, Clone)]
    type Kept;

    fn keep(status: u16, fields: &Array, body: &str, tag: &str) -> Kept;

    fn give(kept: &Kept, request: &web_sys::Request) -> web_sys::Response;
}

/// An answer to be given any number of times.
#[derive(Debug, Clone)]
pub struct Ready(Kept);

impl Ready {
    /// Made once. With a `tag`, whoever names it in `If-None-Match` gets a 304.
    #[must_use]
    pub fn new(status: u16, headers: &[(&str, &str)], body: &str, tag: Option<&str>) -> Self {
        let fields = Array::new();
        let tagged = tag.map(|tag| ("etag", tag));
        let all = headers.iter().copied().chain(OPEN_TO_ALL).chain(tagged);
        for (name, value) in all.chain([("x-content-type-options", "nosniff")]) {
            fields.push(&name.into());
            fields.push(&value.into());
        }
        Self(keep(status, &fields, body, tag.unwrap_or_default()))
    }
}

/// What comes of a request to a worker of pages.
#[derive(Debug)]
pub enum Answer {
    /// Given as it is.
    Ready(Ready),
    /// Made for this request.
    Fresh(Response),
}

/// Answers a request of the outside for an exported `fetch`: at once where the handler waits for nothing, else by a
/// promise.
pub fn answered<F, Fut>(request: &web_sys::Request, handler: F) -> JsValue
where
    F: FnOnce(Call) -> Fut + 'static,
    Fut: Future<Output = Result<Answer>> + 'static,
{
    let call = Call::from(request);
    if call.method() == "OPTIONS" {
        return promised(served(call, |_| async {
            Err(ErrorCode::MethodNotAllowed.into())
        }));
    }
    let (asked, shown) = (Clone::clone(request), Call::from(request));
    let mut coming: Pin<Box<dyn Future<Output = Result<Answer>>>> = Box::pin(handler(call));
    // Nobody has to be woken: what is not ready is asked again below, by somebody who can be.
    let first = coming
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(Ok(Answer::Ready(ready))) = &first {
        return give(&ready.0, &asked).into();
    }
    promised(async move {
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => coming.await,
        };
        match answer {
            Ok(Answer::Ready(ready)) => Ok(Response::from(give(&ready.0, &asked))),
            Ok(Answer::Fresh(fresh)) => served(shown, |_| async { Ok(fresh) }).await,
            Err(error) => served(shown, |_| async { Err(error) }).await,
        }
    })
}

fn promised(answer: impl Future<Output = worker::Result<Response>> + 'static) -> JsValue {
    let answer = async move {
        let answer = answer.await.map(web_sys::Response::from);
        answer.map(JsValue::from).map_err(JsValue::from)
    };
    future_to_promise(answer).into()
}

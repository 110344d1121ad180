//! The hls worker: VOD playlists and fragments for players that cannot decrypt, where the creator
//! allows it.
//!
//! | route | does |
//! |---|---|
//! | `GET /hls/{capability}/index.m3u8` | [`playlist::main`]: one variant, with its codecs |
//! | `GET /hls/{capability}/media.m3u8` | [`playlist::media`] |
//! | `GET /hls/{capability}/{n}.mp4`, `{n}.m4s` | segment `n`, decrypted as it passes |
//! | `GET /hls/{capability}/{n}.bin` | segment `n` as it is stored, through the same gate |
//!
//! It holds the key of paths, and no key of any content: each window's comes from `stream`, which
//! knows session, pace, refund and takedown, and is kept here for 20 s at most.
#![forbid(unsafe_code)]

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    reason = "a test may panic"
)]
mod fake;
mod gate;
mod here;
mod open;
mod playlist;
mod route;
mod world;

use std::rc::Rc;

use here::Here;
use route::{Name, Route};
use satchel_edge::{Call, Env, fetched, text};
use satchel_wire::Result;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{
    Response,
    js_sys::Promise,
    worker_sys::web_sys::{self, Request},
};

/// Answers a request.
#[wasm_bindgen]
pub fn fetch(request: &Request, env: Env, _context: JsValue) -> Promise {
    fetched(request, |call| async move { answer(call, env).await })
}

async fn answer(call: Call, env: Env) -> Result<Response> {
    let Route { token, name } = Route::of(call.method(), call.path())?;
    let here = Here::of(&env)?;
    let path = gate::path(&here, token)?;
    let front = gate::front(&here, &path).await?;
    match name {
        Name::Main => Ok(list(&playlist::main(&front)?)),
        Name::Media => Ok(list(&playlist::media(&front)?)),
        Name::Segment(n, kind) => {
            let part = gate::part(&here, &path, &front, n, kind).await?;
            let body = open::bytes(here.files(), part, call.method() == "HEAD").await?;
            Ok(Response::from(body))
        }
    }
}

fn list(body: &str) -> Response {
    // A player that comes back after a pause asks again: the session may have ended.
    let headers = [("cache-control", "private, max-age=20")];
    text(200, "application/vnd.apple.mpegurl", &headers, body)
}

/// What is shared between requests of an isolate.
type Front = Rc<satchel_format::Satchel>;

/// The runtime's own answer.
type Answer = web_sys::Response;

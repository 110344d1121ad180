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
use satchel_wire::{ErrorCode, Result};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::{
    Response,
    js_sys::Promise,
    worker_sys::web_sys::{self, Request},
};
use world::World as _;

/// Answers a request. What needs nothing that is not known here yet is answered without a future:
/// that is most of what a player asks for, and half of what a request costs.
#[wasm_bindgen]
pub fn fetch(request: &Request, env: Env, _context: JsValue) -> Promise {
    quick(request, &env)
        .unwrap_or_else(|| fetched(request, |call| async move { answer(call, env).await }))
}

/// A segment whose window's key is remembered. `None` is no refusal: [`answer`] says why.
fn quick(request: &Request, env: &Env) -> Option<Promise> {
    let line = open::line(request.as_ref());
    let path = line.strip_prefix("GET ")?;
    let path = path.get(path.find("://")?.saturating_add(3)..)?;
    let path = path.get(path.find('/')?..)?;
    let Route { token, name } = Route::of("GET", path).ok()?;
    let Name::Segment(n, kind) = name else {
        return None;
    };
    let here = Here::of(env).ok()?;
    let path = gate::path(&here, token).ok()?;
    let front = here.known_front(path.manifest.as_str())?;
    let segment = front.table().get(n)?;
    let key = here.known_key(&gate::key_name(&path, segment.window))?;
    let part = gate::part_of(&path, &front, n, kind, key).ok()?;
    Some(open::send(env, &part, false))
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
            let sent = open::send(&env, &part, call.method() == "HEAD").await;
            let sent: Answer = sent.map_err(|_| ErrorCode::Unavailable)?.unchecked_into();
            Ok(Response::from(sent))
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

//! A worker for tests only: `shared/format` and `shared/crypto` as every worker has them, compiled
//! by the same flags, reading the format's vectors on the runtime that serves workers.
//!
//! `e2e/vectors.test.mjs` asks it and holds what it says against `tests/vectors`.
#![forbid(unsafe_code)]

mod cobblestone;
mod satchel;

use serde_json::json;
use worker::{Context, Env, Request, Response};

#[worker::event(fetch)]
async fn fetch(mut request: Request, _: Env, _: Context) -> worker::Result<Response> {
    match request.path().as_str() {
        "/open" => {
            let key = request.headers().get("content-key")?.unwrap_or_default();
            let file = request.bytes().await?;
            Response::from_json(&satchel::report(&file, &key))
        }
        "/cobblestone" => {
            let (count, disagreements) = cobblestone::disagreements();
            Response::from_json(&json!({ "count": count, "disagreements": disagreements }))
        }
        _ => Response::error("no such route", 404),
    }
}

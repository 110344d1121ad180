//! The stream worker: sessions and window keys for works that are played, not downloaded.
//!
//! | route | does |
//! |---|---|
//! | `POST /v1/sessions` | [`sessions::open`] |
//! | `POST /v1/hls` | [`paths::open`] |
//! | `POST /v1/sessions/{session}/windows/{n}` | [`sessions::window`] |
//! | `POST /internal/windows` | [`paths::window`], for the hls worker |
//!
//! It holds the key of capabilities and the key that window roots are wrapped with. It never sees a
//! content key, the bucket or a receipt key.
#![forbid(unsafe_code)]

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod fake;
mod here;
mod paths;
mod playback;
mod playback_do;
mod plays;
mod plays_do;
mod receipts;
mod remembered;
mod route;
mod sessions;
mod world;

use here::Here;
use route::Route;
use satchel_edge::{Call, created, json, serve};
use satchel_wire::{
    Result,
    api::{Empty, SessionIn},
};
use worker::{Context, Env, Request, Response, event};
use world::World as _;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    serve(request, |call| answer(call, env)).await
}

async fn answer(mut call: Call, env: Env) -> Result<Response> {
    let route = Route::of(call.method(), &call.segments())?;
    let here = Here::of(&env)?;
    match route {
        Route::Open(by_path) => {
            let SessionIn { window } = call.json().await?;
            let token = call.token()?;
            let (receipt, handle) = receipts::verify(&here, &token).await?;
            let proven = call.proof(here.issuer(), Some(&token)).await?;
            if by_path {
                created(&paths::open(&here, &receipt, &handle, proven).await?)
            } else {
                created(&sessions::open(&here, &receipt, &handle, proven, window).await?)
            }
        }
        Route::Window(session, window) => {
            let Empty {} = call.json().await?;
            let token = call.token()?;
            let (capability, handle) = sessions::capability(&here, &token, &session)?;
            let proven = call.proof(here.issuer(), Some(&token)).await?;
            json(&sessions::window(&here, capability, &handle, proven, window).await?)
        }
        Route::PathWindow => json(&paths::window(&here, call.json().await?).await?),
    }
}

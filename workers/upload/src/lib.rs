//! The upload worker: registers works, signs multipart uploads, puts versions on sale.
//!
//! | route | does |
//! |---|---|
//! | `POST /v1/works` | [`works::register`] |
//! | `GET /v1/works/{work}` | [`works::record`] |
//! | `POST /v1/works/{work}/publish` | [`works::publish`] |
//! | `POST /v1/works/{work}/update` | [`works::update`] |
//! | `POST /v1/works/{work}/state` | [`works::set_state`] |
//! | `POST /v1/works/{work}/cover` | [`covers::begin`] |
//! | `POST /v1/works/{work}/view` | [`shop_routes::view`] |
//! | `/v1/shops/{creator}…` | [`shop_routes::answer`] |
//! | `POST /internal/shops/{creator}/sales` | [`shop_routes::feed`] |
//! | `POST /v1/uploads` | [`uploads::begin`] |
//! | `POST /v1/uploads/{upload}/sign` | [`uploads::sign`] |
//! | `GET /v1/uploads/{upload}/parts` | [`parts::list`] |
//!
//! It holds the key of the object storage and never sees a content key. Bytes go straight to the
//! storage; what is known of a work is in the ledger. What a creator is told of their works is in the
//! object `Shop`, which the ledger feeds after the fact: never within a purchase.
#![forbid(unsafe_code)]

mod covers;
mod ending;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod fake;
mod here;
mod hook_url;
mod hooks;
mod news;
mod parts;
mod route;
mod s3;
mod shop;
mod shop_do;
mod shop_routes;
mod shop_rows;
mod shop_time;
pub mod sigv4;
mod together;
mod upload_do;
mod uploads;
mod views;
mod works;
mod world;

use here::Here;
use route::Route;
use satchel_domain::id::Thumbprint;
use satchel_edge::{
    Call, TtlCache, created, fetched, json, json_tagged, now_ms, now_s, quickly, text,
};
use satchel_wire::{Result, api::CommandIn, proof::Proven};
use uploads::Signed;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Context, Env, Response,
    js_sys::Promise,
    worker_sys::{self, web_sys},
};
use world::World as _;

const NEVER_KEPT: &[(&str, &str)] = &[("cache-control", "no-store")];
/// How long readers may keep a record, seconds.
const RECORD_AGE_S: u32 = 20;

/// Answers a request of the outside or of another worker.
#[wasm_bindgen]
pub fn fetch(request: &web_sys::Request, env: Env, context: worker_sys::Context) -> Promise {
    let context = Context::new(context);
    let handler = |call| answer(call, env, context);
    let url = request.url();
    let signs = url.ends_with("/sign") && request.method() == "POST";
    if !signs {
        return fetched(request, handler);
    }
    quickly(
        request,
        "dpop",
        move |body, proof| signed_at_once(&url, proof, body),
        handler,
    )
}

/// Parts of an upload are signed at once where all that is needed is at hand.
fn signed_at_once(url: &str, proof: &str, body: &[u8]) -> Option<String> {
    let (_, path) = url.split_once("://")?.1.split_once('/')?;
    let id = path.strip_prefix("v1/uploads/")?.strip_suffix("/sign")?;
    let key = known_proof(&proof_name("/", path, proof))?;
    let (upload, storage) = here::at_hand(id)?;
    let request = satchel_json::from_slice(body).ok()?;
    match uploads::sign_at_once(&upload, &storage, &key, &request, now_s())? {
        Signed::One(signed) => satchel_json::to_string(&signed).ok(),
        Signed::Parts(signed) => satchel_json::to_string(&signed).ok(),
        Signed::List(_) => None,
    }
}

async fn answer(mut call: Call, env: Env, context: Context) -> Result<Response> {
    let segments: Vec<String> = call.segments().into_iter().map(Into::into).collect();
    match segments
        .iter()
        .map(String::as_str)
        .take(2)
        .collect::<Vec<_>>()[..]
    {
        ["v1", "shops"] => return shop_routes::answer(call, &env, &segments).await,
        ["internal", "shops"] => return shop_routes::feed(call, &env, &segments).await,
        _ => {}
    }
    let route = Route::of(call.method(), &call.segments())?;
    let here = Here::of(&env)?;
    match route {
        Route::Register => {
            let body: CommandIn = call.json().await?;
            let done = works::register(&here, &body.command).await?;
            if done.created {
                created(&done.record)
            } else {
                json(&done.record)
            }
        }
        Route::Record(work) => {
            let record = works::record(&here, &work).await?;
            json_tagged(
                &record,
                RECORD_AGE_S,
                call.header("if-none-match").as_deref(),
            )
        }
        Route::Publish(work) => {
            let body: CommandIn = call.json().await?;
            json(&works::publish(&here, &work, &body.command).await?)
        }
        Route::Update(work) => {
            let body: CommandIn = call.json().await?;
            json(&works::update(&here, &work, &body.command).await?)
        }
        Route::SetState(work) => {
            let body: CommandIn = call.json().await?;
            json(&works::set_state(&here, &work, &body.command).await?)
        }
        Route::Cover(work) => {
            let body: CommandIn = call.json().await?;
            json(&covers::begin(&here, &work, &body.command).await?)
        }
        Route::View(work) => {
            let (response, tells) = shop_routes::view(&mut call, &work).await?;
            if tells {
                context.wait_until(async move { shop_routes::tell_views(&env).await });
            }
            Ok(response)
        }
        Route::Begin => {
            let body: CommandIn = call.json().await?;
            created(&uploads::begin(&here, &body.command).await?)
        }
        Route::Sign(upload) => {
            let request = call.json().await?;
            let key = proven(&call, here.issuer()).await?;
            match uploads::sign(&here, &upload, &key, &request).await? {
                Signed::One(signed) => json(&signed),
                Signed::Parts(signed) => json(&signed),
                Signed::List(list) => json(&list),
            }
        }
        Route::Parts(upload) => {
            let xml = parts::list(&here, &upload, |name| call.query(name)).await?;
            Ok(text(200, "application/xml", NEVER_KEPT, &xml))
        }
    }
}

thread_local! {
    /// Proofs that were verified lately. A client may send one again while it is good (docs/API.md §2),
    /// and one that sends parts has a reason to: verifying costs as much as all the rest.
    static PROVEN: TtlCache<Proven> = TtlCache::new(300_000, 1_000);
}

/// Of this very method and path: a proof is for one of each, and only `POST` comes here.
fn proof_name(front: &str, path: &str, proof: &str) -> String {
    [front, path, " ", proof].concat()
}

fn known_proof(name: &str) -> Option<Thumbprint> {
    let known = PROVEN.with(|known| known.get(name, now_ms()))?;
    known.is_timely(now_s()).then_some(known.key)
}

/// Whose proof of possession came with the call.
async fn proven(call: &Call, issuer: &str) -> Result<Thumbprint> {
    let proof = call.header("dpop").unwrap_or_default();
    let name = proof_name("", call.path(), &proof);
    if let Some(key) = known_proof(&name) {
        return Ok(key);
    }
    let fresh = call.proof(issuer, None).await?;
    PROVEN.with(|known| known.put(&name, fresh.clone(), now_ms()));
    Ok(fresh.key)
}

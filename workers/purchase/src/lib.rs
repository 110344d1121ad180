//! The purchase worker: quotes, orders, receipts; takes in, wraps and releases content keys.
//!
//! | route | does |
//! |---|---|
//! | `POST /v1/quotes` | a price in both moneys, held five minutes |
//! | `POST /v1/orders`, `GET /v1/orders/{order}` | passes the order to the ledger, issues the receipt; leaves it for the key it is for |
//! | `POST /v1/grants`, `GET /v1/grants/{key}` | passes a delegation to the ledger; leaves it for the key it is for |
//! | `POST /v1/intake` | takes a content key in, wrapped before it goes anywhere |
//! | `POST /v1/keys` | hands a content key to whoever owns a `download` work |
//! | `GET`, `POST /v1/keys/{work}`, `/v1/sessions/{work}` | 402 with what it costs; paid by x402 or `Payment`: receipt and key |
//! | `GET /.well-known/jwks.json`, `/did.json` | the keys receipts are signed with |
#![forbid(unsafe_code)]

pub mod keys;
mod paid;
mod pickup_do;
pub mod quotes;
mod routes;

use satchel_edge::serve;
use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    serve(request, |call| async move {
        let segments: Vec<String> = call.segments().into_iter().map(ToOwned::to_owned).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = call.method().to_owned();
        match (method.as_str(), &segments[..]) {
            ("POST", ["v1", "quotes"]) => routes::quote(call, &env).await,
            ("POST", ["v1", "orders"]) => routes::order(call, &env).await,
            ("GET", ["v1", "orders", order]) => routes::pick_up(&call, &env, order).await,
            ("POST", ["v1", "grants"]) => routes::grant(call, &env).await,
            ("GET", ["v1", "grants", key]) => routes::granted(&call, &env, key).await,
            ("POST", ["v1", "intake"]) => routes::intake(call, &env).await,
            ("POST", ["v1", "keys"]) => routes::key(call, &env).await,
            ("GET" | "POST", ["v1", "keys" | "sessions", work]) => {
                paid::ask(&call, &env, work).await
            }
            ("GET", [".well-known", "jwks.json"]) => routes::jwks(&env),
            ("GET", [".well-known", "did.json"]) => paid::did(&env),
            (_, path) => Err(call.refuse(routes::methods(path))),
        }
    })
    .await
}

//! The ledger worker: accounts, transfers, works, the exchange rate.
//!
//! | route | object |
//! |---|---|
//! | `/v1/accounts/{account}…`, `/v1/refunds`, `/v1/operator`, `/v1/config` | public |
//! | `/internal/orders…`, `/internal/entitlements/{handle}` | `Account` |
//! | `/internal/works/{work}…` | `Work` |
//! | `/internal/rate` | `Issuer` |
//!
//! Its objects are private to it. `/internal/` is reached by service bindings only: the gateway
//! forwards nothing under it.
#![forbid(unsafe_code)]

pub mod account;
mod account_do;
mod account_keys;
pub mod account_lines;
mod account_order;
mod account_send;
mod account_todo;
pub mod book;
pub mod directory;
mod directory_do;
pub mod host;
pub mod inbox;
mod inbox_do;
mod inbox_held;
mod issuer_do;
mod routes;
pub mod rows;
pub mod work;
mod work_do;
mod world_do;

use satchel_edge::fetched;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{Env, js_sys::Promise, worker_sys::web_sys::Request};

/// Answers a request of the outside or of another worker.
#[wasm_bindgen]
pub fn fetch(request: &Request, env: Env, _context: JsValue) -> Promise {
    fetched(request, |call| async move {
        let segments: Vec<String> = call.segments().into_iter().map(ToOwned::to_owned).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = call.method().to_owned();
        match (method.as_str(), &segments[..]) {
            ("GET", ["v1", "config"]) => routes::config(&env),
            ("POST", ["v1", "operator"]) => routes::operator(call, &env).await,
            ("GET", ["v1", "accounts", id]) => routes::account(&call, &env, id).await,
            ("POST", ["v1", "accounts", id, "delegations"]) => {
                routes::delegate(call, &env, id).await
            }
            ("GET", ["v1", "accounts", id, what @ ("purchases" | "delegations")]) => {
                routes::listed(&call, &env, id, what).await
            }
            ("GET", ["v1", "accounts", id, "transfers"]) => {
                routes::transfers(&call, &env, id, false).await
            }
            ("GET", ["v1", "accounts", id, "transfers.csv"]) => {
                routes::transfers(&call, &env, id, true).await
            }
            ("POST", ["v1", "accounts", id, "sign-out"]) => routes::sign_out(call, &env, id).await,
            ("POST", ["v1", "refunds"]) => routes::refund(call, &env).await,
            ("POST", ["v1", "accounts", id, "test-money"]) => {
                routes::test_money(call, &env, id).await
            }
            ("POST", ["internal", "orders"]) => routes::order(call, &env).await,
            ("GET", ["internal", "orders", account, order]) => {
                routes::find_order(&env, account, order).await
            }
            ("GET", ["internal", "entitlements", handle]) => {
                routes::entitlement(&env, handle).await
            }
            ("GET", ["internal", "works", work]) => routes::work(&env, work).await,
            (
                "POST",
                [
                    "internal",
                    "works",
                    work,
                    "register" | "intake" | "publish" | "offered",
                ],
            ) => routes::change_work(call, &env, work).await,
            ("GET", ["internal", "rate"]) => routes::rate(&env).await,
            (_, path) => Err(call.refuse(routes::methods(path))),
        }
    })
}

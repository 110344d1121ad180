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
    fetched(
        request,
        |call| async move { routes::answer(call, &env).await },
    )
}

//! Renders what other people's pages show of a work, and the work's own page.
//!
//! | route | answer |
//! |---|---|
//! | `/widget.js` | the script website owners paste; `/widget.json` says where its pinned copy is |
//! | `/embed/batch` | titles and prices of up to fifty works, for that script |
//! | `/embed/{work}` | the frame that script opens in their page |
//! | `/w/{work}` | the work's own page; `/w/{work}/qr.svg` leads to it from paper |
//! | `/oembed` | what to show in place of such a page's address |
//! | `/badge/{work}.svg` | the price as a picture |
//!
//! It holds nothing: what it shows is the ledger's record of the work.
#![forbid(unsafe_code)]

mod amount;
mod badge;
mod batch;
mod copies;
mod head;
mod lang;
mod listing;
mod oembed;
mod page;
mod price;
mod qr;
mod query;
mod respond;
mod shown;
mod site;
mod urls;
mod work_page;

use page::Kind;
use satchel_edge::{Env, answered};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::worker_sys::web_sys::Request;

/// Answers a request of the outside.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: &Request, env: Env, _context: JsValue) -> JsValue {
    answered(request, |call| async move {
        match (call.method(), call.segments().as_slice()) {
            ("GET" | "HEAD", ["widget.js"]) => Ok(respond::script()),
            ("GET" | "HEAD", ["widget.json"]) => respond::versions(&env),
            ("GET" | "HEAD", ["oembed"]) => respond::oembed(&call, &env).await,
            ("GET" | "HEAD", ["embed", "batch"]) => respond::cards(&call, &env).await,
            ("GET" | "HEAD", ["embed", work]) => {
                respond::page(&call, &env, Kind::Frame, work).await
            }
            ("GET" | "HEAD", ["w", work]) => respond::page(&call, &env, Kind::Work, work).await,
            ("GET" | "HEAD", ["w", work, "qr.svg"]) => respond::qr(&env, work),
            ("GET" | "HEAD", ["badge", file]) => respond::badge(&call, &env, file).await,
            (
                _,
                ["widget.js" | "widget.json" | "oembed"]
                | ["embed" | "w" | "badge", _]
                | ["w", _, "qr.svg"],
            ) => Err(call.refuse(&["GET", "HEAD"])),
            _ => Err(call.refuse(&[])),
        }
    })
}

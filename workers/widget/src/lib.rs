//! Renders the widget script, the embed frame and work pages.
//!
//! | route | answer |
//! |---|---|
//! | `/widget.js` | the script website owners paste |
//! | `/embed/{work}` | the frame that script opens in their page |
//! | `/w/{work}` | the work's own page |
//!
//! It holds nothing: what it shows is the ledger's record of the work.
#![forbid(unsafe_code)]

mod copies;
mod page;
mod price;
mod respond;
mod site;

use page::View;
use satchel_edge::{Env, Response, serve};
use worker::{Context, Request, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    serve(request, |call| async move {
        match (call.method(), call.segments().as_slice()) {
            ("GET" | "HEAD", ["widget.js"]) => Ok(respond::script(&call)),
            ("GET" | "HEAD", ["embed", work]) => {
                respond::page(&call, &env, View::Frame, work).await
            }
            ("GET" | "HEAD", ["w", work]) => respond::page(&call, &env, View::Work, work).await,
            (_, ["widget.js"] | ["embed" | "w", _]) => Err(call.refuse(&["GET", "HEAD"])),
            _ => Err(call.refuse(&[])),
        }
    })
    .await
}

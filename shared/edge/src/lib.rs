//! The only shared crate that knows Cloudflare: requests, answers, bindings, SQL rows, clock, randomness.
//!
//! A worker's `lib.rs` is a table of routes over [`Call`]; what it decides lives in pure crates.
#![forbid(unsafe_code)]

mod cache;
mod call;
mod clock;
mod glue;
mod heap;
mod js;
mod letters;
mod outside;
mod platform;
mod quick;
mod ready;
mod remote;
mod respond;
mod security;
mod settings;
mod sql;
mod store;
mod task;

pub use cache::TtlCache;
pub use call::{Call, MAX_BODY_BYTES, read_json, serve, serve_object};
pub use clock::{now_ms, now_s, random};
pub use glue::{alarmed, fetched, object_asked, object_fetched};
pub use letters::{Bell, Letter, Sent, pause, send_all};
pub use outside::ask_outside;
pub use platform::Platform;
pub use quick::quickly;
pub use ready::{Answer, Ready, answered};
pub use remote::{Piece, Remote, object, service};
pub use respond::{
    created, html, json, json_bytes, json_cached, json_status, json_tagged, problem, redirect, text,
};
pub use security::{PageKind, page_headers};
pub use settings::Settings;
pub use sql::{Row, Sql, Value, Write, commit, rearm};
pub use store::{Columns, Job, Schema, Store, Table};

pub use worker::{Env, Response};

use satchel_wire::{ApiError, ErrorCode};

/// An error of the platform: logged in full, answered as `internal`.
pub fn internal(error: impl std::fmt::Display) -> ApiError {
    log("error", "error", &error);
    ErrorCode::Internal.into()
}

/// A line of JSON in the log: `what` and an error, which never names a key, a title or an address.
pub fn log(level: &str, what: &str, error: &dyn std::fmt::Display) {
    let line = satchel_json::Value::Object(vec![
        ("level".into(), level.into()),
        (what.into(), error.to_string().into()),
    ]);
    let line = satchel_json::to_string(&line).unwrap_or_default();
    if cfg!(target_arch = "wasm32") {
        worker::console_error!("{line}");
    } else {
        // A native test of a worker's core: there is no console.
        eprintln!("{line}");
    }
}

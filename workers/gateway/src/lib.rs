//! Public and wallet host: static pages, each path prefix to its worker.
//!
//! In scope: which host shows what. Out of scope: everything a worker behind it decides. Requests
//! and answers pass through as the runtime's own streams.
#![forbid(unsafe_code)]

mod respond;
mod routes;

use std::sync::OnceLock;

use routes::{Destination, Origins, route};
use satchel_edge::{self as edge, Env, Response, Settings};
use satchel_wire::Result;
use worker::{Context, Request, RequestInit, event};

/// Configuration can't change while an isolate lives.
static ORIGINS: OnceLock<Option<Origins>> = OnceLock::new();

fn origins(env: &Env) -> Result<&'static Origins> {
    let settings = Settings::of(env);
    let read = || {
        Origins::new(
            &settings.issuer().ok()?,
            &settings.var("WALLET_ORIGIN").ok()?,
        )
    };
    let known = ORIGINS.get_or_init(read).as_ref();
    known.ok_or_else(|| edge::internal("ISSUER and WALLET_ORIGIN must name two different hosts"))
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    let inner = request.inner();
    let answer = match origins(&env).map(|known| route(known, &inner.method(), &inner.url())) {
        Ok(Destination::Worker(binding)) => pass(request, &env, binding).await,
        Ok(Destination::Asset(path)) => asset(&request, &env, &path).await,
        own => return edge::serve(request, |call| async move { respond::own(&call, own?) }).await,
    };
    answer.or_else(|error| {
        // An answer of ours in place of another worker's: pages have to be able to read it too.
        let mut problem = edge::problem(&error);
        problem
            .headers_mut()
            .set("access-control-allow-origin", "*")?;
        Ok(problem)
    })
}

async fn pass(request: Request, env: &Env, binding: &str) -> Result<Response> {
    edge::service(env, binding)?.fetch(request).await
}

async fn asset(request: &Request, env: &Env, path: &str) -> Result<Response> {
    let mut init = RequestInit::new();
    init.with_method(request.method())
        .with_headers(request.headers().clone());
    // Only the path matters to the binding.
    let file = Request::new_with_init(&format!("https://assets{path}"), &init);
    let found = edge::service(env, "ASSETS")?
        .fetch(file.map_err(edge::internal)?)
        .await?;
    let missing = found.status_code() == 404;
    Ok(if missing { respond::not_found() } else { found })
}

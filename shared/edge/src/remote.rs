//! Typed JSON between workers, and between a worker and its objects.

use std::pin::Pin;

use satchel_json::{self as json, FromJson};
use satchel_wire::{ApiError, ErrorCode, Result, error::Problem};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{Env, Request, Response, worker_sys::web_sys};

use crate::{
    internal,
    js::{self, Target},
    log, respond, task,
};

/// Somebody to ask: another worker, by service binding, or one of our own objects.
#[derive(Debug)]
pub struct Remote(Target);

/// Another worker.
pub fn service(env: &Env, binding: &str) -> Result<Remote> {
    let fetcher = env.service(binding).map_err(internal)?;
    Ok(Remote(fetcher.into_rpc()))
}

/// An object by name. Make a new one after any exception: a broken stub stays broken.
pub fn object(env: &Env, binding: &str, name: &str) -> Result<Remote> {
    let namespace = env.durable_object(binding).map_err(internal)?;
    let stub = namespace.get_by_name(name).map_err(internal)?;
    Ok(Remote(stub.into_rpc()))
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the whole file.
    pub total: u64,
    /// The piece.
    pub bytes: Vec<u8>,
}

impl Remote {
    /// `GET path`.
    pub async fn get<O: FromJson>(&self, path: &str) -> Result<O> {
        read(&self.ask("GET", path, None).await?)
    }

    /// `POST path` with a JSON body.
    pub async fn post<I: Serialize, O: FromJson>(&self, path: &str, body: &I) -> Result<O> {
        let body = json::to_vec(body).map_err(internal)?;
        read(&self.ask("POST", path, Some(&body)).await?)
    }

    /// `POST path` with a body that is JSON; gives the answer's body.
    pub async fn post_bytes(&self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        self.ask("POST", path, Some(body)).await
    }

    /// `GET path`; the answer goes on to the client as it came.
    pub async fn pass(&self, path: &str) -> Result<Response> {
        let answer = self.ask("GET", path, None).await?;
        Ok(respond::json_bytes(200, answer))
    }

    /// `POST path` with a JSON body; the answer goes on to the client as it came.
    pub async fn pass_post<I: Serialize>(
        &self,
        status: u16,
        path: &str,
        body: &I,
    ) -> Result<Response> {
        let body = json::to_vec(body).map_err(internal)?;
        self.pass_bytes(status, path, &body).await
    }

    /// As [`Remote::pass_post`], with a body that is JSON already.
    pub async fn pass_bytes(&self, status: u16, path: &str, body: &[u8]) -> Result<Response> {
        let answer = self.ask("POST", path, Some(body)).await?;
        Ok(respond::json_bytes(status, answer))
    }

    /// The body of the answer. Neither generic nor inlined: one state machine for all types.
    fn ask<'a>(
        &'a self,
        method: &'a str,
        path: &'a str,
        body: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>>> + 'a>> {
        Box::pin(self.ask_it(method, path, body))
    }

    async fn ask_it(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Vec<u8>> {
        let body = body.map(js_sys::Uint8Array::from);
        let answer = js::ask(&self.0, method, &format!("https://internal{path}"), body);
        let answer = task::settled(&answer).await;
        let answer: js::Answer = answer.map_err(failed)?.unchecked_into();
        let bytes = answer.bytes();
        if answer.ok() {
            return Ok(bytes);
        }
        match json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(problem.into()),
            Err(_) => Err(unavailable(&"an answer that is no problem document")),
        }
    }

    /// Bytes `first` to `last` of a file, fewer where it ends before; `None` where there is no such
    /// file or it ends before `first`.
    pub async fn bytes(&self, path: &str, first: u64, last: u64) -> Result<Option<Piece>> {
        let range = format!("bytes={first}-{last}");
        let request = request(path, "range", &range)?;
        let mut response = self.fetch(request).await?;
        match response.status_code() {
            206 => {}
            404 | 416 => return Ok(None),
            status => return Err(unavailable(&format!("{status} to a range request"))),
        }
        // Compared before the body is read: an answer longer than asked for must not fill memory.
        let range = response
            .headers()
            .get("content-range")
            .ok()
            .flatten()
            .unwrap_or_default();
        let total = total_of(&range, first, last)
            .ok_or_else(|| unavailable(&format!("content-range {range}")))?;
        let bytes = response
            .bytes()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Some(Piece { total, bytes }))
    }

    /// Sends a request as it is. No retries here: only callers know what is safe to repeat, and an
    /// overloaded object must never be asked again at once.
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        let answer = self.0.fetch(request.inner()).map_err(failed)?;
        let answer = task::settled(&answer).await;
        let answer: web_sys::Response = answer.map_err(failed)?.unchecked_into();
        Ok(answer.into())
    }
}

/// A request to another worker or object. Made without `worker::RequestInit`, which copies all of
/// Cloudflare's image and cache settings into JavaScript for each request, and 25 KB of code.
fn request(path: &str, name: &str, value: &str) -> Result<Request> {
    let failed = |error| internal(worker::Error::from(error));
    let init = web_sys::RequestInit::new();
    let list = web_sys::Headers::new().map_err(failed)?;
    list.set(name, value).map_err(failed)?;
    init.set_headers(&list);
    let url = format!("https://internal{path}");
    web_sys::Request::new_with_str_and_init(&url, &init)
        .map(Request::from)
        .map_err(failed)
}

fn read<O: FromJson>(bytes: &[u8]) -> Result<O> {
    json::from_slice(bytes).map_err(internal)
}

fn failed(error: JsValue) -> ApiError {
    unavailable(&worker::Error::from(error))
}

fn unavailable(error: &dyn std::fmt::Display) -> ApiError {
    log("warn", "remote", error);
    ErrorCode::Unavailable.into()
}

/// The total of `bytes FIRST-END/TOTAL`, if that is the whole of what was asked for.
fn total_of(content_range: &str, first: u64, last: u64) -> Option<u64> {
    let (range, total) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    let total: u64 = total.parse().ok()?;
    let asked = start == first && end == last.min(total.checked_sub(1)?);
    asked.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_asked_range_is_taken() {
        assert_eq!(total_of("bytes 0-23/100", 0, 23), Some(100));
        assert_eq!(total_of("bytes 0-9/10", 0, 23), Some(10));
        for bad in [
            "",
            "bytes */10",
            "bytes 0-99/100",
            "bytes 1-23/100",
            "bytes 0-23/*",
            "0-23/100",
        ] {
            assert_eq!(total_of(bad, 0, 23), None, "{bad}");
        }
    }
}

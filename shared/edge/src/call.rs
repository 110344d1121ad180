//! A request taken apart once: method, path, headers, a bounded JSON body, proof of possession.

use std::pin::Pin;

use satchel_json::{self as json, FromJson};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    proof::{self, Expected, Proven},
};
use wasm_bindgen::JsCast as _;
use worker::{Request, Response, worker_sys::web_sys};

use crate::{clock, js, platform::Platform, respond, task};

/// Largest request body, bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Largest body between our own workers and objects, bytes: a delivery of the largest outbox is a
/// hundredth of it.
const MAX_OWN_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A request.
#[derive(Debug)]
pub struct Call {
    request: web_sys::Request,
    method: String,
    path: String,
    /// What was read already.
    read: Option<Vec<u8>>,
}

/// Answers a request of the outside: preflights, then the handler, then errors as RFC 9457, all
/// with the API's CORS headers.
pub async fn serve<F, Fut>(request: Request, handler: F) -> worker::Result<Response>
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Response>>,
{
    served(Call::from(request.inner()), handler).await
}

/// [`serve`] of a request that was taken apart.
pub(crate) async fn served<F, Fut>(call: Call, handler: F) -> worker::Result<Response>
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Response>>,
{
    let mut response = if call.method == "OPTIONS" {
        respond::preflight()
    } else {
        let head = call.method == "HEAD";
        match handler(call).await {
            Ok(response) => response,
            Err(error) if head => respond::problem(&error).with_empty_body(),
            Err(error) => respond::problem(&error),
        }
    };
    respond::open_to_all(response.headers_mut())?;
    Ok(response)
}

/// Answers a request of one of our own workers to an object.
pub async fn serve_object<F, Fut>(request: Request, handler: F) -> worker::Result<Response>
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Response>>,
{
    answered(Box::pin(handler(Call::from(request.inner())))).await
}

/// Neither generic nor inlined: one state machine for all objects.
pub(crate) async fn answered(
    answer: Pin<Box<dyn Future<Output = Result<Response>> + '_>>,
) -> worker::Result<Response> {
    Ok(answer
        .await
        .unwrap_or_else(|error| respond::problem(&error)))
}

fn cut_short() -> ApiError {
    let cut = "the body ended before it was complete";
    ApiError::new(ErrorCode::Malformed, cut)
}

trait WithoutBody {
    fn with_empty_body(self) -> Self;
}

impl WithoutBody for Response {
    fn with_empty_body(self) -> Self {
        let (builder, _) = self.into_parts();
        builder.empty()
    }
}

/// JSON as it was sent to us.
pub fn read_json<T: FromJson>(text: &[u8]) -> Result<T> {
    json::from_slice(text).map_err(|error| malformed(&error))
}

fn malformed(error: &json::Error) -> ApiError {
    ApiError::new(ErrorCode::Malformed, error.to_string())
}

/// The path of a URL as the runtime writes it: after scheme and host, which an object's need not have.
pub(crate) fn path_of(url: &str) -> &str {
    // Looking for one character takes less code than looking for three.
    let after = url.split_once(':').map_or(url, |(_, rest)| rest);
    let rest = after.strip_prefix("//").unwrap_or(url);
    let path = rest.find('/').and_then(|at| rest.get(at..));
    let end = |c| c == '?' || c == '#';
    path.and_then(|path| path.split(end).next()).unwrap_or("/")
}

impl From<&web_sys::Request> for Call {
    fn from(request: &web_sys::Request) -> Self {
        Self {
            // `worker::Method` turns unknown methods into GET; the runtime's own string does not.
            method: request.method(),
            path: path_of(&request.url()).to_owned(),
            read: None,
            // Another name for it, not a copy.
            request: Clone::clone(request),
        }
    }
}

/// The body of a request, whose reading begins now.
fn body_of(
    request: &web_sys::Request,
    most: usize,
) -> impl Future<Output = Result<Vec<u8>>> + use<> {
    let body = task::settled(&js::read_body(request, most));
    async move {
        let body = body.await.map_err(|_| cut_short())?;
        if body.is_undefined() {
            return Err(ApiError::from(ErrorCode::BodyTooLarge).with("limit", most as u64));
        }
        Ok(js_sys::Uint8Array::unchecked_from_js(body).to_vec())
    }
}

/// The whole body of a request that another worker or object of ours has made.
pub(crate) fn own_body(
    request: &web_sys::Request,
) -> impl Future<Output = Result<Vec<u8>>> + use<> {
    body_of(request, MAX_OWN_BODY_BYTES)
}

impl Call {
    /// Upper case, as sent.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Path without query, as sent (percent-encoded).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path's segments: `/v1/works/x` → `["v1", "works", "x"]`.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path
            .strip_prefix('/')
            .unwrap_or(&self.path)
            .split('/')
            .collect()
    }

    /// All query parameters, as sent; empty where there are none.
    #[must_use]
    pub fn search(&self) -> String {
        let url = self.request.url();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        query.split('#').next().unwrap_or_default().to_owned()
    }

    /// The value of a query parameter, as sent; `None` where there is none.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        self.search().split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// No such route, or one that has other methods.
    #[must_use]
    pub fn refuse(&self, allowed: &[&str]) -> ApiError {
        if allowed.is_empty() {
            ErrorCode::NotFound.into()
        } else {
            let mut list = String::new();
            for method in allowed {
                list.push_str(if list.is_empty() { "" } else { ", " });
                list.push_str(method);
            }
            ApiError::from(ErrorCode::MethodNotAllowed).with("allow", list)
        }
    }

    /// The body as JSON of type `T`, at most [`MAX_BODY_BYTES`].
    pub async fn json<T: FromJson>(&mut self) -> Result<T> {
        read_json(&self.json_body().await?)
    }

    /// The body, which is to be JSON. Neither generic nor inlined: one state machine for all types.
    pub fn json_body(&mut self) -> Pin<Box<dyn Future<Output = Result<Vec<u8>>> + '_>> {
        Box::pin(self.json_body_of())
    }

    async fn json_body_of(&mut self) -> Result<Vec<u8>> {
        let kind = self
            .header("content-type")
            .unwrap_or_default()
            .to_ascii_lowercase();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        self.body().await
    }

    /// The whole body of a request that another worker or object of ours has made.
    pub async fn body_from_ourselves(&mut self) -> Result<Vec<u8>> {
        self.body_up_to(MAX_OWN_BODY_BYTES).await
    }

    /// The body, at most [`MAX_BODY_BYTES`].
    pub async fn body(&mut self) -> Result<Vec<u8>> {
        self.body_up_to(MAX_BODY_BYTES).await
    }

    /// Its body is this: a stream gives it but once.
    pub(crate) fn has_been_read(&mut self, body: Vec<u8>) {
        self.read = Some(body);
    }

    async fn body_up_to(&mut self, most: usize) -> Result<Vec<u8>> {
        if let Some(body) = self.read.take() {
            return Ok(body);
        }
        body_of(&self.request, most).await
    }

    /// The token of `Authorization: DPoP TOKEN`.
    pub fn token(&self) -> Result<String> {
        let header = self
            .header("authorization")
            .ok_or(ErrorCode::ProofRequired)?;
        let (scheme, token) = header.split_once(' ').ok_or(ErrorCode::ProofRequired)?;
        if scheme.eq_ignore_ascii_case("dpop") && !token.is_empty() {
            Ok(token.trim().to_owned())
        } else {
            Err(ErrorCode::ProofRequired.into())
        }
    }

    /// Verifies the `DPoP` header of this request: made for this method and path at `issuer`, and
    /// for `token` if there is one.
    pub async fn proof(&self, issuer: &str, token: Option<&str>) -> Result<Proven> {
        let proof = self.header("dpop").ok_or(ErrorCode::ProofRequired)?;
        let url = format!("{issuer}{}", self.path);
        let expected = Expected {
            method: &self.method,
            url: &url,
            token,
            now_s: clock::now_s(),
        };
        proof::verify(&Platform, &proof, &expected).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_where_query_or_fragment_begin() {
        for (url, path) in [
            ("https://h/v1/works/x?a=/b#c", "/v1/works/x"),
            ("https://h:8/%3F#/b", "/%3F"),
            ("https://h//", "//"),
            ("https://h/", "/"),
            ("https://h", "/"),
        ] {
            assert_eq!(path_of(url), path);
        }
    }
}

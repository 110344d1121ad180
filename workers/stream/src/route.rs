//! Which request is which. Nothing behind this sees a path.

use satchel_domain::id::SessionId;
use satchel_wire::{ApiError, ErrorCode, Result};

/// A request that is ours: of docs/API.md §3, or of another worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /v1/sessions`, or by path: `POST /v1/hls`
    Open(bool),
    /// `POST /v1/sessions/{session}/windows/{n}`
    Window(SessionId, u32),
    /// `POST /internal/windows`, from the hls worker
    PathWindow,
}

impl Route {
    /// The route of a request: `not_found`, `method_not_allowed` or `malformed` where there is none.
    pub(crate) fn of(method: &str, segments: &[&str]) -> Result<Self> {
        let malformed = |what: &str| ApiError::new(ErrorCode::Malformed, what);
        match (method, segments) {
            ("POST", ["v1", "sessions"]) => Ok(Self::Open(false)),
            ("POST", ["v1", "hls"]) => Ok(Self::Open(true)),
            ("POST", ["internal", "windows"]) => Ok(Self::PathWindow),
            ("POST", ["v1", "sessions", session, "windows", window]) => {
                let session =
                    SessionId::parse(session).map_err(|_| malformed("not a session id"))?;
                let window = number(window).ok_or_else(|| malformed("not a window's number"))?;
                Ok(Self::Window(session, window))
            }
            (_, ["v1", "sessions" | "hls"] | ["v1", "sessions", _, "windows", _]) => {
                Err(ApiError::from(ErrorCode::MethodNotAllowed).with("allow", "POST"))
            }
            _ => Err(ErrorCode::NotFound.into()),
        }
    }
}

/// A number in its one spelling: the proof was made for this very path.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Result<Route> {
        Route::of(method, &path.split('/').skip(1).collect::<Vec<_>>())
    }

    #[test]
    fn every_documented_route_is_found() {
        let session = format!("ses_{}", "a".repeat(32));
        let id = SessionId::parse(&session).unwrap();
        assert_eq!(of("POST", "/v1/sessions"), Ok(Route::Open(false)));
        assert_eq!(of("POST", "/v1/hls"), Ok(Route::Open(true)));
        assert_eq!(of("POST", "/internal/windows"), Ok(Route::PathWindow));
        for n in [0, 1, 16_383, u32::MAX] {
            let path = format!("/v1/sessions/{session}/windows/{n}");
            assert_eq!(of("POST", &path), Ok(Route::Window(id.clone(), n)));
        }
    }

    #[test]
    fn hostile_paths_are_refused_without_looking_anything_up() {
        let session = format!("ses_{}", "a".repeat(32));
        for number in [
            "",
            "-1",
            "+1",
            "01",
            "1.0",
            "1e3",
            "4294967296",
            "%31",
            "x",
            " 1",
            "٣",
            "0x1",
        ] {
            let path = format!("/v1/sessions/{session}/windows/{number}");
            assert_eq!(
                of("POST", &path).unwrap_err().code,
                ErrorCode::Malformed,
                "{number:?}"
            );
        }
        for (method, path, code) in [
            ("POST", "/v1/sessions/", ErrorCode::NotFound),
            ("POST", "/v1/sessions/x/windows", ErrorCode::NotFound),
            ("POST", "/v1/sessions/x/windows/0", ErrorCode::Malformed),
            (
                "POST",
                "/v1/sessions/%2e%2e/windows/0",
                ErrorCode::Malformed,
            ),
            ("POST", "/v1/sessions/x/windows/0/", ErrorCode::NotFound),
            ("POST", "", ErrorCode::NotFound),
            ("GET", "/v1/sessions", ErrorCode::MethodNotAllowed),
            ("GET", "/v1/hls", ErrorCode::MethodNotAllowed),
            ("POST", "/v1/hls/x", ErrorCode::NotFound),
            (
                "PUT",
                "/v1/sessions/x/windows/0",
                ErrorCode::MethodNotAllowed,
            ),
            ("post", "/v1/sessions", ErrorCode::MethodNotAllowed),
        ] {
            assert_eq!(
                of(method, path).unwrap_err().code,
                code,
                "{method} {path:?}"
            );
        }
    }
}

//! Which request is which. Nothing behind this sees a path.

use satchel_domain::id::{UploadId, WorkId};
use satchel_wire::{ApiError, ErrorCode, Result};

/// A request of docs/API.md §3 that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /v1/works`
    Register,
    /// `GET /v1/works/{work}`
    Record(WorkId),
    /// `POST /v1/works/{work}/publish`
    Publish(WorkId),
    /// `POST /v1/works/{work}/update`
    Update(WorkId),
    /// `POST /v1/works/{work}/state`
    SetState(WorkId),
    /// `POST /v1/works/{work}/cover`
    Cover(WorkId),
    /// `POST /v1/works/{work}/view`
    View(WorkId),
    /// `POST /v1/uploads`
    Begin,
    /// `POST /v1/uploads/{upload}/sign`
    Sign(UploadId),
    /// `GET /v1/uploads/{upload}/parts`
    Parts(UploadId),
}

impl Route {
    /// The route of a request: `not_found`, `method_not_allowed` or `malformed` where there is none.
    pub(crate) fn of(method: &str, segments: &[&str]) -> Result<Self> {
        let allowed = match segments {
            ["v1", "works" | "uploads"]
            | [
                "v1",
                "works",
                _,
                "publish" | "update" | "state" | "cover" | "view",
            ]
            | ["v1", "uploads", _, "sign"] => "POST",
            ["v1", "works", _] | ["v1", "uploads", _, "parts"] => "GET",
            _ => return Err(ErrorCode::NotFound.into()),
        };
        if method != allowed {
            return Err(ApiError::from(ErrorCode::MethodNotAllowed).with("allow", allowed));
        }
        match segments {
            ["v1", "works"] => Ok(Self::Register),
            ["v1", "works", work] => Ok(Self::Record(work_id(work)?)),
            ["v1", "works", work, "publish"] => Ok(Self::Publish(work_id(work)?)),
            ["v1", "works", work, "update"] => Ok(Self::Update(work_id(work)?)),
            ["v1", "works", work, "state"] => Ok(Self::SetState(work_id(work)?)),
            ["v1", "works", work, "cover"] => Ok(Self::Cover(work_id(work)?)),
            ["v1", "works", work, "view"] => Ok(Self::View(work_id(work)?)),
            ["v1", "uploads"] => Ok(Self::Begin),
            ["v1", "uploads", upload, "sign"] => Ok(Self::Sign(upload_id(upload)?)),
            ["v1", "uploads", upload, "parts"] => Ok(Self::Parts(upload_id(upload)?)),
            _ => Err(ErrorCode::NotFound.into()),
        }
    }
}

fn work_id(text: &str) -> Result<WorkId> {
    WorkId::parse(text).map_err(|_| ApiError::new(ErrorCode::Malformed, "not a work id"))
}

fn upload_id(text: &str) -> Result<UploadId> {
    UploadId::parse(text).map_err(|_| ApiError::new(ErrorCode::Malformed, "not an upload id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Result<Route> {
        Route::of(method, &path.split('/').skip(1).collect::<Vec<_>>())
    }

    #[test]
    fn every_documented_route_is_found() {
        let work = format!("wrk_{}", "a".repeat(52));
        let upload = format!("upl_{}", "a".repeat(32));
        let id = WorkId::parse(&work).unwrap();
        assert_eq!(of("POST", "/v1/works"), Ok(Route::Register));
        assert_eq!(
            of("GET", &format!("/v1/works/{work}")),
            Ok(Route::Record(id.clone()))
        );
        assert_eq!(
            of("POST", &format!("/v1/works/{work}/publish")),
            Ok(Route::Publish(id.clone()))
        );
        assert_eq!(
            of("POST", &format!("/v1/works/{work}/update")),
            Ok(Route::Update(id.clone()))
        );
        assert_eq!(
            of("POST", &format!("/v1/works/{work}/state")),
            Ok(Route::SetState(id.clone()))
        );
        assert_eq!(
            of("POST", &format!("/v1/works/{work}/view")),
            Ok(Route::View(id))
        );
        assert_eq!(
            of("POST", &format!("/v1/works/{work}/cover")),
            Ok(Route::Cover(WorkId::parse(&work).unwrap()))
        );
        assert_eq!(of("POST", "/v1/uploads"), Ok(Route::Begin));
        let id = UploadId::parse(&upload).unwrap();
        let sign = Ok(Route::Sign(id.clone()));
        assert_eq!(of("POST", &format!("/v1/uploads/{upload}/sign")), sign);
        let parts = Ok(Route::Parts(id));
        assert_eq!(of("GET", &format!("/v1/uploads/{upload}/parts")), parts);
    }

    #[test]
    fn hostile_paths_are_refused_without_looking_anything_up() {
        for (method, path, code) in [
            ("GET", "/", ErrorCode::NotFound),
            ("GET", "", ErrorCode::NotFound),
            ("GET", "/v1", ErrorCode::NotFound),
            ("GET", "/v1/works/", ErrorCode::Malformed),
            ("GET", "/v1/works/..", ErrorCode::Malformed),
            ("GET", "/v1/works/%2e%2e", ErrorCode::Malformed),
            ("GET", "/v1/works/wrk_\u{0}", ErrorCode::Malformed),
            ("GET", "/v1/works/x/y/z", ErrorCode::NotFound),
            ("POST", "/v1/works/x/publish", ErrorCode::Malformed),
            ("POST", "/v1/works/x/update", ErrorCode::Malformed),
            ("GET", "/v1/works/x/state", ErrorCode::MethodNotAllowed),
            ("POST", "/v1/uploads/upl_/sign", ErrorCode::Malformed),
            ("GET", "/v1/uploads/upl_/parts", ErrorCode::Malformed),
            ("POST", "/v1/uploads/x/parts", ErrorCode::MethodNotAllowed),
            ("GET", "/v1/works", ErrorCode::MethodNotAllowed),
            ("DELETE", "/v1/works/x", ErrorCode::MethodNotAllowed),
            ("", "/v1/uploads", ErrorCode::MethodNotAllowed),
            ("get", "/v1/works/x", ErrorCode::MethodNotAllowed),
            ("POST", "//v1/works", ErrorCode::NotFound),
            ("POST", "/V1/works", ErrorCode::NotFound),
        ] {
            assert_eq!(
                of(method, path).unwrap_err().code,
                code,
                "{method} {path:?}"
            );
        }
    }
}

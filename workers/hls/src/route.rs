//! Which request is which. Nothing behind this sees a path.

use satchel_wire::{ApiError, ErrorCode, Result};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// `index.m3u8`
    Main,
    /// `media.m3u8`
    Media,
    /// `{n}.mp4`, `{n}.m4s`, `{n}.bin`
    Segment(u32, Kind),
}

/// How a segment is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Decrypted: samples, or what players need before them.
    Open,
    /// As it is stored.
    Sealed,
}

/// A request that is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    /// The capability.
    pub(crate) token: &'a str,
    /// What is asked for.
    pub(crate) name: Name,
}

impl<'a> Route<'a> {
    /// The route of a request: `not_found` or `method_not_allowed` where there is none.
    pub(crate) fn of(method: &str, path: &'a str) -> Result<Self> {
        let found = path.strip_prefix("/hls/").and_then(|rest| {
            let (token, name) = rest.split_once('/')?;
            let name = Name::parse(name)?;
            (!token.is_empty()).then_some(Self { token, name })
        });
        let found = found.ok_or(ErrorCode::NotFound)?;
        match method {
            "GET" | "HEAD" => Ok(found),
            _ => Err(ApiError::from(ErrorCode::MethodNotAllowed).with("allow", "GET, HEAD")),
        }
    }
}

impl Name {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "index.m3u8" => return Some(Self::Main),
            "media.m3u8" => return Some(Self::Media),
            _ => {}
        }
        let (number, ending) = name.split_once('.')?;
        let kind = match ending {
            "mp4" | "m4s" => Kind::Open,
            "bin" => Kind::Sealed,
            _ => return None,
        };
        // A number in its one spelling.
        let n: u32 = number.parse().ok()?;
        (n.to_string() == number).then_some(Self::Segment(n, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_name_is_found_and_nothing_else() {
        for (name, found) in [
            ("index.m3u8", Name::Main),
            ("media.m3u8", Name::Media),
            ("0.mp4", Name::Segment(0, Kind::Open)),
            ("16383.m4s", Name::Segment(16_383, Kind::Open)),
            ("7.bin", Name::Segment(7, Kind::Sealed)),
        ] {
            let path = format!("/hls/abc.def/{name}");
            let route = Route::of("GET", &path).unwrap();
            assert_eq!((route.token, route.name), ("abc.def", found));
            let refused = Route::of("POST", &path).unwrap_err();
            assert_eq!(refused.code, ErrorCode::MethodNotAllowed);
        }
        for path in [
            "",
            "/",
            "/hls",
            "/hls/",
            "/hls//index.m3u8",
            "/hls/a",
            "/hls/a/",
            "/hls/a/index.m3u",
            "/hls/a/01.m4s",
            "/hls/a/-1.m4s",
            "/hls/a/+1.m4s",
            "/hls/a/4294967296.m4s",
            "/hls/a/1.m4s/",
            "/hls/a/1.M4S",
            "/hls/a/.m4s",
            "/hls/a/1",
            "/hls/a/٣.m4s",
            "/v1/hls/a/1.m4s",
        ] {
            let refused = Route::of("GET", path).unwrap_err();
            assert_eq!(refused.code, ErrorCode::NotFound, "{path}");
        }
    }
}

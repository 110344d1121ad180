//! Presigned requests to the object storage.
//!
//! A signed URL allows one request on one object for some minutes, and nothing else: what a client
//! could change (part number, upload id, length, type) is part of the signature. Nothing that is
//! stored can be replaced: what puts an object in place is signed with `If-None-Match: *`.

use satchel_crypto::hash::HmacKey;
use satchel_format::Origin;
use satchel_wire::{ErrorCode, Result, api::SignOut};

use crate::sigv4::{Credentials, Request, Signer};

/// How long a signed request may be sent, seconds. Slow lines need minutes for a part.
pub(crate) const LIFE_S: u64 = 900;
/// Media type of a satchel, kept by the storage with the object.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.satchel";

/// A request that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Begins a multipart upload.
    Create,
    /// Puts the parts together, where there is no such object yet.
    Complete {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
    },
    /// Throws them away.
    Abort {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
    },
    /// Which parts have arrived after part `after`; asked by ourselves.
    List {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
        /// 0 for the first of them.
        after: u32,
    },
    /// Stores a small object at once, where there is none yet.
    Put {
        /// Its media type.
        media_type: &'a str,
        /// Its length.
        bytes: u64,
        /// SHA-256 of its bytes, base64.
        sha256: String,
    },
}

/// How an address names the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `ENDPOINT/BUCKET/KEY`
    Path,
    /// `BUCKET.ENDPOINT/KEY`
    Virtual,
}

impl Style {
    /// As it is configured.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "path" => Some(Self::Path),
            "virtual" => Some(Self::Virtual),
            _ => None,
        }
    }
}

/// Where objects go, and the key that signs for it.
#[derive(Debug)]
pub(crate) struct Storage {
    origin: Origin,
    /// Before the object's key; ends with `/`.
    path: String,
    signer: Signer,
}

impl Storage {
    /// `endpoint` may have a path. `None` where this makes no HTTP address.
    pub(crate) fn new(
        endpoint: &str,
        bucket: &str,
        style: Style,
        credentials: Credentials,
    ) -> Option<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        let (scheme, rest) = endpoint.split_once("://")?;
        let host_end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(host_end)?;
        // Where the signature and a browser could understand the path differently, there is none.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let (origin, path) = match style {
            Style::Path => (format!("{scheme}://{host}"), format!("{path}/{bucket}/")),
            Style::Virtual => (format!("{scheme}://{bucket}.{host}"), format!("{path}/")),
        };
        let resolved = path.split('/').any(|part| matches!(part, "." | ".."));
        if bucket.is_empty() || resolved || !path.bytes().all(plain) {
            return None;
        }
        Some(Self {
            origin: Origin::parse(&origin).ok()?,
            path,
            signer: Signer::new(credentials),
        })
    }

    /// Signs `step` on the object `key`, for `life_s` seconds if that is less than it may be. Keys
    /// are ours (work id and version): no `..` among them.
    pub(crate) fn presign(
        &self,
        step: &Step<'_>,
        key: &str,
        now_s: u64,
        life_s: Option<u64>,
    ) -> Result<SignOut> {
        let Shape {
            method,
            query,
            headers,
        } = shape(step);
        let path = self.path_of(key);
        let request = Request {
            method,
            origin: self.origin.as_str(),
            path: &path,
            query: &query,
            headers: &headers,
        };
        let url = self.signer.presign(&request, now_s, life(life_s));
        // A client sends the length by itself, and browsers let nobody set it.
        let told = headers
            .into_iter()
            .filter(|(name, _)| *name != "content-length")
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Ok(SignOut {
            url: url.ok_or(ErrorCode::Internal)?,
            key: (*step == Step::Create).then(|| key.to_owned()),
            headers: told,
        })
    }

    /// Signs sending parts: number and length of each, which must be exactly that.
    pub(crate) fn presign_parts(
        &self,
        upload_id: &str,
        parts: &[(u32, u64)],
        key: &str,
        now_s: u64,
        life_s: Option<u64>,
    ) -> Result<Vec<String>> {
        let (origin, path) = (self.origin.as_str(), self.path_of(key));
        let life_s = life(life_s);
        self.signer
            .presign_parts(origin, &path, upload_id, parts, now_s, life_s)
            .ok_or_else(|| ErrorCode::Internal.into())
    }

    fn path_of(&self, key: &str) -> String {
        let mut path = String::with_capacity(128);
        path.push_str(&self.path);
        path.push_str(key);
        path
    }

    /// A key for a purpose of our own.
    pub(crate) fn key_for(&self, purpose: &str) -> HmacKey {
        self.signer.key_for(purpose)
    }
}

/// As long as wanted, if that is allowed.
fn life(wanted_s: Option<u64>) -> u64 {
    wanted_s.map_or(LIFE_S, |wanted| wanted.clamp(1, LIFE_S))
}

/// Method, query and signed headers of a step.
struct Shape {
    method: &'static str,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

/// "Nothing may be there yet." Without it a URL signed before a version was published could replace
/// its bytes afterwards.
fn unless_there() -> (&'static str, String) {
    ("if-none-match", "*".to_owned())
}

fn shape(step: &Step<'_>) -> Shape {
    let of = |id: &str| ("uploadId", id.to_owned());
    let (method, query, headers) = match step {
        Step::Create => {
            let headers = vec![("content-type", MEDIA_TYPE.to_owned())];
            ("POST", vec![("uploads", String::new())], headers)
        }
        Step::Complete { upload_id } => {
            let headers = vec![
                ("content-type", "application/xml".to_owned()),
                unless_there(),
            ];
            ("POST", vec![of(upload_id)], headers)
        }
        Step::Abort { upload_id } => ("DELETE", vec![of(upload_id)], Vec::new()),
        Step::List { upload_id, after } => {
            let marker = ("part-number-marker", after.to_string());
            let marker = Some(marker).filter(|_| *after > 0);
            let query = marker.into_iter().chain([of(upload_id)]).collect();
            ("GET", query, Vec::new())
        }
        Step::Put {
            media_type,
            bytes,
            sha256,
        } => {
            let headers = vec![
                ("content-length", bytes.to_string()),
                ("content-type", (*media_type).to_owned()),
                unless_there(),
                ("x-amz-checksum-sha256", sha256.clone()),
            ];
            ("PUT", Vec::new(), headers)
        }
    };
    Shape {
        method,
        query,
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: "auto".into(),
            session_token: None,
        }
    }

    fn storage(endpoint: &str) -> Storage {
        Storage::new(endpoint, "satchel-files", Style::Path, credentials()).unwrap()
    }

    /// Vectors made with botocore 1.43.11 (`S3SigV4QueryAuth`), whose parameters stand in another
    /// order: so parameters are compared as sets.
    #[test]
    fn signatures_agree_with_botocore() {
        let id = "2~AbC+d/e=.f_g-h";
        let put = Step::Put {
            media_type: "image/webp",
            bytes: 9,
            sha256: "YWJj=".into(),
        };
        let list = Step::List {
            upload_id: id,
            after: 7,
        };
        for (endpoint, step, vector) in [
            (
                LOCAL,
                Step::Create,
                include_str!("../tests/vectors/create.txt"),
            ),
            (
                LOCAL,
                Step::Complete { upload_id: id },
                include_str!("../tests/vectors/complete.txt"),
            ),
            (
                LOCAL,
                Step::Abort { upload_id: id },
                include_str!("../tests/vectors/abort.txt"),
            ),
            (LOCAL, list, include_str!("../tests/vectors/list.txt")),
            (LOCAL, put, include_str!("../tests/vectors/put.txt")),
        ] {
            let key = match step {
                Step::Put { .. } => "wrk_aa/cover-x.webp",
                _ => "wrk_aa/1.satchel",
            };
            let signed = storage(endpoint)
                .presign(&step, key, 1_800_000_000, None)
                .unwrap();
            assert_eq!(
                taken_apart(&signed.url),
                taken_apart(vector.trim()),
                "{step:?}"
            );
        }
    }

    #[test]
    fn signatures_of_parts_agree_with_botocore() {
        for (endpoint, vector) in [
            (LOCAL, include_str!("../tests/vectors/part.txt")),
            (R2, include_str!("../tests/vectors/part-r2.txt")),
        ] {
            let url = part_url(&storage(endpoint), "2~AbC+d/e=.f_g-h", "wrk_aa/1.satchel");
            assert_eq!(taken_apart(&url), taken_apart(vector.trim()));
        }
    }

    fn part_url(storage: &Storage, upload_id: &str, key: &str) -> String {
        let parts = [(3, 8_388_608)];
        let urls = storage.presign_parts(upload_id, &parts, key, 1_800_000_000, None);
        urls.unwrap().remove(0)
    }

    const LOCAL: &str = "http://127.0.0.1:9000/cdn-cgi/local/r2/s3";
    const R2: &str = "https://account.r2.cloudflarestorage.com";
    fn taken_apart(url: &str) -> (&str, Vec<&str>) {
        let (path, query) = url.split_once('?').unwrap();
        let mut query: Vec<_> = query.split('&').collect();
        query.sort_unstable();
        (path, query)
    }

    #[test]
    fn what_was_signed_and_must_be_sent_is_told() {
        let create = storage(R2).presign(&Step::Create, "k", 1, None).unwrap();
        assert_eq!(create.key.as_deref(), Some("k"));
        assert_eq!(create.headers["content-type"], MEDIA_TYPE);
        let part = part_url(&storage(R2), "x", "k");
        assert!(
            part.contains("X-Amz-SignedHeaders=content-length%3Bhost"),
            "{part}"
        );
        assert!(part.contains("X-Amz-Expires=900"), "{part}");
        for (wanted, given) in [(0, 1), (60, 60), (900, 900), (901, 900), (u64::MAX, 900)] {
            let life = format!("X-Amz-Expires={given}&");
            let create = storage(R2)
                .presign(&Step::Create, "k", 1, Some(wanted))
                .unwrap();
            let part = storage(R2)
                .presign_parts("x", &[(1, 1)], "k", 1, Some(wanted))
                .unwrap();
            assert!(
                create.url.contains(&life) && part[0].contains(&life),
                "{part:?}"
            );
        }
    }

    #[test]
    fn what_puts_an_object_in_place_replaces_none() {
        let put = Step::Put {
            media_type: "image/webp",
            bytes: 9,
            sha256: "x=".into(),
        };
        for (step, signed) in [
            (
                Step::Complete { upload_id: "x" },
                "content-type%3Bhost%3Bif-none-match&",
            ),
            (
                put,
                "content-length%3Bcontent-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256&",
            ),
        ] {
            let out = storage(R2).presign(&step, "k", 1, None).unwrap();
            assert_eq!(out.headers["if-none-match"], "*");
            assert!(!out.headers.contains_key("content-length"));
            assert!(out.url.contains(signed), "{}", out.url);
        }
    }

    #[test]
    fn a_bucket_may_be_named_by_the_host() {
        let url = |endpoint, style| {
            let storage = Storage::new(endpoint, "satchel-files", style, credentials()).unwrap();
            storage.presign(&Step::Create, "k/1", 1, None).unwrap().url
        };
        let aws = "https://s3.eu-central-1.amazonaws.com/";
        let virtual_host = "https://satchel-files.s3.eu-central-1.amazonaws.com/k/1?";
        assert!(url(aws, Style::Virtual).starts_with(virtual_host));
        let path = "https://s3.eu-central-1.amazonaws.com/satchel-files/k/1?";
        assert!(url(aws, Style::Path).starts_with(path));
        let below = url("http://localhost:9000/a", Style::Virtual);
        assert!(below.starts_with("http://satchel-files.localhost:9000/a/k/1?"));
        for bucket in ["", "Big", "a b", "a/b", "a@b", "a:1"] {
            let storage = Storage::new(aws, bucket, Style::Virtual, credentials());
            assert!(storage.is_none(), "{bucket}");
        }
        assert_eq!(Style::parse("virtual"), Some(Style::Virtual));
        assert_eq!(Style::parse("path"), Some(Style::Path));
        assert_eq!(Style::parse("host"), None);
    }

    #[test]
    fn an_upload_id_cannot_add_parameters() {
        let url = part_url(&storage(R2), "a&partNumber=9#x y", "k");
        assert_eq!(url.matches("partNumber=").count(), 1);
        assert!(url.contains("uploadId=a%26partNumber%3D9%23x%20y"), "{url}");
    }

    #[test]
    fn an_endpoint_may_have_a_path() {
        for endpoint in ["http://127.0.0.1:9000/a/b", "http://127.0.0.1:9000/a/b/"] {
            let url = storage(endpoint)
                .presign(&Step::Create, "k", 1, None)
                .unwrap()
                .url;
            assert!(
                url.starts_with("http://127.0.0.1:9000/a/b/satchel-files/k?"),
                "{url}"
            );
        }
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_refused() {
        for bad in [
            "",
            "r2.example",
            "ftp://r2.example",
            "data:,x",
            "https://",
            "https://R2.example",
            "https://r2.example:443",
            "https://user@r2.example",
            "https://r2.example?x",
            "https://r2.example/a b",
            "https://r2.example/a%20b",
            "https://r2.example/../x",
        ] {
            assert!(
                Storage::new(bad, "b", Style::Path, credentials()).is_none(),
                "{bad}"
            );
        }
        for bad in ["", "a b", "..", "a?b"] {
            assert!(
                Storage::new(R2, bad, Style::Path, credentials()).is_none(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_clock_beyond_the_calendar_is_an_error_not_a_panic() {
        assert!(
            storage(R2)
                .presign(&Step::Create, "k", u64::MAX, None)
                .is_err()
        );
    }
}

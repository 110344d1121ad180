//! Presigned requests to the object storage.
//!
//! A signed URL allows one request on one object for some minutes, and nothing else: what a client
//! could change (part number, upload id, length, type) is part of the signature.

use satchel_format::Origin;
use satchel_wire::{ErrorCode, Result, api::SignOut};

use crate::sigv4::{self, Credentials, Request};

/// How long a signed request may be sent, seconds. Slow lines need minutes for a part.
pub(crate) const LIFE_S: u64 = 900;
/// Media type of a satchel, kept by the storage with the object.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.satchel";

/// A request that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Begins a multipart upload.
    Create,
    /// Sends one part of exactly `bytes` bytes.
    Part {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
        /// From 1.
        number: u32,
        /// Its length.
        bytes: u64,
    },
    /// Puts the parts together.
    Complete {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
    },
    /// Throws them away.
    Abort {
        /// S3's id of the multipart upload.
        upload_id: &'a str,
    },
}

/// Where objects go, and the key that signs for it.
pub(crate) struct Storage {
    origin: Origin,
    /// Of the bucket, without a `/` at its end.
    path: String,
    credentials: Credentials,
}

impl Storage {
    /// `endpoint` may have a path; bucket and object follow it. `None` where it is no HTTP address.
    pub(crate) fn new(endpoint: &str, bucket: &str, credentials: Credentials) -> Option<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        let scheme = endpoint.find("://")?.saturating_add("://".len());
        let host = endpoint.get(scheme..)?.split('/').next()?.len();
        let (origin, path) = endpoint.split_at_checked(scheme.saturating_add(host))?;
        // Where the signature and a browser could understand the path differently, there is none.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let path = format!("{path}/{bucket}");
        let resolved = path.split('/').any(|part| matches!(part, "." | ".."));
        if bucket.is_empty() || resolved || !path.bytes().all(plain) {
            return None;
        }
        Some(Self {
            origin: Origin::parse(origin).ok()?,
            path,
            credentials,
        })
    }

    /// Signs `step` on the object `key`. Keys are ours (work id and version): no `..` among them.
    pub(crate) fn presign(&self, step: &Step<'_>, key: &str, now_s: u64) -> Result<SignOut> {
        let (method, query, headers) = shape(step);
        let request = Request {
            method,
            origin: self.origin.as_str(),
            path: &format!("{}/{key}", self.path),
            query: &query,
            headers: &headers,
        };
        let url = sigv4::presign(&self.credentials, &request, now_s, LIFE_S);
        let creates = *step == Step::Create;
        let told = if creates { headers } else { Vec::new() };
        Ok(SignOut {
            url: url.ok_or(ErrorCode::Internal)?,
            key: creates.then(|| key.to_owned()),
            headers: told
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }
}

type Pairs = Vec<(&'static str, String)>;

/// Method, query and signed headers of a step.
fn shape(step: &Step<'_>) -> (&'static str, Pairs, Pairs) {
    let of = |id: &str| ("uploadId", id.to_owned());
    match step {
        Step::Create => {
            let headers = vec![("content-type", MEDIA_TYPE.to_owned())];
            ("POST", vec![("uploads", String::new())], headers)
        }
        Step::Part {
            upload_id,
            number,
            bytes,
        } => {
            let query = vec![("partNumber", number.to_string()), of(upload_id)];
            ("PUT", query, vec![("content-length", bytes.to_string())])
        }
        Step::Complete { upload_id } => ("POST", vec![of(upload_id)], Vec::new()),
        Step::Abort { upload_id } => ("DELETE", vec![of(upload_id)], Vec::new()),
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
        }
    }

    fn storage(endpoint: &str) -> Storage {
        Storage::new(endpoint, "satchel-files", credentials()).unwrap()
    }

    /// Vectors made with botocore 1.43.11 (`S3SigV4QueryAuth`), whose parameters stand in another
    /// order: so parameters are compared as sets.
    #[test]
    fn signatures_agree_with_botocore() {
        let key = "wrk_aa/1.satchel";
        let id = "2~AbC+d/e=.f_g-h";
        let cases = [
            (
                LOCAL,
                Step::Create,
                include_str!("../tests/vectors/create.txt"),
            ),
            (LOCAL, PART(id), include_str!("../tests/vectors/part.txt")),
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
            (R2, PART(id), include_str!("../tests/vectors/part-r2.txt")),
        ];
        for (endpoint, step, vector) in cases {
            let signed = storage(endpoint)
                .presign(&step, key, 1_800_000_000)
                .unwrap();
            assert_eq!(
                taken_apart(&signed.url),
                taken_apart(vector.trim()),
                "{step:?}"
            );
        }
    }

    const LOCAL: &str = "http://127.0.0.1:9000/cdn-cgi/local/r2/s3";
    const R2: &str = "https://account.r2.cloudflarestorage.com";
    const PART: fn(&str) -> Step<'_> = |upload_id| Step::Part {
        upload_id,
        number: 3,
        bytes: 8_388_608,
    };

    fn taken_apart(url: &str) -> (&str, Vec<&str>) {
        let (path, query) = url.split_once('?').unwrap();
        let mut query: Vec<_> = query.split('&').collect();
        query.sort_unstable();
        (path, query)
    }

    #[test]
    fn only_create_tells_key_and_headers() {
        let create = storage(R2).presign(&Step::Create, "k", 1).unwrap();
        assert_eq!(create.key.as_deref(), Some("k"));
        assert_eq!(create.headers["content-type"], MEDIA_TYPE);
        let part = storage(R2).presign(&PART("x"), "k", 1).unwrap();
        assert!(part.key.is_none() && part.headers.is_empty());
        assert!(
            part.url
                .contains("X-Amz-SignedHeaders=content-length%3Bhost"),
            "{}",
            part.url
        );
        assert!(part.url.contains("X-Amz-Expires=900"), "{}", part.url);
    }

    #[test]
    fn an_upload_id_cannot_add_parameters() {
        let signed = storage(R2)
            .presign(&PART("a&partNumber=9#x y"), "k", 1)
            .unwrap();
        assert_eq!(signed.url.matches("partNumber=").count(), 1);
        assert!(
            signed.url.contains("uploadId=a%26partNumber%3D9%23x%20y"),
            "{}",
            signed.url
        );
    }

    #[test]
    fn an_endpoint_may_have_a_path() {
        for endpoint in ["http://127.0.0.1:9000/a/b", "http://127.0.0.1:9000/a/b/"] {
            let url = storage(endpoint)
                .presign(&Step::Create, "k", 1)
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
            assert!(Storage::new(bad, "b", credentials()).is_none(), "{bad}");
        }
        for bad in ["", "a b", "..", "a?b"] {
            assert!(Storage::new(R2, bad, credentials()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_clock_beyond_the_calendar_is_an_error_not_a_panic() {
        assert!(storage(R2).presign(&Step::Create, "k", u64::MAX).is_err());
    }
}

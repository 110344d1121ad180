//! Presigned requests to the object storage (AWS Signature Version 4, in the query).
//!
//! A signed URL allows one request on one object for some minutes, and nothing else: what a client
//! could change (part number, upload id, length, type) is part of the signature.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusty_s3::{Bucket, Method, UrlStyle, signing};
use satchel_wire::{ErrorCode, Result, api::SignOut};
use url::Url;

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
    bucket: Bucket,
    access_key_id: String,
    secret_access_key: String,
}

impl Storage {
    /// `endpoint` may have a path; bucket and object follow it. `None` where it is no HTTP URL.
    pub(crate) fn new(
        endpoint: &str,
        bucket: String,
        region: String,
        access_key_id: String,
        secret_access_key: String,
    ) -> Option<Self> {
        let endpoint = Url::parse(endpoint).ok()?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, bucket, region).ok()?;
        Some(Self {
            bucket,
            access_key_id,
            secret_access_key,
        })
    }

    /// Signs `step` on the object `key`. Keys are ours (work id and version), so they need no
    /// escaping and hold no `..`.
    pub(crate) fn presign(&self, step: &Step<'_>, key: &str, now_s: u64) -> Result<SignOut> {
        let time = i64::try_from(now_s)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok());
        let time = time.ok_or(ErrorCode::Internal)?;
        let (method, query, headers) = shape(step);
        let url = signing::sign(
            &time,
            method,
            self.bucket.object_url(key),
            &self.access_key_id,
            &self.secret_access_key,
            None,
            self.bucket.region(),
            LIFE_S,
            query.iter().map(|(name, value)| (*name, value.as_str())),
            headers.iter().map(|(name, value)| (*name, value.as_str())),
        );
        let creates = *step == Step::Create;
        let told = if creates { headers } else { Vec::new() };
        Ok(SignOut {
            url: url.into(),
            key: creates.then(|| key.to_owned()),
            headers: told
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<BTreeMap<_, _>>(),
        })
    }
}

type Pairs = Vec<(&'static str, String)>;

/// Method, query and signed headers of a step; names in order, as the signature wants them.
fn shape(step: &Step<'_>) -> (Method, Pairs, Pairs) {
    let of = |id: &str| ("uploadId", id.to_owned());
    match step {
        Step::Create => {
            let headers = vec![("content-type", MEDIA_TYPE.to_owned())];
            (Method::Post, vec![("uploads", String::new())], headers)
        }
        Step::Part {
            upload_id,
            number,
            bytes,
        } => {
            let query = vec![("partNumber", number.to_string()), of(upload_id)];
            (
                Method::Put,
                query,
                vec![("content-length", bytes.to_string())],
            )
        }
        Step::Complete { upload_id } => (Method::Post, vec![of(upload_id)], Vec::new()),
        Step::Abort { upload_id } => (Method::Delete, vec![of(upload_id)], Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(endpoint: &str) -> Storage {
        Storage::new(
            endpoint,
            "satchel-files".into(),
            "auto".into(),
            "AKIAIOSFODNN7EXAMPLE".into(),
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        )
        .unwrap()
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
    fn an_endpoint_that_is_no_address_is_refused() {
        for bad in ["", "r2.example", "ftp://r2.example", "data:,x"] {
            let none = String::new;
            assert!(
                Storage::new(bad, "b".into(), none(), none(), none()).is_none(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_clock_beyond_the_calendar_is_an_error_not_a_panic() {
        assert!(storage(R2).presign(&Step::Create, "k", u64::MAX).is_err());
    }
}

//! Uploads: which bytes a creator may send, in which parts, until when.

use satchel_crypto::b32;
use satchel_domain::{
    id::{Thumbprint, UploadId, WorkId},
    work::WorkState,
};
use satchel_edge::Platform;
use satchel_format::header;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Record, SignIn, SignOut, UploadOut},
    command::{self, Command},
    jose::Jwk,
};
use serde::Serialize;

use crate::{
    s3::{MEDIA_TYPE, Step},
    world::World,
};

/// Largest packed file unless the configuration says otherwise.
pub(crate) const MAX_PACKED_BYTES: u64 = 20 << 30;
/// No satchel is shorter than its header.
const MIN_PACKED_BYTES: u64 = header::ALIGNMENT as u64;
/// Parts are not made smaller than this (the storage refuses those below 5 MiB).
const MIN_PART_BYTES: u64 = 8 << 20;
/// Most parts the storage puts together.
const MAX_PARTS: u64 = 10_000;
const MIB: u64 = 1 << 20;
/// How long requests of an upload are signed, seconds.
const LIFE_S: u64 = 24 * 60 * 60;
/// Longest id of a multipart upload that is signed.
const MAX_UPLOAD_ID_BYTES: usize = 1024;

/// An upload, as its object keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Upload {
    /// The work.
    pub(crate) work: WorkId,
    /// The version whose bytes are sent.
    pub(crate) version: u32,
    /// Bytes of the packed file.
    pub(crate) size: u64,
    /// Bytes of each part but the last.
    pub(crate) part_size: u64,
    /// Number of parts.
    pub(crate) parts: u32,
    /// Whose key may ask for signatures.
    pub(crate) creator: Thumbprint,
    /// Unix seconds until which they are given.
    pub(crate) expires: u64,
}
satchel_json::read!(Upload {
    work,
    version,
    size,
    part_size,
    parts,
    creator,
    expires,
    ..
});

/// Where the packed file of a version lies in the bucket.
pub(crate) fn object_key(work: &WorkId, version: u32) -> String {
    format!("{work}/{version}.satchel")
}

/// `POST /v1/uploads`.
pub(crate) async fn begin(world: &impl World, token: &str) -> Result<UploadOut> {
    let now = world.now_s();
    let command = command::verify::<command::Upload>(&Platform, token, world.issuer(), now).await?;
    let upload = Upload::plan(&command, world.max_packed_bytes()?, now)?;
    let snapshot = world.snapshot(&command.work).await?;
    check_creator(&snapshot.record, &command.creator)?;
    upload.check_unpublished(&snapshot.record)?;
    let id = UploadId::parse(&format!(
        "{}{}",
        UploadId::PREFIX,
        b32::encode(&world.random()?)
    ))
    .map_err(|_| ErrorCode::Internal)?;
    world.keep(&id, &upload).await?;
    Ok(UploadOut {
        upload: id,
        key: upload.key(),
        part_size: upload.part_size,
        parts: upload.parts,
        size: upload.size,
        expires: upload.expires,
    })
}

/// `POST /v1/uploads/{upload}/sign`, asked by whoever holds `key`.
pub(crate) async fn sign(
    world: &impl World,
    id: &UploadId,
    key: &Thumbprint,
    request: &SignIn,
) -> Result<SignOut> {
    let upload = world.upload(id).await?;
    let step = upload.step(key, request, world.now_s())?;
    // A version's bytes must not change once it is on sale: looked at again where it matters.
    if matches!(step, Step::Create | Step::Complete { .. }) {
        upload.check_unpublished(&world.snapshot(&upload.work).await?.record)?;
    }
    world
        .storage()?
        .presign(&step, &upload.key(), world.now_s())
}

/// The work must have been registered with this very key.
pub(crate) fn check_creator(record: &Record, creator: &Jwk) -> Result<()> {
    if record.creator == *creator {
        Ok(())
    } else {
        Err(ErrorCode::WrongKey.into())
    }
}

impl Upload {
    /// Plans the parts of a new upload.
    fn plan(command: &Command<command::Upload>, most: u64, now_s: u64) -> Result<Self> {
        let command::Upload { version, size } = command.body;
        if version == 0 {
            return Err(ApiError::new(ErrorCode::Malformed, "versions count from 1"));
        }
        if !(MIN_PACKED_BYTES..=most).contains(&size) {
            let what = format!("a packed file has {MIN_PACKED_BYTES} to {most} bytes here");
            return Err(ApiError::new(ErrorCode::Malformed, what).with("limit", most));
        }
        let part_size = part_size(size);
        let parts = size.div_ceil(part_size);
        let jkt = command.creator.key()?.jkt();
        Ok(Self {
            work: command.work.clone(),
            version,
            size,
            part_size,
            parts: u32::try_from(parts).map_err(|_| ErrorCode::Internal)?,
            creator: Thumbprint::parse(&jkt).map_err(|_| ErrorCode::Internal)?,
            expires: now_s.saturating_add(LIFE_S),
        })
    }

    /// The object's key.
    pub(crate) fn key(&self) -> String {
        object_key(&self.work, self.version)
    }

    fn check_unpublished(&self, record: &Record) -> Result<()> {
        if record.state == WorkState::TakenDown {
            return Err(ErrorCode::WorkTakenDown.into());
        }
        if self.version <= record.version {
            let what = format!(
                "version {} is published; its bytes stay as they are",
                record.version
            );
            return Err(ApiError::new(ErrorCode::WorkConflict, what));
        }
        Ok(())
    }

    /// Bytes of part `number`; `None` where there is no such part.
    fn part_bytes(&self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?).checked_mul(self.part_size)?;
        let rest = self.size.checked_sub(before).filter(|rest| *rest > 0)?;
        Some(rest.min(self.part_size))
    }

    /// What a request of Uppy's would do, if it may.
    fn step<'a>(&self, key: &Thumbprint, request: &'a SignIn, now_s: u64) -> Result<Step<'a>> {
        let malformed = |what: &str| ApiError::new(ErrorCode::Malformed, what);
        if now_s >= self.expires {
            return Err(ErrorCode::UnknownUpload.into());
        }
        if *key != self.creator {
            return Err(ErrorCode::WrongKey.into());
        }
        if request.key != self.key() {
            return Err(malformed("key is not the one of this upload"));
        }
        if request
            .content_type
            .as_ref()
            .is_some_and(|kind| kind != MEDIA_TYPE)
        {
            return Err(malformed(
                "contentType of a satchel is application/vnd.satchel",
            ));
        }
        let upload_id = request.upload_id.as_deref();
        if !upload_id.is_none_or(is_upload_id) {
            return Err(malformed("uploadId is not one of the storage's"));
        }
        match (request.method.as_str(), upload_id, request.part_number) {
            ("POST", None, None) => Ok(Step::Create),
            ("PUT", Some(upload_id), Some(number)) => {
                let bytes = self
                    .part_bytes(number)
                    .ok_or_else(|| malformed(&format!("partNumber is 1 to {} here", self.parts)))?;
                Ok(Step::Part {
                    upload_id,
                    number,
                    bytes,
                })
            }
            ("POST", Some(upload_id), None) => Ok(Step::Complete { upload_id }),
            ("DELETE", Some(upload_id), None) => Ok(Step::Abort { upload_id }),
            ("GET", Some(_), None) => Err(ApiError::new(
                ErrorCode::NotFound,
                "parts are not listed here yet",
            )),
            ("PUT", None, _) => Err(malformed("satchels are sent in parts: shouldUseMultipart")),
            _ => Err(malformed("not one of the requests of an upload")),
        }
    }
}

fn is_upload_id(text: &str) -> bool {
    (1..=MAX_UPLOAD_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Equal parts, so large that there are at most [`MAX_PARTS`]: whole MiB, at least 8.
fn part_size(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS)
        .div_ceil(MIB)
        .saturating_mul(MIB)
        .max(MIN_PART_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake, block_on};

    fn upload(size: u64) -> Upload {
        let part_size = part_size(size);
        Upload {
            work: fake::work(),
            version: 1,
            size,
            part_size,
            parts: u32::try_from(size.div_ceil(part_size)).unwrap(),
            creator: fake::thumbprint(1),
            expires: 2_000,
        }
    }

    fn request(method: &str, upload_id: Option<&str>, part_number: Option<u32>) -> SignIn {
        SignIn {
            method: method.into(),
            key: upload(1).key(),
            upload_id: upload_id.map(Into::into),
            part_number,
            content_type: None,
        }
    }

    #[test]
    fn parts_are_equal_and_at_most_ten_thousand() {
        for (size, part_mib, parts) in [
            (16_384, 8, 1),
            (8 << 20, 8, 1),
            ((8 << 20) + 1, 8, 2),
            (20 << 30, 8, 2_560),
            (10_000 * (8 << 20), 8, 10_000),
            (10_000 * (8 << 20) + 1, 9, 8_889),
            (header::MAX_FILE_BYTES, 858_994, 10_000),
        ] {
            let upload = upload(size);
            assert_eq!(upload.part_size, part_mib << 20, "{size}");
            assert_eq!(upload.parts, parts, "{size}");
            let (last, past) = (
                upload.part_bytes(parts).unwrap(),
                upload.part_bytes(parts + 1),
            );
            assert!(
                last >= 1 && last <= upload.part_size && past.is_none(),
                "{size}"
            );
            assert_eq!(u64::from(parts - 1) * upload.part_size + last, size);
        }
    }

    #[test]
    fn hostile_part_numbers_are_refused() {
        let upload = upload((8 << 20) + 1);
        let creator = fake::thumbprint(1);
        for number in [0, 3, 10_001, u32::MAX] {
            let asked = request("PUT", Some("id"), Some(number));
            let error = upload.step(&creator, &asked, 1_000).unwrap_err();
            assert_eq!(error.code, ErrorCode::Malformed, "{number}");
        }
        let part = |number, bytes| {
            Ok(Step::Part {
                upload_id: "id",
                number,
                bytes,
            })
        };
        assert_eq!(
            upload.step(&creator, &request("PUT", Some("id"), Some(1)), 1),
            part(1, 8 << 20)
        );
        assert_eq!(
            upload.step(&creator, &request("PUT", Some("id"), Some(2)), 1),
            part(2, 1)
        );
    }

    #[test]
    fn only_the_four_requests_of_an_upload_are_signed() {
        let (upload, creator) = (upload(100), fake::thumbprint(1));
        let long = "x".repeat(1_025);
        let step = |request: &SignIn| upload.step(&creator, request, 1).map(|_| ());
        assert_eq!(step(&request("POST", None, None)), Ok(()));
        assert_eq!(step(&request("POST", Some("id"), None)), Ok(()));
        assert_eq!(step(&request("DELETE", Some("id"), None)), Ok(()));
        for (bad, code) in [
            (request("GET", Some("id"), None), ErrorCode::NotFound),
            (request("GET", None, None), ErrorCode::Malformed),
            (request("DELETE", None, None), ErrorCode::Malformed),
            (request("PUT", None, None), ErrorCode::Malformed),
            (request("PUT", Some("id"), None), ErrorCode::Malformed),
            (request("PUT", None, Some(1)), ErrorCode::Malformed),
            (request("POST", None, Some(1)), ErrorCode::Malformed),
            (request("post", None, None), ErrorCode::Malformed),
            (request("", Some("id"), Some(1)), ErrorCode::Malformed),
            (request("PUT", Some(""), Some(1)), ErrorCode::Malformed),
            (request("PUT", Some("a b"), Some(1)), ErrorCode::Malformed),
            (request("PUT", Some("é"), Some(1)), ErrorCode::Malformed),
            (request("PUT", Some(&long), Some(1)), ErrorCode::Malformed),
            (
                SignIn {
                    key: "other".into(),
                    ..request("POST", None, None)
                },
                ErrorCode::Malformed,
            ),
            (
                SignIn {
                    content_type: Some("text/html".into()),
                    ..request("POST", None, None)
                },
                ErrorCode::Malformed,
            ),
        ] {
            assert_eq!(step(&bad).unwrap_err().code, code, "{bad:?}");
        }
    }

    #[test]
    fn another_key_and_a_late_request_are_refused() {
        let upload = upload(100);
        let create = request("POST", None, None);
        let code = |key, now| {
            upload
                .step(&fake::thumbprint(key), &create, now)
                .unwrap_err()
                .code
        };
        assert_eq!(code(2, 1_000), ErrorCode::WrongKey);
        assert_eq!(code(1, 2_000), ErrorCode::UnknownUpload);
    }

    #[test]
    fn a_creator_begins_and_signs() {
        let world = Fake::with_work(0);
        let begun = block_on(begin(&world, &fake::upload_command(1, 1, 9 << 20))).unwrap();
        assert_eq!((begun.parts, begun.part_size), (2, 8 << 20));
        assert_eq!(begun.expires, fake::NOW_S + 86_400);
        assert_eq!(begun.key, format!("{}/1.satchel", fake::work()));
        let create = request("POST", None, None);
        let signed = block_on(sign(&world, &begun.upload, &fake::thumbprint(1), &create)).unwrap();
        assert!(
            signed
                .url
                .starts_with("http://127.0.0.1:9000/s3/files/wrk_"),
            "{}",
            signed.url
        );
        let other = UploadId::parse(&format!("upl_{}", "a".repeat(32))).unwrap();
        let unknown = block_on(sign(&world, &other, &fake::thumbprint(1), &create)).unwrap_err();
        assert_eq!(unknown.code, ErrorCode::UnknownUpload);
    }

    #[test]
    fn an_upload_needs_a_registered_work_and_a_version_not_on_sale() {
        let code = |world: &Fake, command: &str| block_on(begin(world, command)).unwrap_err().code;
        let published = Fake::with_work(2);
        let command = |version, size| fake::upload_command(1, version, size);
        assert_eq!(
            code(&Fake::empty(), &command(1, 20_000)),
            ErrorCode::UnknownWork
        );
        assert_eq!(
            code(&published, &command(2, 20_000)),
            ErrorCode::WorkConflict
        );
        assert_eq!(code(&published, &command(0, 20_000)), ErrorCode::Malformed);
        assert_eq!(code(&published, &command(3, 16_383)), ErrorCode::Malformed);
        assert_eq!(
            code(&published, &command(3, MAX_PACKED_BYTES + 1)),
            ErrorCode::Malformed
        );
        assert_eq!(
            code(&published, &fake::upload_command(2, 3, 20_000)),
            ErrorCode::WrongKey
        );
        assert!(block_on(begin(&published, &command(3, MAX_PACKED_BYTES))).is_ok());
        let down = Fake::with_state(WorkState::TakenDown);
        assert_eq!(code(&down, &command(3, 20_000)), ErrorCode::WorkTakenDown);
    }

    /// Somebody else's registration under this id can't exist, but is not trusted not to.
    #[test]
    fn the_registered_creator_decides() {
        let record = Fake::with_work(0).record();
        assert!(check_creator(&record, &fake::jwk(1)).is_ok());
        assert_eq!(
            check_creator(&record, &fake::jwk(2)).unwrap_err().code,
            ErrorCode::WrongKey
        );
    }

    #[test]
    fn bytes_on_sale_are_not_sent_again() {
        let world = Fake::with_work(0);
        let begun = block_on(begin(&world, &fake::upload_command(1, 1, 20_000))).unwrap();
        world.set_version(1);
        for (method, id, part, refused) in [
            ("POST", None, None, true),
            ("POST", Some("id"), None, true),
            ("PUT", Some("id"), Some(1), false),
            ("DELETE", Some("id"), None, false),
        ] {
            let asked = request(method, id, part);
            let answer = block_on(sign(&world, &begun.upload, &fake::thumbprint(1), &asked));
            let conflict = answer.is_err_and(|error| error.code == ErrorCode::WorkConflict);
            assert_eq!(conflict, refused, "{method} {id:?}");
        }
    }
}

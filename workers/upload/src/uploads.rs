//! Uploads: which bytes a creator may send, in which parts, until when.

use std::collections::BTreeMap;

use satchel_crypto::b32;
use satchel_domain::{
    id::{Thumbprint, UploadId, WorkId},
    work::WorkState,
};
use satchel_edge::Platform;
use satchel_format::header;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Record, SentPart, SignIn, SignListOut, SignOut, SignPartsOut, UploadOut},
    command::{self, Command},
    jose::Jwk,
};
use serde::Serialize;

use crate::{
    parts,
    s3::{MEDIA_TYPE, Step, Storage},
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
/// How long an upload waits for its next part unless the configuration says otherwise, seconds.
pub(crate) const IDLE_S: u64 = 24 * 60 * 60;
/// How often that long it may take at most: storages throw away parts after a week.
const MAX_IDLES: u64 = 6;
/// The life is made longer once this part of it is over: each time is a write.
const PROLONGED: u64 = 24;
/// Longest id of a multipart upload that is signed.
const MAX_UPLOAD_ID_BYTES: usize = 1024;
/// Multipart uploads that one upload may begin: a client that lost the answer begins another.
const MAX_MULTIPARTS: usize = 16;
/// Parts that are signed in one request.
const MAX_SIGNED_PARTS: usize = 100;
/// Parts that are reported in one request.
const MAX_SENT_PARTS: usize = 100;
/// Longest `ETag` of a part.
const MAX_ETAG_BYTES: usize = 512;

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
    /// Unix seconds after which `expires` goes no further.
    pub(crate) latest: Option<u64>,
    /// How long it waits for its next part, seconds.
    pub(crate) idle_s: Option<u64>,
    /// What the storage calls its multipart uploads.
    pub(crate) multiparts: Option<Vec<Multipart>>,
    /// Somebody was given the means to put the parts together.
    pub(crate) completing: Option<bool>,
    /// How it ended, once it has.
    pub(crate) ended: Option<End>,
    /// After its end nothing is left of it in the storage.
    pub(crate) swept: Option<bool>,
}
satchel_json::read!(Upload {
    work,
    version,
    size,
    part_size,
    parts,
    creator,
    expires,
    latest,
    idle_s,
    multiparts,
    completing,
    ended,
    swept,
    ..
});

/// What a deployment takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest packed file, bytes.
    pub(crate) most: u64,
    /// How long an upload waits for its next part, seconds.
    pub(crate) idle_s: u64,
}

/// A multipart upload of the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Multipart {
    /// The storage's id.
    pub(crate) id: String,
    /// Its parts were thrown away, or are to be.
    pub(crate) aborted: bool,
}
satchel_json::read!(Multipart { id, aborted });

/// How an upload ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// The bytes are stored.
    Complete,
    /// They are not, and no longer expected.
    Abandoned,
}
satchel_json::read_names!(End { Complete = "complete", Abandoned = "abandoned" });

/// What is new about an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// A multipart upload that is used.
    pub(crate) upload_id: Option<String>,
    /// It is thrown away.
    pub(crate) aborted: bool,
    /// Somebody may put the parts together from now on.
    pub(crate) completing: bool,
    /// It is waited for until then.
    pub(crate) expires: Option<u64>,
    /// It has ended.
    pub(crate) ended: Option<End>,
    /// Parts of `upload_id` that have arrived.
    pub(crate) sent: Vec<SentPart>,
}
satchel_json::read!(Change {
    upload_id,
    aborted,
    completing,
    expires,
    ended,
    sent
});

/// The answer to a request for signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    /// One request.
    One(SignOut),
    /// Several parts.
    Parts(SignPartsOut),
    /// The parts that are there.
    List(SignListOut),
}

/// What is asked for, once it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked<'a> {
    Create,
    Part(&'a str, u32),
    Parts(&'a str, &'a [u32]),
    Complete(&'a str),
    Abort(&'a str),
    List(&'a str),
}

/// Where the packed file of a version lies in the bucket.
pub(crate) fn object_key(work: &WorkId, version: u32) -> String {
    format!("{work}/{version}.satchel")
}

/// `POST /v1/uploads`.
pub(crate) async fn begin(world: &impl World, token: &str) -> Result<UploadOut> {
    let now = world.now_s();
    let command = command::verify::<command::Upload>(&Platform, token, world.issuer(), now).await?;
    let upload = Upload::plan(&command, world.limits()?, now)?;
    let snapshot = world.snapshot(&command.work).await?;
    check_creator(&snapshot.record, &command.creator)?;
    upload.check_unpublished(&snapshot.record)?;
    if is_stored(world, &upload).await? {
        return Err(upload.stored_already());
    }
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
) -> Result<Signed> {
    let now = world.now_s();
    let mut upload = world.upload(id).await?;
    let asked = upload.asked(key, request)?;
    upload.check_open(&asked, now)?;
    // Once somebody could put the parts together, only the bucket knows whether it was done.
    let stored = (upload.completing == Some(true) || asked == Asked::Create)
        && is_stored(world, &upload).await?;
    if stored && upload.completing != Some(true) {
        return Err(upload.stored_already());
    }
    if stored {
        let ended = Some(End::Complete);
        let change = Change {
            ended,
            ..Change::default()
        };
        upload = world.change(id, &change).await?;
        upload.check_open(&asked, now)?;
    }
    // A version's bytes must not change once it is on sale: looked at again where it matters.
    if matches!(asked, Asked::Create | Asked::Complete(_)) {
        upload.check_unpublished(&world.snapshot(&upload.work).await?.record)?;
    }
    let change = upload.change(&asked, request, now);
    if change != Change::default() {
        upload = world.change(id, &change).await?;
    }
    upload.answer(world, id, &asked, request.expires_in).await
}

/// As [`sign`], for the request that is made most often: parts of an upload about which nothing is new.
/// `None` where anything else has to be done, or is wrong.
pub(crate) fn sign_at_once(
    upload: &Upload,
    storage: &Storage,
    key: &Thumbprint,
    request: &SignIn,
    now_s: u64,
) -> Option<Signed> {
    let asked = upload.asked(key, request).ok()?;
    upload.check_open(&asked, now_s).ok()?;
    let settled = upload.completing != Some(true)
        && upload.change(&asked, request, now_s) == Change::default();
    let signed = upload.parts_signed(storage, &asked, now_s, request.expires_in);
    signed.ok()?.filter(|_| settled)
}

/// The work must have been registered with this very key.
pub(crate) fn check_creator(record: &Record, creator: &Jwk) -> Result<()> {
    if record.creator == *creator {
        Ok(())
    } else {
        Err(ErrorCode::WrongKey.into())
    }
}

/// Whether there are bytes under the upload's key.
pub(crate) async fn is_stored(world: &impl World, upload: &Upload) -> Result<bool> {
    Ok(world.packed(&upload.key(), 0, 0).await?.is_some())
}

fn malformed(what: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Malformed, what)
}

impl Upload {
    /// Plans the parts of a new upload.
    fn plan(command: &Command<command::Upload>, limits: Limits, now_s: u64) -> Result<Self> {
        let Limits { most, idle_s } = limits;
        let command::Upload { version, size } = command.body;
        if version == 0 {
            return Err(malformed("versions count from 1"));
        }
        if !(MIN_PACKED_BYTES..=most).contains(&size) {
            let what = format!("a packed file has {MIN_PACKED_BYTES} to {most} bytes here");
            return Err(malformed(what).with("limit", most));
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
            expires: now_s.saturating_add(idle_s),
            latest: Some(now_s.saturating_add(idle_s.saturating_mul(MAX_IDLES))),
            idle_s: Some(idle_s),
            multiparts: None,
            completing: None,
            ended: None,
            swept: None,
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

    /// Anybody may have fetched them and keep them for good, so they are never replaced.
    fn stored_already(&self) -> ApiError {
        let what = format!(
            "bytes of version {} are stored: publish them, or pack another version",
            self.version
        );
        ApiError::new(ErrorCode::WorkConflict, what).with("version", u64::from(self.version))
    }

    fn check_open(&self, asked: &Asked<'_>, now_s: u64) -> Result<()> {
        let late = (now_s >= self.expires).then_some(End::Abandoned);
        let (end, what) = match (self.ended.or(late), asked) {
            (Some(End::Complete), _) => ("complete", "its bytes are stored"),
            (Some(End::Abandoned), _) => ("abandoned", "no part came for too long"),
            // Cancelling twice is no mistake.
            (
                None,
                Asked::Part(id, _) | Asked::Parts(id, _) | Asked::Complete(id) | Asked::List(id),
            ) if self.multipart(id).is_some_and(|known| known.aborted) => {
                ("abandoned", "this multipart upload was cancelled")
            }
            _ => return Ok(()),
        };
        Err(ApiError::new(ErrorCode::UploadEnded, what).with("state", end))
    }

    fn multipart(&self, id: &str) -> Option<&Multipart> {
        self.multiparts
            .iter()
            .flatten()
            .find(|known| known.id == id)
    }

    /// Bytes of part `number`; `None` where there is no such part.
    pub(crate) fn part_bytes(&self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?).checked_mul(self.part_size)?;
        let rest = self.size.checked_sub(before).filter(|rest| *rest > 0)?;
        Some(rest.min(self.part_size))
    }

    /// What a request of Uppy's would do, if this key may do it.
    fn asked<'a>(&self, key: &Thumbprint, request: &'a SignIn) -> Result<Asked<'a>> {
        if *key != self.creator {
            return Err(ErrorCode::WrongKey.into());
        }
        if request.key != self.key() {
            return Err(malformed("key is not the one of this upload"));
        }
        let kind = request.content_type.as_deref();
        if kind.is_some_and(|kind| kind != MEDIA_TYPE) {
            return Err(malformed(
                "contentType of a satchel is application/vnd.satchel",
            ));
        }
        let upload_id = request.upload_id.as_deref();
        if !upload_id.is_none_or(is_upload_id) {
            return Err(malformed("uploadId is not one of the storage's"));
        }
        let numbers = request.part_numbers.as_deref();
        let one = request.part_number;
        let asked = match (request.method.as_str(), upload_id, one, numbers) {
            ("POST", None, None, None) => Asked::Create,
            ("PUT", Some(id), Some(number), None) => Asked::Part(id, number),
            ("PUT", Some(id), None, Some(numbers)) => Asked::Parts(id, numbers),
            ("POST", Some(id), None, None) => Asked::Complete(id),
            ("DELETE", Some(id), None, None) => Asked::Abort(id),
            ("GET", Some(id), None, None) => Asked::List(id),
            ("PUT", None, ..) => {
                return Err(malformed("satchels are sent in parts: shouldUseMultipart"));
            }
            _ => return Err(malformed("not one of the requests of an upload")),
        };
        self.check_numbers(&asked)?;
        self.check_sent(&asked, request.sent.as_deref())?;
        Ok(asked)
    }

    fn check_numbers(&self, asked: &Asked<'_>) -> Result<()> {
        let one;
        let numbers = match asked {
            Asked::Part(_, number) => {
                one = [*number];
                &one[..]
            }
            Asked::Parts(_, numbers) => numbers,
            _ => return Ok(()),
        };
        if !(1..=MAX_SIGNED_PARTS).contains(&numbers.len()) {
            let what = format!("partNumbers are 1 to {MAX_SIGNED_PARTS} at once");
            return Err(malformed(what));
        }
        if numbers.iter().all(|n| self.part_bytes(*n).is_some()) {
            Ok(())
        } else {
            Err(malformed(format!("partNumber is 1 to {} here", self.parts)))
        }
    }

    /// A report that can't be true is refused as a whole. One that can, but isn't, harms only who
    /// made it: the storage compares each `ETag` before it puts the parts together.
    fn check_sent(&self, asked: &Asked<'_>, sent: Option<&[SentPart]>) -> Result<()> {
        let Some(sent) = sent else { return Ok(()) };
        if *asked == Asked::Create {
            return Err(malformed("sent belongs to a multipart upload"));
        }
        let plain =
            |part: &SentPart| self.part_bytes(part.part_number).is_some() && is_etag(&part.etag);
        if sent.len() <= MAX_SENT_PARTS && sent.iter().all(plain) {
            Ok(())
        } else {
            let what = format!(
                "sent are at most {MAX_SENT_PARTS} parts, each with its number, 1 to {}, and its ETag without quotes",
                self.parts
            );
            Err(malformed(what))
        }
    }

    /// What the upload's object has to learn from this request: nothing, mostly.
    fn change(&self, asked: &Asked<'_>, request: &SignIn, now_s: u64) -> Change {
        let sent = request.sent.clone().unwrap_or_default();
        let idle_s = self.idle_s.unwrap_or(IDLE_S);
        let prolonged = now_s
            .saturating_add(idle_s)
            .min(self.latest.unwrap_or(self.expires));
        let is_part = matches!(asked, Asked::Part(..) | Asked::Parts(..));
        let known = request.upload_id.as_deref().map(|id| self.multipart(id));
        let aborted =
            matches!(asked, Asked::Abort(_)) && known.flatten().is_none_or(|known| !known.aborted);
        let is_new = known.is_some_and(|known| known.is_none());
        Change {
            upload_id: request
                .upload_id
                .clone()
                .filter(|_| is_new || aborted || !sent.is_empty()),
            aborted,
            completing: matches!(asked, Asked::Complete(_)) && self.completing != Some(true),
            expires: Some(prolonged)
                .filter(|at| is_part && *at > self.expires.saturating_add(idle_s / PROLONGED)),
            ended: None,
            sent,
        }
    }

    /// Applies what is new, or refuses it.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<()> {
        if let Some(id) = &change.upload_id {
            let known = self.multiparts.get_or_insert_default();
            let place = known.iter().position(|multipart| multipart.id == *id);
            if place.is_none() && known.len() >= MAX_MULTIPARTS {
                let what =
                    format!("{MAX_MULTIPARTS} multipart uploads were begun: begin another upload");
                return Err(ApiError::new(ErrorCode::TooMany, what).retry_after(IDLE_S));
            }
            match place.and_then(|place| known.get_mut(place)) {
                Some(multipart) => multipart.aborted |= change.aborted,
                None => known.push(Multipart {
                    id: id.clone(),
                    aborted: change.aborted,
                }),
            }
        }
        if change.completing {
            self.completing = Some(true);
        }
        self.expires = change.expires.unwrap_or(0).max(self.expires);
        self.ended = self.ended.or(change.ended);
        Ok(())
    }

    /// Addresses of parts, if those are asked for.
    fn parts_signed(
        &self,
        storage: &Storage,
        asked: &Asked<'_>,
        now_s: u64,
        life_s: Option<u64>,
    ) -> Result<Option<Signed>> {
        let one;
        let (upload_id, numbers) = match *asked {
            Asked::Part(upload_id, number) => {
                one = [number];
                (upload_id, &one[..])
            }
            Asked::Parts(upload_id, numbers) => (upload_id, numbers),
            _ => return Ok(None),
        };
        let part = |n: &u32| Some((*n, self.part_bytes(*n)?));
        let parts: Option<Vec<_>> = numbers.iter().map(part).collect();
        let parts = parts.ok_or(ErrorCode::Internal)?;
        let mut urls = storage.presign_parts(upload_id, &parts, &self.key(), now_s, life_s)?;
        if matches!(asked, Asked::Parts(..)) {
            return Ok(Some(Signed::Parts(SignPartsOut { urls })));
        }
        let url = urls.pop().ok_or(ErrorCode::Internal)?;
        Ok(Some(Signed::One(SignOut {
            url,
            key: None,
            headers: BTreeMap::new(),
        })))
    }

    async fn answer(
        &self,
        world: &impl World,
        id: &UploadId,
        asked: &Asked<'_>,
        life_s: Option<u64>,
    ) -> Result<Signed> {
        let storage = world.storage()?;
        let (key, now) = (self.key(), world.now_s());
        let one = |step| storage.presign(&step, &key, now, life_s);
        if let Some(signed) = self.parts_signed(&storage, asked, now, life_s)? {
            return Ok(signed);
        }
        Ok(match *asked {
            Asked::Create => Signed::One(one(Step::Create)?),
            Asked::Part(..) | Asked::Parts(..) => return Err(ErrorCode::Internal.into()),
            Asked::Complete(upload_id) => Signed::One(one(Step::Complete { upload_id })?),
            Asked::Abort(upload_id) => Signed::One(one(Step::Abort { upload_id })?),
            Asked::List(upload_id) => Signed::List(SignListOut {
                url: parts::list_url(world, id, upload_id)?,
                sent: parts::sent(world, id, self, upload_id).await?,
            }),
        })
    }
}

fn is_upload_id(text: &str) -> bool {
    (1..=MAX_UPLOAD_ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What can stand in XML as it is.
pub(crate) fn is_etag(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"&<>'".contains(&b);
    (1..=MAX_ETAG_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

/// Equal parts, so large that there are at most [`MAX_PARTS`]: whole MiB, at least 8.
fn part_size(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS)
        .div_ceil(MIB)
        .saturating_mul(MIB)
        .max(MIN_PART_BYTES)
}

#[cfg(test)]
mod tests;

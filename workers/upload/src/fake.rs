//! A world in memory, and documents to send into it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use satchel_crypto::{
    Key32, b64,
    ed25519::{SigningKey, at_once},
    jws,
};
use satchel_domain::{
    id::{AccountId, Digest, Thumbprint, UploadId, WorkId},
    ledger::LedgerId,
    terms::{Terms, Use},
    work::WorkState,
};
use satchel_edge::Piece;
use satchel_format::manifest::PROTECTED_HEADER;
use satchel_wire::{
    ErrorCode, Result,
    api::{Record, SentPart},
    command,
    internal::{Offered, PublishWork, RegisterWork, Registered, WorkSnapshot},
    jose::{self, Jwk},
};
use serde_json::{Value, json};

use crate::{
    s3::{Storage, Style},
    shop::Told,
    sigv4::Credentials,
    uploads::{Change, IDLE_S, Limits, MAX_PACKED_BYTES, Upload},
    world::World,
};

pub(crate) const NOW_S: u64 = 1_800_000_000;
const ISSUER: &str = "https://satchel.example";
const NONCE: [u8; 16] = [7; 16];

/// Runs a future that never waits for anything.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    at_once(future).expect("a fake never waits")
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([n; 32]))
}

pub(crate) fn jwk(n: u8) -> Jwk {
    Jwk::of(&key(n).public())
}

pub(crate) fn thumbprint(n: u8) -> Thumbprint {
    Thumbprint::parse(&key(n).public().jkt()).unwrap()
}

fn work_of(n: u8) -> WorkId {
    command::work_id(&key(n).public(), &NONCE).unwrap()
}

/// The work of key 1.
pub(crate) fn work() -> WorkId {
    work_of(1)
}

pub(crate) fn command(n: u8, own: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "aud": ISSUER, "creator": jwk(n), "work": work(), "work_nonce": b64::encode(&NONCE),
        "iat": NOW_S - 1, "exp": NOW_S + 600,
    });
    claims
        .as_object_mut()
        .unwrap()
        .append(&mut own.as_object().unwrap().clone());
    change(&mut claims);
    let kid = key(n).public().jkt();
    jose::sign(&key(n), command::TYP, Some(&kid), None, &claims).unwrap()
}

pub(crate) fn register_command(change: impl FnOnce(&mut Value)) -> String {
    let own = json!({
        "cmd": "register", "title": "Tide", "media_type": "audio/mpeg", "payee": thumbprint(3),
        "terms": {"pay_more": false, "usd_micros": 500_000, "use": "download"},
    });
    command(1, &own, change)
}

pub(crate) fn upload_command(n: u8, version: u32, size: u64) -> String {
    command(
        n,
        &json!({"cmd": "upload", "version": version, "size": size}),
        |_| (),
    )
}

pub(crate) fn publish_command(manifest: &str, change: impl FnOnce(&mut Value)) -> String {
    let own = json!({
        "cmd": "publish", "version": 1, "manifest": manifest,
        "terms": {"pay_more": false, "usd_micros": 600_000, "use": "download"},
    });
    command(1, &own, change)
}

pub(crate) fn update_command(change: impl FnOnce(&mut Value)) -> String {
    let own = json!({
        "cmd": "update", "title": "Ebb",
        "terms": {"pay_more": true, "usd_micros": 700_000, "use": "download"},
        "splits": [{"account": thumbprint(4), "bps": 2_500}],
        "listing": {"description": "At sea", "suggest": [800_000]},
    });
    command(1, &own, change)
}

pub(crate) fn state_command(state: &str) -> String {
    command(1, &json!({"cmd": "set_state", "state": state}), |_| ())
}

/// The manifest of a work of key `n`.
pub(crate) fn manifest_of(n: u8) -> Value {
    json!({
        "v": 1, "work": work_of(n), "work_nonce": b64::encode(&NONCE), "version": 1,
        "creator": jwk(n), "issuer": ISSUER, "title": "Tide", "name": "tide.mp3",
        "media_type": "audio/mpeg", "size": 3,
        "terms": {"pay_more": false, "usd_micros": 500_000, "use": "download"},
        "segments": 1, "body_size": 75, "table_digest": b64::encode(&[3; 32]),
        "merkle_root": b64::encode(&[4; 32]), "key_commitment": b64::encode(&[5; 32]),
        "created": NOW_S,
    })
}

pub(crate) fn manifest() -> Value {
    manifest_of(1)
}

pub(crate) fn sign_manifest(n: u8, members: &Value) -> String {
    jws::sign(&key(n), PROTECTED_HEADER, members.to_string().as_bytes())
}

#[derive(Default)]
pub(crate) struct Fake(RefCell<State>);

#[derive(Default)]
struct State {
    record: Option<Record>,
    registered: Option<RegisterWork>,
    published: Option<PublishWork>,
    stored: HashMap<String, Piece>,
    uploads: HashMap<UploadId, Upload>,
    sent: BTreeMap<(String, u32), String>,
    later_s: u64,
    outside: Vec<(u16, Vec<u8>)>,
    asked_outside: Vec<String>,
    told: Vec<(String, Told)>,
}

impl Fake {
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// With the work of key 1, published up to `version`.
    pub(crate) fn with_work(version: u32) -> Self {
        let fake = Self::empty();
        fake.0.borrow_mut().record = Some(Record {
            work: work(),
            state: if version == 0 {
                WorkState::Draft
            } else {
                WorkState::Published
            },
            creator: jwk(1),
            title: "Tide".into(),
            media_type: "audio/mpeg".into(),
            terms: Terms {
                giveaway: None,
                limit: None,
                pay_more: false,
                usd_micros: 500_000,
                usage: Use::Download,
            },
            terms_digest: Digest::parse(&b64::encode(&[0; 32])).unwrap(),
            version,
            versions: Vec::new(),
            stock: None,
            listing: None,
            ledger: LedgerId::Test,
        });
        fake
    }

    pub(crate) fn with_state(state: WorkState) -> Self {
        let fake = Self::with_work(1);
        fake.0.borrow_mut().record.as_mut().unwrap().state = state;
        fake
    }

    pub(crate) fn set_version(&self, version: u32) {
        self.0.borrow_mut().record.as_mut().unwrap().version = version;
    }

    /// Puts the front of a file of `total` bytes into the bucket.
    pub(crate) fn store(&self, key: &str, bytes: Vec<u8>, total: u64) {
        self.0
            .borrow_mut()
            .stored
            .insert(key.to_owned(), Piece { total, bytes });
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: u64) {
        self.0.borrow_mut().later_s += seconds;
    }

    /// What the object storage answers next; 501 where nothing is left.
    pub(crate) fn will_answer(&self, status: u16, body: &str) {
        let answer = (status, body.as_bytes().to_vec());
        self.0.borrow_mut().outside.insert(0, answer);
    }

    /// What the object storage was asked: method, path and query up to the signature's part.
    pub(crate) fn asked_outside(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked_outside)
    }

    pub(crate) fn record(&self) -> Record {
        self.0.borrow().record.clone().unwrap()
    }

    /// What the shop was told, oldest first.
    pub(crate) fn told(&self) -> Vec<(String, Told)> {
        self.0.borrow().told.clone()
    }

    pub(crate) fn registered(&self) -> Option<RegisterWork> {
        self.0.borrow().registered.clone()
    }

    pub(crate) fn published(&self) -> Option<PublishWork> {
        self.0.borrow().published.clone()
    }
}

impl World for Fake {
    fn issuer(&self) -> &'static str {
        ISSUER
    }

    fn now_s(&self) -> u64 {
        NOW_S + self.0.borrow().later_s
    }

    fn random(&self) -> Result<[u8; 20]> {
        Ok([9; 20])
    }

    fn limits(&self) -> Result<Limits> {
        Ok(Limits {
            most: MAX_PACKED_BYTES,
            idle_s: IDLE_S,
        })
    }

    fn storage(&self) -> Result<Rc<Storage>> {
        let credentials = Credentials {
            access_key_id: "id".into(),
            secret_access_key: "secret".into(),
            region: "auto".into(),
            session_token: None,
        };
        let endpoint = "http://127.0.0.1:9000/s3";
        Ok(Rc::new(
            Storage::new(endpoint, "files", Style::Path, credentials).unwrap(),
        ))
    }

    async fn snapshot(&self, work: &WorkId) -> Result<WorkSnapshot> {
        let record = self
            .0
            .borrow()
            .record
            .clone()
            .filter(|record| record.work == *work);
        let record = record.ok_or(ErrorCode::UnknownWork)?;
        let payee = AccountId::parse(thumbprint(3).as_str()).unwrap();
        Ok(WorkSnapshot {
            record,
            payee,
            keys: Vec::new(),
            slots: None,
            splits: None,
        })
    }

    async fn register(&self, _: &WorkId, details: &RegisterWork) -> Result<Registered> {
        self.0.borrow_mut().registered = Some(details.clone());
        Ok(Registered {
            created: true,
            record: Self::with_work(0).record(),
        })
    }

    async fn publish(&self, _: &WorkId, version: &PublishWork) -> Result<Record> {
        self.0.borrow_mut().published = Some(version.clone());
        Ok(self.record())
    }

    async fn offer(&self, work: &WorkId, offered: Offered) -> Result<Record> {
        let mut state = self.0.borrow_mut();
        let record = state.record.as_mut().filter(|record| record.work == *work);
        let record = record.ok_or(ErrorCode::UnknownWork)?;
        record.state = if offered.on_sale {
            WorkState::Published
        } else {
            WorkState::Unpublished
        };
        Ok(record.clone())
    }

    async fn tell(&self, creator: &str, told: &Told) -> Result<()> {
        self.0
            .borrow_mut()
            .told
            .push((creator.to_owned(), told.clone()));
        // Whatever a shop answers, the ledger has decided.
        Err(ErrorCode::Unavailable.into())
    }

    async fn packed(&self, key: &str, first: u64, last: u64) -> Result<Option<Piece>> {
        let piece = self.0.borrow().stored.get(key).cloned();
        Ok(piece.map(|mut piece| {
            piece.bytes.truncate(usize::try_from(last + 1).unwrap());
            piece
                .bytes
                .drain(..usize::try_from(first).unwrap().min(piece.bytes.len()));
            piece
        }))
    }

    async fn keep(&self, id: &UploadId, upload: &Upload) -> Result<()> {
        self.0
            .borrow_mut()
            .uploads
            .insert(id.clone(), upload.clone());
        Ok(())
    }

    async fn upload(&self, id: &UploadId) -> Result<Upload> {
        Ok(self
            .0
            .borrow()
            .uploads
            .get(id)
            .cloned()
            .ok_or(ErrorCode::UnknownUpload)?)
    }

    async fn change(&self, id: &UploadId, change: &Change) -> Result<Upload> {
        let mut state = self.0.borrow_mut();
        let upload = state.uploads.get_mut(id).ok_or(ErrorCode::UnknownUpload)?;
        upload.apply(change)?;
        let upload = upload.clone();
        for part in &change.sent {
            let place = (change.upload_id.clone().unwrap(), part.part_number);
            state.sent.insert(place, part.etag.clone());
        }
        Ok(upload)
    }

    async fn sent(&self, _: &UploadId, upload_id: &str) -> Result<Vec<SentPart>> {
        let state = self.0.borrow();
        let of_it = state.sent.iter().filter(|((of, _), _)| of == upload_id);
        let part = |((_, number), etag): (&(String, u32), &String)| SentPart {
            part_number: *number,
            etag: etag.clone(),
        };
        Ok(of_it.map(part).collect())
    }

    async fn outside(&self, method: &str, url: &str) -> Result<(u16, Vec<u8>)> {
        let mut state = self.0.borrow_mut();
        let place = url.split("&X-Amz-").next().unwrap();
        let own: Vec<&str> = url
            .split('&')
            .filter(|pair| !pair.contains("X-Amz-"))
            .collect();
        let path = place.split('?').next().unwrap();
        state
            .asked_outside
            .push(format!("{method} {path} {}", own.join("&")));
        match state.outside.pop() {
            Some((0, _)) => Err(ErrorCode::Unavailable.into()),
            Some(answer) => Ok(answer),
            None => Ok((501, Vec::new())),
        }
    }
}

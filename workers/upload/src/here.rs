//! The real [`World`]: this worker's bindings, variables and clock.

use std::{cell::OnceCell, rc::Rc};

use satchel_domain::id::{UploadId, WorkId};
use satchel_edge::{
    Env, Piece, Settings, TtlCache, ask_outside, internal, now_ms, now_s, object, random, service,
};
use satchel_wire::{
    Result,
    api::{Done, Record, SentPart},
    internal::{Offered, PublishWork, RegisterWork, Registered, WorkSnapshot},
};

use crate::{
    s3::{Storage, Style},
    shop::Told,
    sigv4::Credentials,
    uploads::{Change, IDLE_S, Limits, MAX_PACKED_BYTES, Upload},
    world::World,
};

thread_local! {
    /// The same for every request: a new configuration comes with a new isolate.
    static STORAGE: OnceCell<Rc<Storage>> = const { OnceCell::new() };
    /// Uploads that were asked for lately: a client asks for part after part. What is old in it is
    /// only that an upload has ended meanwhile, and then the storage refuses what was signed.
    static UPLOADS: TtlCache<Upload> = TtlCache::new(20_000, 1_000);
}

fn configured(env: &Env) -> Result<Storage> {
    let settings = Settings::of(env);
    let credentials = Credentials {
        access_key_id: settings.var("S3_ACCESS_KEY_ID")?,
        secret_access_key: settings.var("S3_SECRET_ACCESS_KEY")?,
        region: settings.var("S3_REGION")?,
        session_token: settings.optional("S3_SESSION_TOKEN"),
    };
    let (endpoint, bucket) = (settings.var("S3_ENDPOINT")?, settings.var("S3_BUCKET")?);
    let style = settings.optional("S3_STYLE");
    let style = style.map_or(Some(Style::Path), |style| Style::parse(&style));
    let style = style.ok_or_else(|| internal("S3_STYLE is path or virtual"))?;
    Storage::new(&endpoint, &bucket, style, credentials)
        .ok_or_else(|| internal("S3_ENDPOINT and S3_BUCKET make no address"))
}

/// This worker, during one request.
pub(crate) struct Here<'a> {
    env: &'a Env,
    issuer: String,
}

impl<'a> Here<'a> {
    pub(crate) fn of(env: &'a Env) -> Result<Self> {
        Ok(Self {
            env,
            issuer: Settings::of(env).issuer()?,
        })
    }
}

/// What is at hand of an upload that was asked for lately, without asking anybody.
pub(crate) fn at_hand(id: &str) -> Option<(Upload, Rc<Storage>)> {
    let upload = UPLOADS.with(|known| known.get(id, now_ms()))?;
    let storage = STORAGE.with(|known| known.get().map(Rc::clone))?;
    Some((upload, storage))
}

impl World for Here<'_> {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn now_s(&self) -> u64 {
        now_s()
    }

    fn random(&self) -> Result<[u8; 20]> {
        random()
    }

    fn limits(&self) -> Result<Limits> {
        let settings = Settings::of(self.env);
        let or = |name, unset| match settings.optional(name) {
            Some(_) => settings.number(name),
            None => Ok(unset),
        };
        Ok(Limits {
            most: or("MAX_PACKED_BYTES", MAX_PACKED_BYTES)?,
            idle_s: or("UPLOAD_IDLE_S", IDLE_S)?,
        })
    }

    fn storage(&self) -> Result<Rc<Storage>> {
        STORAGE.with(|known| {
            if let Some(storage) = known.get() {
                return Ok(Rc::clone(storage));
            }
            let storage = Rc::new(configured(self.env)?);
            Ok(Rc::clone(known.get_or_init(|| storage)))
        })
    }

    async fn snapshot(&self, work: &WorkId) -> Result<WorkSnapshot> {
        service(self.env, "LEDGER")?
            .get(&format!("/internal/works/{work}"))
            .await
    }

    async fn register(&self, work: &WorkId, details: &RegisterWork) -> Result<Registered> {
        let path = format!("/internal/works/{work}/register");
        service(self.env, "LEDGER")?.post(&path, details).await
    }

    async fn publish(&self, work: &WorkId, version: &PublishWork) -> Result<Record> {
        let path = format!("/internal/works/{work}/publish");
        service(self.env, "LEDGER")?.post(&path, version).await
    }

    async fn offer(&self, work: &WorkId, offered: Offered) -> Result<Record> {
        let path = format!("/internal/works/{work}/offered");
        service(self.env, "LEDGER")?.post(&path, &offered).await
    }

    async fn tell(&self, creator: &str, told: &Told) -> Result<()> {
        let shop = object(self.env, "SHOP", creator)?;
        shop.post::<_, Done>("/told", told).await?;
        Ok(())
    }

    async fn packed(&self, key: &str, first: u64, last: u64) -> Result<Option<Piece>> {
        service(self.env, "FILES")?
            .bytes(&format!("/f/{key}"), first, last)
            .await
    }

    async fn keep(&self, id: &UploadId, upload: &Upload) -> Result<()> {
        object(self.env, "UPLOAD", id.as_str())?
            .post::<_, Done>("/", upload)
            .await?;
        Ok(())
    }

    async fn upload(&self, id: &UploadId) -> Result<Upload> {
        if let Some(known) = UPLOADS.with(|known| known.get(id.as_str(), now_ms())) {
            return Ok(known);
        }
        let upload: Upload = object(self.env, "UPLOAD", id.as_str())?.get("/").await?;
        UPLOADS.with(|known| known.put(id.as_str(), upload.clone(), now_ms()));
        Ok(upload)
    }

    async fn change(&self, id: &UploadId, change: &Change) -> Result<Upload> {
        let object = object(self.env, "UPLOAD", id.as_str())?;
        let upload: Upload = object.post("/change", change).await?;
        UPLOADS.with(|known| known.put(id.as_str(), upload.clone(), now_ms()));
        Ok(upload)
    }

    async fn sent(&self, id: &UploadId, upload_id: &str) -> Result<Vec<SentPart>> {
        let of = Change {
            upload_id: Some(upload_id.to_owned()),
            ..Change::default()
        };
        object(self.env, "UPLOAD", id.as_str())?
            .post("/sent", &of)
            .await
    }

    async fn outside(&self, method: &str, url: &str) -> Result<(u16, Vec<u8>)> {
        ask_outside(method, url).await
    }
}

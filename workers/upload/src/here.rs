//! The real [`World`]: this worker's bindings, variables and clock.

use satchel_domain::id::{UploadId, WorkId};
use satchel_edge::{Env, Piece, Settings, internal, now_s, object, random, service};
use satchel_wire::{
    Result,
    api::{Done, Record},
    internal::{Offered, PublishWork, RegisterWork, Registered, WorkSnapshot},
};

use crate::{
    s3::Storage,
    shop::Told,
    sigv4::Credentials,
    uploads::{MAX_PACKED_BYTES, Upload},
    world::World,
};

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

    fn max_packed_bytes(&self) -> Result<u64> {
        let settings = Settings::of(self.env);
        match settings.optional("MAX_PACKED_BYTES") {
            Some(_) => settings.number("MAX_PACKED_BYTES"),
            None => Ok(MAX_PACKED_BYTES),
        }
    }

    fn storage(&self) -> Result<Storage> {
        let settings = Settings::of(self.env);
        let credentials = Credentials {
            access_key_id: settings.var("S3_ACCESS_KEY_ID")?,
            secret_access_key: settings.var("S3_SECRET_ACCESS_KEY")?,
            region: settings.var("S3_REGION")?,
        };
        let (endpoint, bucket) = (settings.var("S3_ENDPOINT")?, settings.var("S3_BUCKET")?);
        Storage::new(&endpoint, &bucket, credentials)
            .ok_or_else(|| internal("S3_ENDPOINT and S3_BUCKET make no address"))
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
        object(self.env, "UPLOAD", id.as_str())?.get("/").await
    }
}

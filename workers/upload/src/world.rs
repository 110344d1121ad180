//! What the use cases need from outside. The real one is [`crate::here::Here`]; tests have one in
//! memory.

use std::rc::Rc;

use satchel_domain::id::{UploadId, WorkId};
use satchel_edge::Piece;
use satchel_wire::{
    Result,
    api::{Record, SentPart},
    internal::{Offered, PublishWork, RegisterWork, Registered, WorkSnapshot},
};

use crate::{
    s3::Storage,
    shop::Told,
    uploads::{Change, Limits, Upload},
};

/// Clock, randomness, configuration, the ledger, the packed files, the upload objects.
pub(crate) trait World {
    /// The public origin.
    fn issuer(&self) -> &str;
    /// Unix seconds.
    fn now_s(&self) -> u64;
    /// Fresh randomness for an id.
    fn random(&self) -> Result<[u8; 20]>;
    /// What is taken here.
    fn limits(&self) -> Result<Limits>;
    /// The object storage.
    fn storage(&self) -> Result<Rc<Storage>>;

    /// The ledger's snapshot of a work.
    async fn snapshot(&self, work: &WorkId) -> Result<WorkSnapshot>;
    /// Registers it with the ledger.
    async fn register(&self, work: &WorkId, details: &RegisterWork) -> Result<Registered>;
    /// Publishes a version with the ledger, or changes how the work is offered.
    async fn publish(&self, work: &WorkId, version: &PublishWork) -> Result<Record>;
    /// Takes it off sale or puts it back.
    async fn offer(&self, work: &WorkId, offered: Offered) -> Result<Record>;
    /// Tells a creator's shop of a work.
    async fn tell(&self, creator: &str, told: &Told) -> Result<()>;
    /// Bytes of a packed file, from `first` up to and with byte `last`.
    async fn packed(&self, key: &str, first: u64, last: u64) -> Result<Option<Piece>>;
    /// Keeps a new upload.
    async fn keep(&self, id: &UploadId, upload: &Upload) -> Result<()>;
    /// An upload that was kept, `unknown_upload` where there is none; up to 20 s old.
    async fn upload(&self, id: &UploadId) -> Result<Upload>;
    /// Changes it; gives what it is then.
    async fn change(&self, id: &UploadId, change: &Change) -> Result<Upload>;
    /// What its client has told of parts that arrived.
    async fn sent(&self, id: &UploadId, upload_id: &str) -> Result<Vec<SentPart>>;
    /// Asks the object storage, without a body; gives status and body.
    async fn outside(&self, method: &str, url: &str) -> Result<(u16, Vec<u8>)>;
}

//! The object `Upload`, one per upload: keeps its plan and what is known of its parts until it ends,
//! throws away what is left of it in the storage then, and forgets it a month later.

use satchel_edge::{Sql, Write, commit, internal, json, now_ms, rearm, serve_object};
use satchel_wire::{
    ErrorCode, Result,
    api::{Done, SentPart},
};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    ending::{self, Next},
    here::Here,
    uploads::{Change, Upload as Kept},
};

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS upload (id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL)";
const CREATE_PARTS: &str = "CREATE TABLE IF NOT EXISTS part (upload_id TEXT, number INTEGER, \
     etag TEXT NOT NULL, PRIMARY KEY (upload_id, number)) WITHOUT ROWID";
const PUT: &str = "INSERT OR REPLACE INTO upload (id, plan) VALUES (1, ?)";
const PUT_PART: &str = "INSERT OR REPLACE INTO part (upload_id, number, etag) VALUES (?, ?, ?)";
const PARTS: &str = "SELECT number, etag FROM part WHERE upload_id = ? ORDER BY number";
/// Until something that failed here is tried again, milliseconds.
const RETRY_MS: u64 = 3_600_000;

/// An upload.
#[durable_object(alarm)]
pub struct Upload {
    state: State,
    env: Env,
}

impl DurableObject for Upload {
    /// Makes no table: anybody may ask for any id, and only an upload that was begun takes space.
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("POST", "/") => {
                    let upload: Kept = call.json().await?;
                    let alarm = upload.expires.saturating_mul(1000);
                    commit(&self.state, vec![made(), put(&upload)?], Some(alarm)).await?;
                    json(&Done { done: true })
                }
                ("GET", "/") => json(&self.find()?),
                ("POST", "/change") => json(&self.change(&call.json().await?).await?),
                ("POST", "/sent") => json(&self.sent(&call.json().await?)?),
                _ => Err(call.refuse(&["GET", "POST"])),
            }
        })
        .await
    }

    /// Never fails, as an alarm that does so too often is lost.
    async fn alarm(&self) -> worker::Result<Response> {
        if let Err(error) = self.due().await {
            let _ = internal(error.code.as_str());
            let _ = rearm(&self.state, now_ms().saturating_add(RETRY_MS)).await;
        }
        Response::ok("")
    }
}

fn made() -> Write {
    Write::new(CREATE, Vec::new())
}

fn put(upload: &Kept) -> Result<Write> {
    let plan = satchel_json::to_string(upload).map_err(internal)?;
    Ok(Write::new(PUT, vec![plan.into()]))
}

impl Upload {
    fn has(&self, table: &str) -> Result<bool> {
        let query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
        Ok(Sql::of(&self.state)
            .row(query, vec![table.into()])?
            .is_some())
    }

    fn find(&self) -> Result<Kept> {
        if !self.has("upload")? {
            return Err(ErrorCode::UnknownUpload.into());
        }
        let row = Sql::of(&self.state).row("SELECT plan FROM upload WHERE id = 1", Vec::new())?;
        row.ok_or(ErrorCode::UnknownUpload)?.json(0)
    }

    async fn change(&self, change: &Change) -> Result<Kept> {
        let mut upload = self.find()?;
        upload.apply(change)?;
        let mut writes = vec![put(&upload)?];
        if let Some(id) = change
            .upload_id
            .as_ref()
            .filter(|_| !change.sent.is_empty())
        {
            writes.push(Write::new(CREATE_PARTS, Vec::new()));
            for SentPart { part_number, etag } in &change.sent {
                let number = u64::from(*part_number);
                let values = vec![id.clone().into(), number.into(), etag.clone().into()];
                writes.push(Write::new(PUT_PART, values));
            }
        }
        commit(&self.state, writes, None).await?;
        Ok(upload)
    }

    fn sent(&self, of: &Change) -> Result<Vec<SentPart>> {
        if !self.has("part")? {
            return Ok(Vec::new());
        }
        let id = of.upload_id.clone().unwrap_or_default();
        let rows = Sql::of(&self.state).rows(PARTS, vec![id.into()])?;
        let part = |row: &satchel_edge::Row| {
            Ok(SentPart {
                part_number: u32::try_from(row.int(0)?).map_err(internal)?,
                etag: row.text(1)?.to_owned(),
            })
        };
        rows.iter().map(part).collect()
    }

    async fn due(&self) -> Result<()> {
        let found = match self.find() {
            Err(error) if error.code == ErrorCode::UnknownUpload => None,
            found => Some(found?),
        };
        let Some(upload) = found else {
            return self.forget().await;
        };
        match ending::due(&Here::of(&self.env)?, upload.clone()).await {
            Next::Forget => self.forget().await,
            // Somebody changed it while the storage was asked: look again.
            Next::At(..) if self.find()? != upload => {
                rearm(&self.state, now_ms().saturating_add(RETRY_MS)).await
            }
            Next::At(at, upload) => {
                commit(&self.state, vec![put(&upload)?], None).await?;
                rearm(&self.state, at.saturating_mul(1000)).await
            }
        }
    }

    async fn forget(&self) -> Result<()> {
        self.state.storage().delete_all().await.map_err(internal)
    }
}

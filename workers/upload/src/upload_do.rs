//! The object `Upload`, one per upload: keeps its plan until it expires, then forgets it.

use satchel_edge::{Sql, Write, commit, internal, json, rearm, serve_object};
use satchel_wire::{ErrorCode, Result, api::Done};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::uploads::Upload as Kept;

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS upload (id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL)";
/// Until a failed clean-up is tried again, milliseconds.
const RETRY_MS: u64 = 3_600_000;

/// An upload.
#[durable_object(alarm)]
pub struct Upload {
    state: State,
}

impl DurableObject for Upload {
    /// Makes no table: anybody may ask for any id, and only an upload that was begun takes space.
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match call.method() {
                "POST" => {
                    self.keep(&call.json().await?).await?;
                    json(&Done { done: true })
                }
                "GET" => json(&self.find()?.ok_or(ErrorCode::UnknownUpload)?),
                _ => Err(call.refuse(&["GET", "POST"])),
            }
        })
        .await
    }

    /// After the upload's time: forgets it. Never fails, as an alarm that does so too often is lost.
    async fn alarm(&self) -> worker::Result<Response> {
        if let Err(error) = self.state.storage().delete_all().await {
            let _ = internal(error);
            let _ = rearm(&self.state, satchel_edge::now_ms().saturating_add(RETRY_MS)).await;
        }
        Response::ok("")
    }
}

impl Upload {
    async fn keep(&self, upload: &Kept) -> Result<()> {
        let plan = satchel_json::to_string(upload).map_err(internal)?;
        let writes = vec![
            Write::new(CREATE, Vec::new()),
            Write::new(
                "INSERT INTO upload (id, plan) VALUES (1, ?)",
                vec![plan.into()],
            ),
        ];
        commit(
            &self.state,
            writes,
            Some(upload.expires.saturating_mul(1000)),
        )
        .await
    }

    fn find(&self) -> Result<Option<Kept>> {
        let sql = Sql::of(&self.state);
        let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'upload'";
        if sql.row(table, Vec::new())?.is_none() {
            return Ok(None);
        }
        let row = sql.row("SELECT plan FROM upload WHERE id = 1", Vec::new())?;
        row.map(|row| row.json(0)).transpose()
    }
}

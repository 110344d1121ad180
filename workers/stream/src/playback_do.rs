//! The object `Playback`, one per purchase: reads the state, lets [`crate::playback`] decide, and
//! writes it back in one statement. Its alarm tells the work's counter what was played.

use satchel_edge::{
    Sql, Write, commit, internal, json, log, now_ms, object, random, rearm, serve_object,
};
use satchel_wire::{Result, api::Done};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    playback::Playback as Sessions,
    remembered::{Released, Seen},
};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS playback \
    (id INTEGER PRIMARY KEY CHECK (id = 1), head TEXT NOT NULL, released BLOB NOT NULL, seen BLOB NOT NULL)";
const READ: &str = "SELECT head, released, seen FROM playback WHERE id = 1";
const WRITE: &str =
    "INSERT OR REPLACE INTO playback (id, head, released, seen) VALUES (1, ?, ?, ?)";
/// How soon counts that did not arrive are sent again.
const AGAIN_MS: u64 = 300_000;

/// The streaming state of a purchase.
#[durable_object(alarm)]
pub struct Playback {
    state: State,
    sql: Sql,
    env: Env,
}

impl DurableObject for Playback {
    fn new(state: State, env: Env) -> Self {
        let sql = Sql::of(&state);
        // Only purchases with a receipt get here. A failure is logged, and shows at the first read.
        let _ = sql.run(CREATE, Vec::new());
        Self { state, sql, env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            // Nothing is awaited between reading and writing, and an error writes nothing.
            match (call.method(), call.path()) {
                ("POST", "/open") => {
                    let open = call.json().await?;
                    let mut playback = self.load()?;
                    let allowance = playback.open(open, now_ms())?;
                    self.store(&playback).await?;
                    json(&allowance)
                }
                ("POST", "/ask") => {
                    let ask = call.json().await?;
                    let mut playback = self.load()?;
                    let answer = playback.ask(ask, now_ms())?;
                    if answer.is_some() {
                        self.store(&playback).await?;
                    }
                    json(&answer)
                }
                _ => Err(call.refuse(&[])),
            }
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        if let Err(error) = self.tell().await {
            log("warn", "plays", &error.code.as_str());
            let again = rearm(&self.state, now_ms().saturating_add(AGAIN_MS)).await;
            again.map_err(|_| worker::Error::from("the alarm could not be armed"))?;
        }
        Response::empty()
    }
}

impl Playback {
    /// Tells the work's counter what was played, under a random name.
    async fn tell(&self) -> Result<()> {
        let name = satchel_crypto::b64::encode(&random::<16>()?);
        let mut playback = self.load()?;
        let Some(batch) = playback.send(name) else {
            return Ok(());
        };
        self.sql.run(WRITE, row(&playback)?)?;
        let counter = object(&self.env, "PLAYS", batch.work.as_str())?;
        let _: Done = counter.post("/count", &batch).await?;
        // Windows may have been opened meanwhile.
        let mut playback = self.load()?;
        playback.sent(&batch);
        self.store(&playback).await
    }

    fn load(&self) -> Result<Sessions> {
        let Some(row) = self.sql.row(READ, Vec::new())? else {
            return Ok(Sessions::default());
        };
        Ok(Sessions {
            head: row.json(0)?,
            released: Released::from_bytes(row.blob(1)?.to_vec()),
            seen: Seen::from_bytes(row.blob(2)?),
        })
    }

    /// Writes it, and arms the alarm where counting has just begun.
    async fn store(&self, playback: &Sessions) -> Result<()> {
        let values = row(playback)?;
        match playback.just_began(now_ms()) {
            Some(due_ms) => {
                commit(&self.state, vec![Write::new(WRITE, values)], Some(due_ms)).await
            }
            None => self.sql.run(WRITE, values).map(drop),
        }
    }
}

fn row(playback: &Sessions) -> Result<Vec<satchel_edge::Value>> {
    let head = satchel_json::to_string(&playback.head).map_err(internal)?;
    let released = playback.released.as_bytes().to_vec();
    Ok(vec![
        head.into(),
        released.into(),
        playback.seen.to_bytes().into(),
    ])
}

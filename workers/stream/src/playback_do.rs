//! The object `Playback`, one per purchase: reads the state, lets [`crate::playback`] decide, and
//! writes it back in one statement.

use satchel_edge::{Sql, internal, json, now_ms, serve_object};
use satchel_wire::Result;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::playback::{Playback as Sessions, Released, Seen};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS playback \
    (id INTEGER PRIMARY KEY CHECK (id = 1), head TEXT NOT NULL, released BLOB NOT NULL, seen BLOB NOT NULL)";
const READ: &str = "SELECT head, released, seen FROM playback WHERE id = 1";
const WRITE: &str =
    "INSERT OR REPLACE INTO playback (id, head, released, seen) VALUES (1, ?, ?, ?)";

/// The streaming state of a purchase.
#[durable_object(fetch)]
pub struct Playback {
    sql: Sql,
}

impl DurableObject for Playback {
    fn new(state: State, _: Env) -> Self {
        let sql = Sql::of(&state);
        // Only purchases with a receipt get here. A failure is logged, and shows at the first read.
        let _ = sql.run(CREATE, Vec::new());
        Self { sql }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            // Nothing is awaited between reading and writing, and an error writes nothing.
            match (call.method(), call.path()) {
                ("POST", "/open") => {
                    let open = call.json().await?;
                    let mut playback = self.load()?;
                    let allowance = playback.open(open, now_ms())?;
                    self.store(&playback)?;
                    json(&allowance)
                }
                ("POST", "/ask") => {
                    let ask = call.json().await?;
                    let mut playback = self.load()?;
                    let answer = playback.ask(ask, now_ms())?;
                    if answer.is_some() {
                        self.store(&playback)?;
                    }
                    json(&answer)
                }
                _ => Err(call.refuse(&[])),
            }
        })
        .await
    }
}

impl Playback {
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

    fn store(&self, playback: &Sessions) -> Result<()> {
        let head = satchel_json::to_string(&playback.head).map_err(internal)?;
        let released = playback.released.as_bytes().to_vec();
        let values = vec![
            head.into(),
            released.into(),
            playback.seen.to_bytes().into(),
        ];
        self.sql.run(WRITE, values).map(drop)
    }
}

//! The object `Plays`, one per work: counts what was played ([`crate::plays`]) and tells the
//! creator's shop in batches, where the deployment has one.

use satchel_edge::{
    Sql, Write, commit, internal, json, log, now_ms, now_s, rearm, serve_object, service,
};
use satchel_wire::{Result, api::Done, internal::WorkSnapshot, streaming::PlayCount};
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::plays::{Plays as Counter, Report};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS plays \
    (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)";
const READ: &str = "SELECT body FROM plays WHERE id = 1";
const WRITE: &str = "INSERT OR REPLACE INTO plays (id, body) VALUES (1, ?)";
/// How long counts are gathered before the shop is told.
const GATHER_MS: u64 = 60_000;
/// How soon it is tried again.
const AGAIN_MS: u64 = 600_000;

/// How often and how long a work was played.
#[durable_object(alarm)]
pub struct Plays {
    state: State,
    sql: Sql,
    env: Env,
}

/// `POST /internal/shops/{creator}/sales`, with plays only.
#[derive(Debug, Serialize)]
struct Told {
    source: String,
    number: u64,
    sales: [u8; 0],
    refunds: [u8; 0],
    plays: [PlayCount; 1],
}

impl DurableObject for Plays {
    fn new(state: State, env: Env) -> Self {
        let sql = Sql::of(&state);
        let _ = sql.run(CREATE, Vec::new());
        Self { state, sql, env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("POST", "/count") => {
                    let batch = call.json().await?;
                    let mut counter = self.load()?;
                    if counter.count(batch) {
                        self.store(&counter).await?;
                    }
                    json(&Done { done: true })
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

impl Plays {
    async fn tell(&self) -> Result<()> {
        // A deployment without shops counts for itself.
        if self.env.service("SHOPS").is_err() {
            return Ok(());
        }
        let mut counter = self.load()?;
        let Some(report) = counter.report() else {
            return Ok(());
        };
        self.write(&counter)?;
        self.send(&report).await?;
        let mut counter = self.load()?;
        counter.reported(&report);
        self.write(&counter)
    }

    async fn send(&self, report: &Report) -> Result<()> {
        let path = format!("/internal/works/{}", report.work);
        let known: WorkSnapshot = service(&self.env, "LEDGER")?.get(&path).await?;
        let told = Told {
            source: format!("plays/{}", report.work),
            number: report.number,
            sales: [],
            refunds: [],
            plays: [PlayCount {
                work: report.work.clone(),
                plays: report.plays,
                seconds: report.seconds,
                time: now_s(),
            }],
        };
        let creator = known.record.creator.key()?.jkt();
        let path = format!("/internal/shops/{creator}/sales");
        let _: Done = service(&self.env, "SHOPS")?.post(&path, &told).await?;
        Ok(())
    }

    fn load(&self) -> Result<Counter> {
        let row = self.sql.row(READ, Vec::new())?;
        row.map_or_else(|| Ok(Counter::default()), |row| row.json(0))
    }

    fn write(&self, counter: &Counter) -> Result<()> {
        let body = satchel_json::to_string(counter).map_err(internal)?;
        self.sql.run(WRITE, vec![body.into()]).map(drop)
    }

    async fn store(&self, counter: &Counter) -> Result<()> {
        let body = satchel_json::to_string(counter).map_err(internal)?;
        let due_ms = now_ms().saturating_add(GATHER_MS);
        commit(
            &self.state,
            vec![Write::new(WRITE, vec![body.into()])],
            Some(due_ms),
        )
        .await
    }
}

//! `Issuer`: what the operator sets for the whole deployment. Read through caches, never per purchase.

use satchel_edge::{Sql, Value, internal, json, serve_object};
use satchel_wire::{ErrorCode, Result, api::Done, internal::RateRecord};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// The object.
#[durable_object(fetch)]
pub struct Issuer {
    sql: Sql,
}

impl DurableObject for Issuer {
    fn new(state: State, _: Env) -> Self {
        let sql = Sql::of(&state);
        let _ = sql.run(
            "CREATE TABLE IF NOT EXISTS rate (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)",
            vec![],
        );
        Self { sql }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("GET", "/rate") => json(&self.rate()?),
                ("POST", "/rate") => self.set_rate(&call.json::<RateRecord>().await?),
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }
}

impl Issuer {
    fn rate(&self) -> Result<RateRecord> {
        match self.sql.row("SELECT body FROM rate", vec![])? {
            None => Ok(RateRecord { rate: None }),
            Some(row) => row.json(0),
        }
    }

    fn set_rate(&self, record: &RateRecord) -> Result<Response> {
        let body = satchel_json::to_string(record).map_err(internal)?;
        self.sql.run(
            "INSERT OR REPLACE INTO rate VALUES (0, ?)",
            vec![Value::Text(body)],
        )?;
        json(&Done { done: true })
    }
}

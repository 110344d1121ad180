//! `Directory`: which accounts exist, in shards, since objects cannot be enumerated.

use satchel_crypto::sha256;
use satchel_edge::{Sql, Value, json, now_s, serve_object};
use satchel_wire::{ErrorCode, Result, api::Done};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// How many shards; fixed for ever, since it decides where an account is listed.
const SHARDS: u8 = 64;

/// The name of an account's shard.
pub(crate) fn shard(account: &str) -> String {
    let [first, ..] = sha256(account.as_bytes());
    format!("{}", first.checked_rem(SHARDS).unwrap_or(0))
}

/// The object.
#[durable_object(fetch)]
pub struct Directory {
    sql: Sql,
}

impl DurableObject for Directory {
    fn new(state: State, _: Env) -> Self {
        let sql = Sql::of(&state);
        let _ = sql.run(
            "CREATE TABLE IF NOT EXISTS accounts (
                account TEXT PRIMARY KEY, time INTEGER NOT NULL) WITHOUT ROWID",
            vec![],
        );
        Self { sql }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("POST", "/register") => self.register(&call.json::<String>().await?),
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }
}

impl Directory {
    fn register(&self, account: &str) -> Result<Response> {
        self.sql.run(
            "INSERT OR IGNORE INTO accounts VALUES (?, ?)",
            vec![Value::from(account), Value::Int(now_s())],
        )?;
        json(&Done { done: true })
    }
}

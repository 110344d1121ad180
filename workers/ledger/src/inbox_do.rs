//! `Inbox`: credits of one seller, one epoch, one slot, folded home in batches.

use std::cell::Cell;

use satchel_domain::id::OrderId;
use satchel_edge::{
    Tables, Value, Write, internal, json, now_ms, object, random, rearm, serve_object,
};
use satchel_wire::{
    ErrorCode, Result,
    api::Done,
    internal::{Credit, Fold},
};
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::book::{self, FEES, Waiting};

const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS credits (
        key BLOB PRIMARY KEY,
        gross INTEGER NOT NULL,
        fee INTEGER NOT NULL,
        time INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS inbox (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)",
];
/// Sales are gathered this long before they are folded home.
const GATHER_MS: u64 = 1_000;
const MAX_RETRY_MS: u64 = 30_000;

/// What waits here. `folding` is frozen under its number until both accounts have acknowledged it,
/// so that a retry sends the very same batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Held {
    name: String,
    payee: String,
    number: u64,
    open: Waiting,
    folding: Option<Waiting>,
}
satchel_json::read!(Held {
    name,
    payee,
    number,
    open,
    folding,
    ..
});

/// The object.
#[durable_object(alarm)]
pub struct Inbox {
    state: State,
    env: Env,
    sql: Tables,
    failures: Cell<u32>,
}

impl DurableObject for Inbox {
    fn new(state: State, env: Env) -> Self {
        let sql = Tables::of(&state, SCHEMA);
        Self {
            state,
            env,
            sql,
            failures: Cell::new(0),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("POST", "/credits") => self.take(&call.json::<Vec<Credit>>().await?).await,
                ("GET", "/waiting") => json(&self.waiting()?),
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        if self.fold().await.is_ok() {
            self.failures.set(0);
            return Response::empty();
        }
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        let jitter = random::<1>().map_or(0, |[byte]| u64::from(byte));
        let wait = GATHER_MS
            .saturating_mul(1 << failures.min(6))
            .min(MAX_RETRY_MS);
        let at = now_ms().saturating_add(wait).saturating_add(jitter);
        rearm(&self.state, at)
            .await
            .map_err(|error| worker::Error::from(error.code.as_str()))?;
        Response::empty()
    }
}

impl Inbox {
    fn load(&self) -> Result<Option<Held>> {
        let row = self.sql.row("SELECT body FROM inbox", vec![])?;
        row.map(|row| row.json(0)).transpose()
    }

    fn waiting(&self) -> Result<Waiting> {
        let Some(inbox) = self.load()? else {
            return Ok(Waiting::default());
        };
        let folding = inbox.folding.unwrap_or_default();
        Ok(Waiting {
            net: inbox.open.net.plus(folding.net)?,
            fee: inbox.open.fee.plus(folding.fee)?,
            count: inbox.open.count.saturating_add(folding.count),
        })
    }

    /// Takes credits in, each id once, whatever is delivered again.
    async fn take(&self, credits: &[Credit]) -> Result<Response> {
        let Some(first) = credits.first() else {
            return json(&Done { done: true });
        };
        let mut inbox = match self.load()? {
            Some(inbox) => inbox,
            None => Held {
                // Unique among all inboxes, for the ids of its batches.
                name: self.state.id().to_string(),
                payee: first.payee.to_string(),
                number: 0,
                open: Waiting::default(),
                folding: None,
            },
        };
        let mut writes = Vec::new();
        let mut taken: Vec<&OrderId> = Vec::new();
        for credit in credits {
            if credit.payee.as_str() != inbox.payee {
                return Err(internal("a credit for another seller"));
            }
            let key = book::order_key(&credit.order)?;
            let known = self.sql.row(
                "SELECT 1 FROM credits WHERE key = ?",
                vec![Value::Blob(key.clone())],
            )?;
            if known.is_some() || taken.contains(&&credit.order) {
                continue;
            }
            taken.push(&credit.order);
            inbox.open = inbox.open.with(credit)?;
            writes.push(Write::new(
                "INSERT INTO credits VALUES (?, ?, ?, ?)",
                vec![
                    Value::Blob(key),
                    Value::Int(credit.gross.get()),
                    Value::Int(credit.fee.get()),
                    Value::Int(credit.time),
                ],
            ));
        }
        if !writes.is_empty() {
            writes.push(save(&inbox)?);
            let at = now_ms().saturating_add(GATHER_MS);
            self.sql.commit(&self.state, writes, Some(at)).await?;
        }
        json(&Done { done: true })
    }

    /// Sends one batch home: freeze, send, strike off.
    async fn fold(&self) -> Result<()> {
        let Some(mut inbox) = self.load()? else {
            return Ok(());
        };
        if inbox.folding.is_none() {
            if inbox.open.count == 0 {
                return Ok(());
            }
            inbox.number = inbox.number.saturating_add(1);
            inbox.folding = Some(std::mem::take(&mut inbox.open));
            self.sql
                .commit(&self.state, vec![save(&inbox)?], None)
                .await?;
        }
        let Some(batch) = inbox.folding else {
            return Ok(());
        };
        let id = format!("{}/{}", inbox.name, inbox.number);
        let net = Fold {
            id: id.clone(),
            msat: batch.net,
            count: batch.count,
        };
        let fee = Fold {
            id,
            msat: batch.fee,
            count: batch.count,
        };
        let home = object(&self.env, "ACCOUNT", &inbox.payee)?;
        home.post::<_, Done>(&format!("/fold/{}", inbox.payee), &net)
            .await?;
        let fees = object(&self.env, "ACCOUNT", FEES)?;
        fees.post::<_, Done>(&format!("/fold/{FEES}"), &fee).await?;
        // Sales that came in meanwhile are in `open` of the stored row, not of our copy.
        let Some(mut now) = self.load()? else {
            return Err(internal("the inbox is gone"));
        };
        now.folding = None;
        self.sql
            .commit(&self.state, vec![save(&now)?], None)
            .await?;
        if now.open.count > 0 {
            rearm(&self.state, now_ms().saturating_add(GATHER_MS)).await?;
        }
        Ok(())
    }
}

fn save(inbox: &Held) -> Result<Write> {
    let body = satchel_json::to_string(inbox).map_err(internal)?;
    Ok(Write::new(
        "INSERT OR REPLACE INTO inbox VALUES (0, ?)",
        vec![Value::Text(body)],
    ))
}

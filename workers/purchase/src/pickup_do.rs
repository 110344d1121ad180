//! `Pickup`: leaves a receipt's transfer for the frame that waits for it, by order id; and a delegation for the
//! key it is for, by its thumbprint.
//!
//! The frame made the order id but does not know the account; the wallet knows the account but can't
//! reach the frame where `opener` is cut. Written after posting only, so that nobody can occupy an
//! order id without paying (docs/adr/0004).
//!
//! Under another name, made of a key and an idempotency key of that key's holder, it remembers which payment the
//! idempotency key was used for.

use satchel_edge::{Sql, Value, Write, commit, internal, json, now_ms, serve_object};
use satchel_wire::{
    ErrorCode, Result,
    api::{DelegationIn, Done, GrantSeen, OrderStatus},
    internal::{Claim, OrderFound, Transfer},
};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

/// How long a receipt waits to be picked up.
const LIFE_MS: u64 = 3_600_000;
/// How long an idempotency key is remembered: longer than the order under it may be sent.
const CLAIM_LIFE_MS: u64 = 24 * 3_600_000;

/// The object.
#[durable_object(alarm)]
pub struct Pickup {
    state: State,
    sql: Sql,
}

impl DurableObject for Pickup {
    fn new(state: State, _: Env) -> Self {
        let sql = Sql::of(&state);
        Self { state, sql }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            match (call.method(), call.path()) {
                ("GET", "/") => json(&OrderFound {
                    transfer: self.load()?,
                }),
                ("POST", "/") => self.leave(&call.json::<Transfer>().await?).await,
                ("GET", "/grant") => json(&self.grant()?),
                ("POST", "/grant") => self.leave_grant(call.json::<DelegationIn>().await?).await,
                ("POST", "/claim") => self.claim(call.json::<Claim>().await?).await,
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.state.storage().delete_all().await?;
        Response::empty()
    }
}

impl Pickup {
    /// Asking for an order nobody sent must not create storage: the table comes with the first write.
    fn load(&self) -> Result<Option<Transfer>> {
        let there = self
            .sql
            .row("SELECT 1 FROM sqlite_master WHERE name = 'pickup'", vec![])?;
        if there.is_none() {
            return Ok(None);
        }
        let row = self.sql.row("SELECT body FROM pickup", vec![])?;
        row.map(|row| row.json(0)).transpose()
    }

    fn grant(&self) -> Result<GrantSeen> {
        let there = self
            .sql
            .row("SELECT 1 FROM sqlite_master WHERE name = 'given'", vec![])?;
        let row = match there {
            Some(_) => self.sql.row("SELECT jws FROM given", vec![])?,
            None => None,
        };
        let delegation = match &row {
            Some(row) => Some(row.text(0)?.to_owned()),
            None => None,
        };
        let status = match delegation {
            Some(_) => OrderStatus::Posted,
            None => OrderStatus::Waiting,
        };
        Ok(GrantSeen { status, delegation })
    }

    /// A newer one takes the place of an older: the ledger has said that it is newer.
    async fn leave_grant(&self, given: DelegationIn) -> Result<Response> {
        let writes = vec![
            Write::new(
                "CREATE TABLE IF NOT EXISTS given (one INTEGER PRIMARY KEY, jws TEXT NOT NULL)",
                vec![],
            ),
            Write::new(
                "INSERT OR REPLACE INTO given VALUES (1, ?)",
                vec![Value::Text(given.delegation)],
            ),
        ];
        commit(&self.state, writes, Some(now_ms().saturating_add(LIFE_MS))).await?;
        json(&Done { done: true })
    }

    /// Whether the name is free, or was claimed for the same before.
    async fn claim(&self, claim: Claim) -> Result<Response> {
        let there = self
            .sql
            .row("SELECT 1 FROM sqlite_master WHERE name = 'claim'", vec![])?;
        if there.is_some() {
            let row = self.sql.row("SELECT digest FROM claim", vec![])?;
            let same = match &row {
                Some(row) => row.text(0)? == claim.digest,
                None => true,
            };
            return json(&Done { done: same });
        }
        let writes = vec![
            Write::new("CREATE TABLE claim (digest TEXT NOT NULL)", vec![]),
            Write::new(
                "INSERT INTO claim VALUES (?)",
                vec![Value::Text(claim.digest)],
            ),
        ];
        commit(
            &self.state,
            writes,
            Some(now_ms().saturating_add(CLAIM_LIFE_MS)),
        )
        .await?;
        json(&Done { done: true })
    }

    async fn leave(&self, transfer: &Transfer) -> Result<Response> {
        if self.load()?.is_none() {
            let body = satchel_json::to_string(transfer).map_err(internal)?;
            let writes = vec![
                Write::new(
                    "CREATE TABLE IF NOT EXISTS pickup (body TEXT NOT NULL)",
                    vec![],
                ),
                Write::new("INSERT INTO pickup VALUES (?)", vec![Value::Text(body)]),
            ];
            commit(&self.state, writes, Some(now_ms().saturating_add(LIFE_MS))).await?;
        }
        json(&Done { done: true })
    }
}

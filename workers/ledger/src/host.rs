//! What the ledger's objects need of the world: tables, a clock, each other. The runtime gives it to
//! them in `*_do.rs`, and a simulator in `tests/`, where time, crashes and messages are made up.

use std::{cell::RefCell, pin::Pin, rc::Rc, task::Poll};

use satchel_crypto::{Key32, ed25519::Verifier};
use satchel_domain::ledger::LedgerId;
use satchel_edge::{Columns, Store, Table};
use satchel_json::FromJson;
use satchel_wire::{ErrorCode, Result};
use serde::Serialize;

/// Rows by key. Writes are allowed within [`Host::transact`] only.
pub trait Tables: Clone + 'static {
    /// The columns of a row.
    fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Columns>>;
    /// Rows of many keys will be read in this transaction: a database may read them together.
    fn prefetch(&self, _table: &Table, _keys: &[Vec<u8>]) -> Result<()> {
        Ok(())
    }
    /// Rows with keys from `from` to below `below`, in order.
    fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Columns)>>;
    /// Rows whose state has a remainder of 1 when divided by 4.
    fn open_rows(&self, table: &Table, most: u64) -> Result<Vec<(Vec<u8>, Columns)>>;
    /// `(state, number of rows)`.
    fn tally(&self, table: &Table) -> Result<Vec<(u64, u64)>>;
    /// Writes a row.
    fn put(&self, table: &Table, key: &[u8], columns: Columns) -> Result<()>;
    /// Removes a row.
    fn delete(&self, table: &Table, key: &[u8]) -> Result<()>;
    /// Wakes the object then, if nothing wakes it earlier.
    fn wake(&self, at_ms: u64);
    /// How often a transaction was undone: what was remembered of rows is wrong since then.
    fn undone(&self) -> u64;
}

impl Tables for Store {
    fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Columns>> {
        Store::get(self, table, key)
    }

    fn prefetch(&self, table: &Table, keys: &[Vec<u8>]) -> Result<()> {
        Store::prefetch(self, table, keys)
    }

    fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Columns)>> {
        Store::scan(self, table, from, below, most)
    }

    fn open_rows(&self, table: &Table, most: u64) -> Result<Vec<(Vec<u8>, Columns)>> {
        Store::open_rows(self, table, most)
    }

    fn tally(&self, table: &Table) -> Result<Vec<(u64, u64)>> {
        Store::tally(self, table)
    }

    fn put(&self, table: &Table, key: &[u8], columns: Columns) -> Result<()> {
        Store::put(self, table, key, columns)
    }

    fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
        Store::delete(self, table, key)
    }

    fn wake(&self, at_ms: u64) {
        Store::wake(self, at_ms);
    }

    fn undone(&self) -> u64 {
        Store::undone(self)
    }
}

/// Another object of the ledger, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place<'a> {
    /// An account.
    Account(&'a str),
    /// An inbox.
    Inbox(&'a str),
    /// A work.
    Work(&'a str),
    /// A shard of the directory.
    Directory(&'a str),
    /// The shop of a creator, which is another worker's.
    Shop(&'a str),
}

impl Place<'_> {
    /// Its binding and its name.
    #[must_use]
    pub fn address(&self) -> (&'static str, &str) {
        match self {
            Self::Account(name) => ("ACCOUNT", name),
            Self::Inbox(name) => ("INBOX", name),
            Self::Work(name) => ("WORK", name),
            Self::Directory(name) => ("DIRECTORY", name),
            Self::Shop(name) => ("SHOPS", name),
        }
    }
}

/// What is configured for the whole deployment.
#[derive(Debug)]
pub struct Config {
    /// The issuer's origin.
    pub issuer: String,
    /// Which money.
    pub ledger: LedgerId,
    /// The operator's share, hundredths of a percent.
    pub fee_bps: u64,
    /// Authenticates quotes.
    pub quote_key: Key32,
    /// Names purchases.
    pub handle_key: Key32,
}

/// A job of a transaction: reads, decides, writes.
pub type Job<T> = Rc<dyn Fn(&T) -> Result<()>>;

/// A job that gives something.
pub type GivingJob<T, O> = Box<dyn Fn(&T) -> Result<O>>;

/// What comes of waiting. Boxed: one of these for each question would be a third of the worker.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// The world of one object.
pub trait Host {
    /// Its tables.
    type Tables: Tables;
    /// Verifies signatures.
    type Verifier: Verifier;

    /// Its tables, to be read.
    fn tables(&self) -> &Self::Tables;
    /// Verifies signatures.
    fn verifier(&self) -> &Self::Verifier;
    /// What is configured.
    fn config(&self) -> Result<&Config>;
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// A random byte.
    fn dice(&self) -> u8;
    /// Runs a job in one storage transaction: all that it writes is durable when this returns, or none.
    /// The job reads, decides and writes; it may run again if its transaction is undone.
    fn commit(&self, job: Job<Self::Tables>) -> Waiting<'_, ()>;
    /// Asks another object; makes a new stub each time, and never asks twice by itself.
    fn ask_json<'a>(
        &'a self,
        place: Place<'a>,
        path: &'a str,
        body: Vec<u8>,
    ) -> Waiting<'a, Vec<u8>>;

    /// Unix seconds.
    fn now_s(&self) -> u64 {
        self.now_ms().checked_div(1_000).unwrap_or(0)
    }

    /// [`Host::commit`] of a job that gives something.
    fn transact<T: 'static>(
        &self,
        job: impl Fn(&Self::Tables) -> Result<T> + 'static,
    ) -> Waiting<'_, T> {
        self.transact_boxed(Box::new(job))
    }

    /// [`Host::transact`], once for each kind of answer and not for each job.
    fn transact_boxed<T: 'static>(&self, job: GivingJob<Self::Tables, T>) -> Waiting<'_, T> {
        let slot: Rc<RefCell<Option<T>>> = Rc::default();
        let filled = Rc::clone(&slot);
        let committed = self.commit(Rc::new(move |tables| {
            *filled.borrow_mut() = Some(job(tables)?);
            Ok(())
        }));
        Box::pin(async move {
            committed.await?;
            let done = slot.borrow_mut().take();
            done.ok_or_else(|| ErrorCode::Unavailable.into())
        })
    }

    /// [`Host::ask_json`] with documents.
    fn ask<'a, I: Serialize, O: FromJson + 'a>(
        &'a self,
        place: Place<'a>,
        path: &'a str,
        body: &I,
    ) -> Waiting<'a, O> {
        self.ask_boxed(place, path, encode(body))
    }

    /// [`Host::ask`], once for each kind of answer.
    fn ask_boxed<'a, O: FromJson + 'a>(
        &'a self,
        place: Place<'a>,
        path: &'a str,
        body: Result<Vec<u8>>,
    ) -> Waiting<'a, O> {
        Box::pin(async move { decode(&self.ask_json(place, path, body?).await?) })
    }
}

/// Waits for all of them at once; each fails by itself.
pub async fn all<T>(mut waiting: Vec<Waiting<'_, T>>) -> Vec<Result<T>> {
    let mut done: Vec<Option<Result<T>>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (one, done) in waiting.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(answer) = one.as_mut().poll(context)
            {
                *done = Some(answer);
            }
        }
        if done.iter().all(Option::is_some) {
            Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        } else {
            Poll::Pending
        }
    })
    .await
}

/// As JSON.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    satchel_json::to_vec(value).map_err(|_| ErrorCode::Internal.into())
}

/// From JSON that we wrote ourselves, or another object of ours.
pub fn decode<T: FromJson>(text: &[u8]) -> Result<T> {
    satchel_json::from_slice(text).map_err(satchel_edge::internal)
}

/// How long to wait before trying again what failed `failures` times, milliseconds: doubled each time
/// from `first` up to half a minute, and up to a quarter of a second more by chance.
#[must_use]
pub fn backoff(first: u64, failures: u32, dice: u8) -> u64 {
    first
        .saturating_mul(1 << failures.min(6))
        .min(MAX_RETRY_MS)
        .saturating_add(u64::from(dice))
}

/// Longest time between two tries: so that a partner that was down for long gets everything within a
/// minute of its return.
const MAX_RETRY_MS: u64 = 30_000;

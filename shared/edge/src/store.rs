//! An object's tables: rows by key, all writes of a moment in one storage transaction.
//!
//! Jobs that arrive together share one transaction and so one fsync (docs/adr/0014). A job decides and
//! writes in one go; nothing is awaited in between, and nobody is answered before it is durable: the
//! runtime holds answers until then (output gate).

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use satchel_wire::{ErrorCode, Result};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::State;

use crate::{
    internal, log,
    sql::{Sql, Value},
};

#[wasm_bindgen(inline_js = r#"
// `run` gives -1 to undo everything, else when to wake the object (0: leave the alarm as it is).
export function commit(storage, run) {
  storage.transactionSync(() => {
    const wake = run();
    if (wake < 0) throw new Error("undone");
    if (wake > 0) storage.setAlarm(wake);
  });
}

// One turn of the event loop.
export async function turn() {
  await new Promise((done) => setTimeout(done, 0));
}

// When the object's alarm goes off; 0 if none is armed.
export async function alarm(storage) {
  return (await storage.getAlarm()) ?? 0;
}
"#)]
extern "C" {
    fn turn() -> js_sys::Promise;

    fn alarm(storage: &JsValue) -> js_sys::Promise;

    #[wasm_bindgen(catch, js_name = commit)]
    fn in_storage(
        storage: &JsValue,
        run: &mut dyn FnMut() -> f64,
    ) -> std::result::Result<(), JsValue>;
}

/// A table of rows by key. Its first column is `key BLOB PRIMARY KEY`; statements are written out, so
/// that they are made once.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Makes it.
    pub create: &'static str,
    /// The columns after `key`, of one key.
    pub get: &'static str,
    /// All columns of keys from the first to below the second, at most the third.
    pub scan: &'static str,
    /// Writes a row, whether it is there or not.
    pub put: &'static str,
    /// Removes a row.
    pub delete: &'static str,
    /// Which column (0 = the one after `key`) says where a row stands; what is still open has
    /// a remainder of 1 when divided by 4.
    pub state: usize,
    /// `(state, number of rows)` for each state.
    pub tally: &'static str,
    /// All columns of open rows, at most so many.
    pub open: &'static str,
}

/// An object's tables and how older ones become these.
#[derive(Debug)]
pub struct Schema {
    /// Its tables, as they are made in a new object.
    pub tables: &'static [&'static Table],
    /// What takes an object from version `i + 1` to the next.
    pub upgrades: &'static [&'static [&'static str]],
    /// A table that only objects of before versions had, which are version 1.
    pub first: &'static str,
}

impl Schema {
    fn version(&self) -> u64 {
        (self.upgrades.len() as u64).saturating_add(1)
    }
}

/// The columns of a row, its key apart.
pub type Columns = Vec<Value>;

/// Reads, decides, writes.
pub type Job = Rc<dyn Fn(&Store) -> Result<()>>;

/// Runs a waiting request's job; or, where its transaction was undone, takes back what it said.
type Waiting = Box<dyn Fn(Turn) -> bool>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Run,
    Undone,
}

/// When the alarm goes off, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    Unknown,
    Not,
    At(u64),
}

/// An object's storage.
#[derive(Clone)]
pub struct Store(Rc<Inner>);

struct Inner {
    sql: Sql,
    state: State,
    schema: &'static Schema,
    ready: Cell<bool>,
    armed: Cell<Armed>,
    /// When a job of the running transaction wants the object to wake.
    wake: Cell<Option<u64>>,
    /// A write of the running transaction failed.
    failed: Cell<bool>,
    undone: Cell<u64>,
    waiting: RefCell<Vec<Waiting>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Of an object. Tables come with the first write: whoever asks for an id that nobody made must
    /// not leave a database behind. Older ones are brought up to date at once.
    #[must_use]
    pub fn of(state: State, schema: &'static Schema) -> Self {
        let sql = Sql::of(&state);
        let store = Self(Rc::new(Inner {
            sql,
            state,
            schema,
            ready: Cell::new(false),
            armed: Cell::new(Armed::Unknown),
            wake: Cell::new(None),
            failed: Cell::new(false),
            undone: Cell::new(0),
            waiting: RefCell::default(),
        }));
        // A failure is logged; what needs the tables is then answered `internal`.
        let _ = store.open();
        store
    }

    fn has(&self, table: &str) -> Result<bool> {
        let query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
        Ok(self.0.sql.row(query, vec![Value::from(table)])?.is_some())
    }

    fn open(&self) -> Result<()> {
        let Inner { sql, schema, .. } = &*self.0;
        let version = if self.has("version")? {
            let row = sql.row("SELECT n FROM version", vec![])?;
            row.map_or(Ok(0), |row| row.int(0))?
        } else if self.has(schema.first)? {
            1
        } else {
            return Ok(());
        };
        if version == schema.version() {
            self.0.ready.set(true);
            return Ok(());
        }
        self.in_transaction(|| {
            let done = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
            for statement in schema.upgrades.iter().skip(done).copied().flatten() {
                sql.run(statement, vec![])?;
            }
            self.stamp(version)
        })?;
        self.0.ready.set(true);
        Ok(())
    }

    fn stamp(&self, was: u64) -> Result<()> {
        let now = self.0.schema.version();
        if was != now {
            let sql = &self.0.sql;
            sql.run(
                "CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
                vec![],
            )?;
            sql.run(
                "INSERT OR REPLACE INTO version VALUES (0, ?)",
                vec![Value::Int(now)],
            )?;
        }
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        if !self.0.ready.get() {
            for table in self.0.schema.tables {
                self.0.sql.run(table.create, vec![])?;
            }
            self.stamp(0)?;
            self.0.ready.set(true);
        }
        Ok(())
    }

    fn in_transaction(&self, job: impl Fn() -> Result<()>) -> Result<()> {
        let mut run = || if job().is_ok() { 0.0 } else { -1.0 };
        in_storage(self.0.state.storage().as_raw(), &mut run)
            .map_err(|error| internal(crate::js::told(&error)))
    }

    /// A row.
    pub fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Columns>> {
        if !self.0.ready.get() {
            return Ok(None);
        }
        let rows = self
            .0
            .sql
            .rows(table.get, vec![Value::Blob(key.to_vec())])?;
        Ok(rows.into_iter().next().map(crate::sql::Row::into_values))
    }

    /// Rows with keys from `from` to below `below`, in order, at most `most`.
    pub fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Columns)>> {
        self.listed(
            table.scan,
            vec![
                Value::Blob(from.to_vec()),
                Value::Blob(below.to_vec()),
                Value::Int(most),
            ],
        )
    }

    /// Rows that are still open, at most `most`.
    pub fn open_rows(&self, table: &Table, most: u64) -> Result<Vec<(Vec<u8>, Columns)>> {
        self.listed(table.open, vec![Value::Int(most)])
    }

    fn listed(&self, query: &str, values: Vec<Value>) -> Result<Vec<(Vec<u8>, Columns)>> {
        if !self.0.ready.get() {
            return Ok(Vec::new());
        }
        let rows = self.0.sql.rows(query, values)?;
        rows.into_iter()
            .map(|row| {
                let mut values = row.into_values().into_iter();
                match values.next() {
                    Some(Value::Blob(key)) => Ok((key, values.collect())),
                    _ => Err(internal("a key is not bytes")),
                }
            })
            .collect()
    }

    /// How many rows stand where.
    pub fn tally(&self, table: &Table) -> Result<Vec<(u64, u64)>> {
        if !self.0.ready.get() {
            return Ok(Vec::new());
        }
        let rows = self.0.sql.rows(table.tally, vec![])?;
        rows.iter()
            .map(|row| Ok((row.int(0)?, row.int(1)?)))
            .collect()
    }

    fn write(&self, query: &str, values: Vec<Value>) -> Result<()> {
        let done = self.prepare().and_then(|()| self.0.sql.run(query, values));
        if done.is_err() {
            self.0.failed.set(true);
        }
        done.map(|_| ())
    }

    /// Writes a row. Only within a transaction.
    pub fn put(&self, table: &Table, key: &[u8], columns: Columns) -> Result<()> {
        let mut values = vec![Value::Blob(key.to_vec())];
        values.extend(columns);
        self.write(table.put, values)
    }

    /// Removes a row. Only within a transaction.
    pub fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
        self.write(table.delete, vec![Value::Blob(key.to_vec())])
    }

    /// Wakes the object then, if nothing wakes it earlier. Only within a transaction.
    pub fn wake(&self, at_ms: u64) {
        let earlier = self.0.wake.get().is_none_or(|known| at_ms < known);
        if earlier {
            self.0.wake.set(Some(at_ms));
        }
    }

    /// How often a transaction was undone: what was remembered of its rows is wrong since then.
    #[must_use]
    pub fn undone(&self) -> u64 {
        self.0.undone.get()
    }

    /// The alarm has gone off: none is armed now.
    pub fn awoke(&self) {
        self.0.armed.set(Armed::Not);
    }

    /// Runs `job` in a transaction, together with those of other requests that are waiting. It may
    /// run again if a job beside it fails.
    pub async fn commit(&self, job: Job) -> Result<()> {
        let slot: Rc<RefCell<Option<Result<()>>>> = Rc::default();
        let filled = Rc::clone(&slot);
        let store = self.clone();
        self.0.waiting.borrow_mut().push(Box::new(move |turn| {
            let done = if turn == Turn::Run {
                Some(job(&store))
            } else {
                None
            };
            let done = done.filter(|_| !store.0.failed.get());
            let stands = done.is_some();
            *filled.borrow_mut() = Some(done.unwrap_or_else(|| Err(ErrorCode::Unavailable.into())));
            stands
        }));
        if self.0.armed.get() == Armed::Unknown {
            let at = alarm(self.0.state.storage().as_raw()).await;
            let at = at.map_err(|error| internal(crate::js::told(&error)))?;
            if self.0.armed.get() == Armed::Unknown {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "milliseconds since 1970, or 0"
                )]
                let at = at.as_f64().unwrap_or(0.0) as u64;
                let armed = if at == 0 { Armed::Not } else { Armed::At(at) };
                self.0.armed.set(armed);
            }
        }
        // Requests that have arrived come along. Nothing is lost where it fails: we only go alone then.
        let _ = turn().await;
        if slot.borrow().is_none() {
            let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
            self.flush(&waiting);
        }
        let done = slot.borrow_mut().take();
        done.unwrap_or_else(|| Err(ErrorCode::Unavailable.into()))
    }

    fn flush(&self, jobs: &[Waiting]) {
        if self.run(jobs) || jobs.len() < 2 {
            return;
        }
        // One of them fails: the others must not suffer from it.
        for job in jobs.chunks(1) {
            self.run(job);
        }
    }

    fn run(&self, jobs: &[Waiting]) -> bool {
        self.0.wake.set(None);
        self.0.failed.set(false);
        let mut run = || {
            if !jobs.iter().all(|job| job(Turn::Run)) {
                return -1.0;
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since 1970 are exact in a double"
            )]
            self.to_arm().map_or(0.0, |at| at as f64)
        };
        let done = in_storage(self.0.state.storage().as_raw(), &mut run);
        match done {
            Ok(()) => {
                if let Some(at) = self.to_arm() {
                    self.0.armed.set(Armed::At(at));
                }
                true
            }
            Err(error) => {
                log("error", "transaction", &crate::js::told(&error));
                for job in jobs {
                    job(Turn::Undone);
                }
                self.0.undone.set(self.0.undone.get().saturating_add(1));
                // Tables that were made in it are gone again.
                self.0.ready.set(self.has("version").unwrap_or(false));
                false
            }
        }
    }

    /// When the alarm is to be set, if earlier than it is.
    fn to_arm(&self) -> Option<u64> {
        let wanted = self.0.wake.get()?;
        match self.0.armed.get() {
            Armed::At(at) if at <= wanted => None,
            _ => Some(wanted),
        }
    }
}

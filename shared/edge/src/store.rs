//! An object's tables: rows by key, all writes of a moment in one storage transaction.
//!
//! Jobs that arrive together share one transaction and so one fsync (docs/adr/0014). A job decides and
//! writes in one go; nothing is awaited in between, and nobody is answered before it is durable: the
//! runtime holds answers until then (output gate).

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use satchel_wire::{ErrorCode, Result};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::State;

use crate::{
    clock, internal, log,
    sql::{Sql, Value},
    task::settled,
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
#[derive(Debug, Clone, Copy)]
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

/// A job on its way, and what came of it.
struct Waiting {
    job: Job,
    done: RefCell<Option<Result<()>>>,
    waker: RefCell<Option<Waker>>,
}

impl Waiting {
    /// Tells whoever waits for it; it was not run if nothing came of it.
    fn end(&self) {
        let mut done = self.done.borrow_mut();
        if done.is_none() {
            *done = Some(Err(ErrorCode::Unavailable.into()));
        }
        drop(done);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Rows in memory: in order, `None` where there is one no more.
#[derive(Default)]
struct Rows(Vec<(Vec<u8>, Option<Columns>)>);

impl Rows {
    fn place(&self, key: &[u8]) -> std::result::Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known[..].cmp(key))
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Columns>> {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, row)| row)
    }

    fn set(&mut self, key: &[u8], row: Option<Columns>) {
        match self.place(key) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    *known = row;
                }
            }
            Err(at) => self.0.insert(at, (key.to_vec(), row)),
        }
    }
}

/// Rows of several tables.
type Tables = Vec<(Table, Rows)>;

fn rows_of<'a>(tables: &'a Tables, table: &Table) -> Option<&'a Rows> {
    let known = tables.iter().find(|(known, _)| known.name == table.name);
    known.map(|(_, rows)| rows)
}

fn set(tables: &mut Tables, table: &Table, key: &[u8], row: Option<Columns>) {
    let known = tables
        .iter_mut()
        .find(|(known, _)| known.name == table.name);
    match known {
        Some((_, rows)) => {
            rows.set(key, row);
        }
        None => tables.push((*table, Rows(vec![(key.to_vec(), row)]))),
    }
}

/// Rows whose first column is their key.
fn keyed(rows: Vec<crate::sql::Row>) -> Result<Vec<(Vec<u8>, Columns)>> {
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut values = row.into_values();
        let Some(Value::Blob(key)) = values.first_mut().map(std::mem::take) else {
            return Err(internal("a key is not bytes"));
        };
        values.remove(0);
        keyed.push((key, values));
    }
    Ok(keyed)
}

/// Most rows of a table that stay in memory.
const MOST_KEPT: usize = 128;
/// Whoever ought to have run a transaction for so long, milliseconds, won't any more.
const LOST_MS: u64 = 2_000;

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
    waiting: RefCell<Vec<Rc<Waiting>>>,
    /// Since when somebody is about to run what waits.
    since: Cell<u64>,
    /// What the running transaction has written: its rows go to the database together, at its end.
    written: RefCell<Tables>,
    /// What was read for the running transaction before it was asked for.
    read: RefCell<Tables>,
    /// What the database holds, of tables that are kept.
    kept: RefCell<Tables>,
    kept_names: &'static [&'static str],
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
        Self::keeping(state, schema, &[])
    }

    /// [`Store::of`], which keeps rows of some tables in memory: of those whose rows are few and read
    /// again and again (docs/adr/0018).
    #[must_use]
    pub fn keeping(state: State, schema: &'static Schema, kept: &'static [&'static str]) -> Self {
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
            since: Cell::new(0),
            written: RefCell::default(),
            read: RefCell::default(),
            kept: RefCell::default(),
            kept_names: kept,
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
        for tables in [&self.0.written, &self.0.read, &self.0.kept] {
            let tables = tables.borrow();
            if let Some(row) = rows_of(&tables, table).and_then(|rows| rows.get(key)) {
                return Ok(row.clone());
            }
        }
        if !self.0.ready.get() {
            return Ok(None);
        }
        let rows = self
            .0
            .sql
            .rows(table.get, vec![Value::Blob(key.to_vec())])?;
        let row = rows.into_iter().next().map(crate::sql::Row::into_values);
        if row.is_some() && self.keeps(table) {
            self.keep(table, key, row.clone());
        }
        Ok(row)
    }

    /// Reads rows of many keys together, for the rest of the running transaction.
    pub fn prefetch(&self, table: &Table, keys: &[Vec<u8>]) -> Result<()> {
        if !self.0.ready.get() {
            return Ok(());
        }
        let values = keys.iter().cloned().map(Value::Blob).collect();
        let found = keyed(self.0.sql.rows_of_keys(table.get, values)?)?;
        let mut read = self.0.read.borrow_mut();
        for key in keys {
            set(&mut read, table, key, None);
        }
        for (key, row) in found {
            set(&mut read, table, &key, Some(row));
        }
        Ok(())
    }

    fn keeps(&self, table: &Table) -> bool {
        self.0.kept_names.contains(&table.name)
    }

    fn keep(&self, table: &Table, key: &[u8], row: Option<Columns>) {
        let mut kept = self.0.kept.borrow_mut();
        if rows_of(&kept, table).is_some_and(|rows| rows.0.len() >= MOST_KEPT) {
            kept.clear();
        }
        set(&mut kept, table, key, row);
    }

    /// Rows with keys from `from` to below `below`, in order, at most `most`.
    pub fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Columns)>> {
        let written = self.0.written.borrow();
        let written = rows_of(&written, table).map_or(&[][..], |rows| &rows.0);
        let inside = |key: &[u8]| from <= key && key < below;
        let more = written.iter().filter(|(key, _)| inside(key)).count();
        let mut rows = self.listed(
            table.scan,
            vec![
                Value::Blob(from.to_vec()),
                Value::Blob(below.to_vec()),
                // Each that was written may be one of those, and removed.
                Value::Int(most.saturating_add(more as u64)),
            ],
        )?;
        for (key, row) in written {
            if !inside(key) {
                continue;
            }
            let known = rows.binary_search_by(|(known, _)| known.cmp(key));
            if let Ok(at) = known {
                rows.remove(at);
            }
            if let Some(row) = row {
                let at = known.unwrap_or_else(|at| at);
                rows.insert(at, (key.clone(), row.clone()));
            }
        }
        rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// Rows that are still open, at most `most`.
    pub fn open_rows(&self, table: &Table, most: u64) -> Result<Vec<(Vec<u8>, Columns)>> {
        self.write_out()?;
        self.listed(table.open, vec![Value::Int(most)])
    }

    fn listed(&self, query: &str, values: Vec<Value>) -> Result<Vec<(Vec<u8>, Columns)>> {
        if !self.0.ready.get() {
            return Ok(Vec::new());
        }
        keyed(self.0.sql.rows(query, values)?)
    }

    /// How many rows stand where.
    pub fn tally(&self, table: &Table) -> Result<Vec<(u64, u64)>> {
        self.write_out()?;
        if !self.0.ready.get() {
            return Ok(Vec::new());
        }
        let rows = self.0.sql.rows(table.tally, vec![])?;
        rows.iter()
            .map(|row| Ok((row.int(0)?, row.int(1)?)))
            .collect()
    }

    /// Writes a row. Only within a transaction.
    pub fn put(&self, table: &Table, key: &[u8], columns: Columns) -> Result<()> {
        self.write(table, key, Some(columns))
    }

    /// Removes a row. Only within a transaction.
    pub fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
        self.write(table, key, None)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "as it is where tables are a simulator's"
    )]
    fn write(&self, table: &Table, key: &[u8], row: Option<Columns>) -> Result<()> {
        set(&mut self.0.written.borrow_mut(), table, key, row);
        Ok(())
    }

    /// Gives the database what was written and is not there yet.
    fn write_out(&self) -> Result<()> {
        let written = std::mem::take(&mut *self.0.written.borrow_mut());
        self.0.read.borrow_mut().clear();
        let done = written.into_iter().try_for_each(|(table, rows)| {
            let (mut values, mut width) = (Vec::new(), 1_usize);
            let kept = self.keeps(&table);
            for (key, row) in rows.0 {
                self.prepare()?;
                if kept {
                    self.keep(&table, &key, row.clone());
                }
                let Some(row) = row else {
                    self.0.sql.run(table.delete, vec![Value::Blob(key)])?;
                    continue;
                };
                width = row.len().saturating_add(1);
                values.push(Value::Blob(key));
                values.extend(row);
            }
            self.0.sql.write(table.put, width, values)
        });
        if done.is_err() {
            self.0.failed.set(true);
        }
        done
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
        let waiting = Rc::new(Waiting {
            job,
            done: RefCell::default(),
            waker: RefCell::default(),
        });
        let now = clock::now_ms();
        let first = {
            let mut all = self.0.waiting.borrow_mut();
            all.push(Rc::clone(&waiting));
            all.len() == 1
        };
        // One of those that wait runs them all.
        if first || self.0.since.get().saturating_add(LOST_MS) < now {
            self.0.since.set(now);
            let known = self.learn_alarm().await;
            // Requests that have arrived come along. Nothing is lost where it fails: we only go sooner.
            let _ = settled(&turn()).await;
            let all = std::mem::take(&mut *self.0.waiting.borrow_mut());
            if known.is_ok() {
                self.flush(&all);
            }
            for other in all {
                other.end();
            }
        }
        poll_fn(|context| {
            if let Some(done) = waiting.done.take() {
                return Poll::Ready(done);
            }
            *waiting.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Learns, once in an object's life, when its alarm goes off.
    async fn learn_alarm(&self) -> Result<()> {
        if self.0.armed.get() != Armed::Unknown {
            return Ok(());
        }
        let at = settled(&alarm(self.0.state.storage().as_raw())).await;
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
        Ok(())
    }

    fn flush(&self, jobs: &[Rc<Waiting>]) {
        if jobs.is_empty() || self.run(jobs) || jobs.len() < 2 {
            return;
        }
        // One of them fails: the others must not suffer from it.
        for job in jobs.chunks(1) {
            self.run(job);
        }
    }

    fn run(&self, jobs: &[Rc<Waiting>]) -> bool {
        self.0.wake.set(None);
        self.0.failed.set(false);
        let mut run = || {
            for waiting in jobs {
                let done = (waiting.job)(self);
                *waiting.done.borrow_mut() = Some(done);
            }
            if self.write_out().is_err() || self.0.failed.get() {
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
                for waiting in jobs {
                    *waiting.done.borrow_mut() = Some(Err(ErrorCode::Unavailable.into()));
                }
                self.0.undone.set(self.0.undone.get().saturating_add(1));
                // Nothing that was written or read in it holds; tables that were made in it are gone again.
                self.0.written.borrow_mut().clear();
                self.0.read.borrow_mut().clear();
                self.0.kept.borrow_mut().clear();
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

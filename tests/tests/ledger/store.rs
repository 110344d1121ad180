//! `satchel_edge::Store` re-enacted: jobs that wait together share a transaction, a commit may be
//! undone, an alarm is set only if it is to ring earlier. What it writes is durable only later.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use satchel_edge::{Columns, Table, Value};
use satchel_ledger_worker::{
    host::Tables,
    rows::{CREDITS, HEAD, HELD, KEYS, ONE},
};
use satchel_wire::{ErrorCode, Result};

use crate::{
    engine::Sim,
    object::Object,
    tables::Data,
    trouble::{Crash, Plant},
};

type Job = Box<dyn Fn(Turn) -> bool>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Run,
    Undone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    Unknown,
    Not,
    At(u64),
}

/// One life of an object's storage: lost with the object.
#[derive(Clone)]
pub struct Store(Rc<Inner>);

struct Inner {
    sim: Rc<Sim>,
    object: Rc<Object>,
    armed: Cell<Armed>,
    wake: Cell<Option<u64>>,
    failed: Cell<bool>,
    undone: Cell<u64>,
    open: Cell<bool>,
    waiting: RefCell<Vec<Job>>,
}

impl Store {
    pub fn of(sim: Rc<Sim>, object: Rc<Object>) -> Self {
        Self(Rc::new(Inner {
            sim,
            object,
            armed: Cell::new(Armed::Unknown),
            wake: Cell::new(None),
            failed: Cell::new(false),
            undone: Cell::new(0),
            open: Cell::new(false),
            waiting: RefCell::default(),
        }))
    }

    pub fn awoke(&self) {
        self.0.armed.set(Armed::Not);
    }

    pub async fn transact<T: 'static>(
        &self,
        job: impl Fn(&Self) -> Result<T> + 'static,
    ) -> Result<T> {
        let (sim, object) = (&self.0.sim, &self.0.object);
        let slot: Rc<RefCell<Option<Result<T>>>> = Rc::default();
        let filled = Rc::clone(&slot);
        let store = self.clone();
        self.0.waiting.borrow_mut().push(Box::new(move |turn| {
            let writes = store.0.object.writes();
            let done = if turn == Turn::Run {
                Some(job(&store))
            } else {
                None
            };
            // Refusing does not undo: whoever refuses must not have written.
            if matches!(done, Some(Err(_))) && store.0.object.writes() != writes {
                store.note_half_written(writes);
            }
            let done = done.filter(|_| !store.0.failed.get());
            let stands = done.is_some();
            *filled.borrow_mut() = Some(done.unwrap_or_else(|| Err(ErrorCode::Unavailable.into())));
            stands
        }));
        if self.0.armed.get() == Armed::Unknown {
            sim.pause(sim.below(2)).await;
            if self.0.armed.get() == Armed::Unknown {
                let at = object.alarm().map(|alarm| alarm.local);
                self.0.armed.set(at.map_or(Armed::Not, Armed::At));
            }
        }
        sim.pause(sim.below(3)).await;
        if slot.borrow().is_none() {
            let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
            let crash = sim.crash_at_commit();
            if crash != Some(Crash::Before) {
                self.flush(&waiting);
            }
            if let Some(crash) = crash {
                sim.doom(object, crash);
                std::future::pending::<()>().await;
            }
        }
        let done = slot.borrow_mut().take();
        done.unwrap_or_else(|| Err(ErrorCode::Unavailable.into()))
    }

    /// A transaction in which a job wrote and then refused is committed all the same. Ended
    /// delegations that were swept away do no harm.
    fn note_half_written(&self, from: usize) {
        let swept = self
            .0
            .object
            .writes_from(from, |data, undo| undo.table == data.index(&KEYS));
        if !swept {
            let name = &self.0.object.name;
            self.0
                .sim
                .violate(format!("a job of {name} wrote rows and then refused"));
        }
    }

    fn flush(&self, jobs: &[Job]) {
        if self.run(jobs) || jobs.len() < 2 {
            return;
        }
        for job in jobs.chunks(1) {
            self.run(job);
        }
    }

    fn run(&self, jobs: &[Job]) -> bool {
        let Inner { sim, object, .. } = &*self.0;
        self.0.wake.set(None);
        self.0.failed.set(false);
        self.0.open.set(true);
        let ran = jobs.iter().all(|job| job(Turn::Run));
        self.0.open.set(false);
        if !ran || sim.refuses_commit() {
            object.undo_open();
            for job in jobs {
                job(Turn::Undone);
            }
            self.0.undone.set(self.0.undone.get() + 1);
            return false;
        }
        let to_arm = self.to_arm();
        sim.commit(object, to_arm);
        if let Some(at) = to_arm {
            self.0.armed.set(Armed::At(at));
        }
        true
    }

    fn to_arm(&self) -> Option<u64> {
        let wanted = self.0.wake.get()?;
        match self.0.armed.get() {
            Armed::At(at) if at <= wanted => None,
            _ => Some(wanted),
        }
    }

    fn write(&self, table: &Table, key: &[u8], columns: Option<Columns>) -> Result<()> {
        let Inner { sim, object, .. } = &*self.0;
        if !self.0.open.get() {
            sim.violate(format!("{} wrote outside of a transaction", object.name));
        }
        if let Some(columns) = &columns
            && let Some(why) = Data::refused(table, columns)
        {
            sim.violate(format!("{}: the database refuses {why}", object.name));
            self.0.failed.set(true);
            return Err(ErrorCode::Internal.into());
        }
        if sim.plant == Plant::ForgetsIds && table.name == HELD.name {
            self.forget_folded(columns.as_ref());
        }
        object.write(table, key, columns);
        Ok(())
    }

    /// Planted: once a batch has come home, its ids are gone.
    fn forget_folded(&self, after: Option<&Columns>) {
        let folding = |columns: &Columns| matches!(columns.first(), Some(Value::Text(body)) if !body.contains(" 0 0 0\"") && !body.contains("\"legs\":[]"));
        let object = &self.0.object;
        let was = object
            .data()
            .get(&HELD, ONE)
            .is_some_and(|row| folding(row));
        if was && after.is_some_and(|row| !folding(row)) {
            let ids = object.data().all(&CREDITS).keys().cloned().collect();
            object.forget(ids);
        }
    }
}

impl Tables for Store {
    fn get(&self, table: &Table, key: &[u8]) -> Result<Option<Columns>> {
        if self.0.sim.plant == Plant::ForgetsIds
            && table.name == CREDITS.name
            && self.0.object.has_forgotten(key)
        {
            return Ok(None);
        }
        let data = self.0.object.data();
        let row = data.get(table, key);
        self.0.object.reads(usize::from(row.is_some()));
        Ok(row.map(|columns| (**columns).clone()))
    }

    fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, Columns)>> {
        let data = self.0.object.data();
        if from >= below {
            return Ok(Vec::new());
        }
        let range = data
            .all(table)
            .range(from.to_vec()..below.to_vec())
            .take(usize::try_from(most).unwrap());
        let rows: Vec<_> = range
            .map(|(key, row)| (key.clone(), (**row).clone()))
            .collect();
        self.0.object.reads(rows.len());
        Ok(rows)
    }

    fn open_rows(&self, table: &Table, most: u64) -> Result<Vec<(Vec<u8>, Columns)>> {
        let data = self.0.object.data();
        let open = data
            .all(table)
            .iter()
            .inspect(|_| self.0.object.reads(1))
            .filter(|(_, row)| state(table, row) % 4 == 1)
            .take(usize::try_from(most).unwrap());
        Ok(open
            .map(|(key, row)| (key.clone(), (**row).clone()))
            .collect())
    }

    fn tally(&self, table: &Table) -> Result<Vec<(u64, u64)>> {
        let data = self.0.object.data();
        let mut counts = std::collections::BTreeMap::new();
        self.0.object.reads(data.all(table).len());
        for row in data.all(table).values() {
            *counts.entry(state(table, row)).or_insert(0) += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn put(&self, table: &Table, key: &[u8], columns: Columns) -> Result<()> {
        self.write(table, key, Some(columns))
    }

    fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
        self.write(table, key, None)
    }

    fn wake(&self, at_ms: u64) {
        let earlier = self.0.wake.get().is_none_or(|known| at_ms < known);
        if earlier {
            self.0.wake.set(Some(at_ms));
        }
    }

    fn undone(&self) -> u64 {
        self.0.undone.get()
    }
}

fn state(table: &Table, row: &Columns) -> u64 {
    match row.get(table.state) {
        Some(Value::Int(n)) => *n,
        other => panic!("a state is {other:?}"),
    }
}

/// Whether a write is one of the account's own row: what a torn commit tears off.
pub fn is_head(table: &Table) -> bool {
    table.name == HEAD.name
}

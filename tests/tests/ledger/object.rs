//! One object: its rows, which of its writes are durable, its alarm, and what waits behind its
//! output gate: nothing leaves before everything written until then is durable.

use std::{
    cell::{Cell, Ref, RefCell},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use satchel_edge::{Columns, Table};

use crate::{
    checks::Writes,
    events::Outgoing,
    host::Life,
    tables::{Data, Sort, Undo},
};

/// When the alarm goes off: by the object's clock, and in true time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    pub local: u64,
    pub due: u64,
}

/// A transaction that is not yet durable.
#[derive(Debug)]
struct Commit {
    number: u64,
    undo: Vec<Undo>,
    alarm: Option<Alarm>,
}

pub struct Object {
    pub id: usize,
    pub sort: Sort,
    pub name: Rc<str>,
    data: RefCell<Data>,
    open: RefCell<Vec<Undo>>,
    commits: RefCell<VecDeque<Commit>>,
    pub committed: Cell<u64>,
    pub durable: Cell<u64>,
    /// When the latest commit becomes durable.
    pub durable_at: Cell<u64>,
    alarm: Cell<Option<Alarm>>,
    /// The commit that set it.
    pub alarm_commit: Cell<u64>,
    pub alarm_set: Cell<u64>,
    pub ringing: Cell<Option<Alarm>>,
    pub failed_alarms: Cell<u32>,
    pub life: RefCell<Option<Rc<Life>>>,
    pub lives: Cell<u64>,
    pub running: Cell<u32>,
    pub skew: Cell<i64>,
    pub down_until: Cell<u64>,
    pub held: RefCell<VecDeque<(u64, Outgoing)>>,
    forgotten: RefCell<BTreeSet<Vec<u8>>>,
    /// Rows read, in answering anything.
    pub read: Cell<u64>,
    /// Requests it was asked, and in the current and busiest second.
    pub requests: Cell<u64>,
    pub second: Cell<(u64, u64)>,
    pub busiest: Cell<u64>,
}

impl Object {
    pub fn new(id: usize, sort: Sort, name: Rc<str>) -> Self {
        Self {
            id,
            sort,
            name,
            data: RefCell::new(Data::of(sort)),
            open: RefCell::default(),
            commits: RefCell::default(),
            committed: Cell::new(0),
            durable: Cell::new(0),
            durable_at: Cell::new(0),
            alarm: Cell::new(None),
            alarm_commit: Cell::new(0),
            alarm_set: Cell::new(0),
            ringing: Cell::new(None),
            failed_alarms: Cell::new(0),
            life: RefCell::default(),
            lives: Cell::new(0),
            running: Cell::new(0),
            skew: Cell::new(0),
            down_until: Cell::new(0),
            held: RefCell::default(),
            forgotten: RefCell::default(),
            read: Cell::new(0),
            requests: Cell::new(0),
            second: Cell::new((0, 0)),
            busiest: Cell::new(0),
        }
    }

    pub fn data(&self) -> Ref<'_, Data> {
        self.data.borrow()
    }

    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm.get()
    }

    pub fn set_alarm(&self, alarm: Option<Alarm>) {
        self.alarm.set(alarm);
        self.alarm_set.set(self.alarm_set.get() + 1);
    }

    pub fn all_durable(&self) -> bool {
        self.commits.borrow().is_empty()
    }

    /// Writes of the transaction that is open.
    pub fn writes(&self) -> usize {
        self.open.borrow().len()
    }

    pub fn writes_from(&self, from: usize, holds: impl Fn(&Data, &Undo) -> bool) -> bool {
        let data = self.data.borrow();
        self.open
            .borrow()
            .iter()
            .skip(from)
            .all(|undo| holds(&data, undo))
    }

    pub fn write(&self, table: &Table, key: &[u8], columns: Option<Columns>) {
        let mut data = self.data.borrow_mut();
        let at = data.index(table);
        data.written += 1;
        let before = data.write(at, key, columns.map(Rc::new), false);
        self.open.borrow_mut().push(Undo {
            table: at,
            key: key.to_vec(),
            before,
        });
    }

    fn take_back(&self, writes: Vec<Undo>) {
        let mut data = self.data.borrow_mut();
        for undo in writes.into_iter().rev() {
            data.write(undo.table, &undo.key, undo.before, true);
        }
    }

    pub fn undo_open(&self) {
        let writes = std::mem::take(&mut *self.open.borrow_mut());
        self.take_back(writes);
    }

    /// Closes the open transaction; `torn` splits off those writes as one of their own.
    pub fn close(&self, torn: Option<fn(&Table) -> bool>) -> Writes {
        let writes = std::mem::take(&mut *self.open.borrow_mut());
        let seen = writes
            .iter()
            .map(|undo| (undo.table, undo.key.clone(), undo.before.clone()))
            .collect();
        let tables = self.sort.tables();
        let parts = match torn {
            Some(first) => {
                let (a, b) = writes
                    .into_iter()
                    .partition(|undo| first(tables[undo.table]));
                vec![a, b]
            }
            None => vec![writes],
        };
        for undo in parts {
            let number = self.committed.get() + 1;
            self.committed.set(number);
            self.commits.borrow_mut().push_back(Commit {
                number,
                undo,
                alarm: self.alarm.get(),
            });
        }
        seen
    }

    /// Everything up to a commit is durable.
    pub fn harden(&self, number: u64) {
        let mut commits = self.commits.borrow_mut();
        while commits
            .front()
            .is_some_and(|commit| commit.number <= number)
        {
            commits.pop_front();
        }
        self.durable.set(self.durable.get().max(number));
    }

    /// What was not durable is gone.
    pub fn lose(&self) {
        self.undo_open();
        let commits = std::mem::take(&mut *self.commits.borrow_mut());
        for commit in commits.into_iter().rev() {
            self.take_back(commit.undo);
            self.set_alarm(commit.alarm);
        }
        self.committed.set(self.durable.get());
        // An alarm that was ringing has not ended: it rings again.
        if let Some(rung) = self.ringing.take()
            && self.alarm.get().is_none()
        {
            self.set_alarm(Some(rung));
        }
        self.alarm_commit.set(self.durable.get());
    }

    pub fn reads(&self, rows: usize) {
        self.read.set(self.read.get() + rows as u64);
    }

    /// Its rows are let go: a crowd would not fit into memory.
    pub fn retire(&self) {
        self.life.borrow_mut().take();
        let written = self.data.borrow().written;
        let mut data = Data::of(self.sort);
        data.written = written;
        *self.data.borrow_mut() = data;
    }

    pub fn forget(&self, ids: Vec<Vec<u8>>) {
        self.forgotten.borrow_mut().extend(ids);
    }

    pub fn has_forgotten(&self, key: &[u8]) -> bool {
        self.forgotten.borrow().contains(key)
    }
}

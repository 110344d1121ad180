//! An object's rows, kept as its database would keep them, with running sums beside them that the
//! rows alone decide: what the account's own row says must agree with them.

use std::{collections::BTreeMap, rc::Rc};

use satchel_edge::{Columns, Table, Value};
use satchel_ledger_worker::rows::{
    ACCOUNT, CREDITS, DIRECTORY, HEAD, INBOX, Kind, State, TRANSFERS, TransferRow, WORK,
};

use crate::heard::SHOP;

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Account,
    Inbox,
    Work,
    Directory,
    /// Another worker's: what a creator's shop was told.
    Shop,
}

impl Sort {
    pub fn of(binding: &str) -> Self {
        match binding {
            "ACCOUNT" => Self::Account,
            "INBOX" => Self::Inbox,
            "WORK" => Self::Work,
            "SHOPS" => Self::Shop,
            _ => Self::Directory,
        }
    }

    pub fn tables(self) -> &'static [&'static Table] {
        match self {
            Self::Account => ACCOUNT.tables,
            Self::Inbox => INBOX.tables,
            Self::Work => WORK.tables,
            Self::Directory => DIRECTORY.tables,
            Self::Shop => SHOP,
        }
    }
}

/// What a row held before it was written.
#[derive(Debug)]
pub struct Undo {
    pub table: usize,
    pub key: Vec<u8>,
    pub before: Option<Rc<Columns>>,
}

/// Sums over rows, in millisatoshi.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Of an account: posted credits, posted debits, reserved debits, and credits whose rows were
    /// folded into a page. Of an inbox: gross, fee and number of its credits.
    pub credits: u64,
    pub debits: u64,
    pub pending: u64,
    pub folded: u64,
}

/// The rows of an object.
#[derive(Debug)]
pub struct Data {
    sort: Sort,
    rows: Vec<BTreeMap<Vec<u8>, Rc<Columns>>>,
    pub sums: Sums,
    pub written: u64,
}

/// Largest number that SQL's doubles hold.
const MAX_WHOLE: u64 = (1 << 53) - 1;

fn int(columns: &Columns, at: usize) -> u64 {
    match columns.get(at) {
        Some(Value::Int(n)) => *n,
        other => panic!("column {at} is {other:?}"),
    }
}

impl Data {
    pub fn of(sort: Sort) -> Self {
        let rows = sort.tables().iter().map(|_| BTreeMap::new()).collect();
        Self {
            sort,
            rows,
            sums: Sums::default(),
            written: 0,
        }
    }

    pub fn index(&self, table: &Table) -> usize {
        let tables = self.sort.tables();
        let at = tables.iter().position(|known| known.name == table.name);
        at.unwrap_or_else(|| panic!("{:?} has no table {}", self.sort, table.name))
    }

    pub fn get(&self, table: &Table, key: &[u8]) -> Option<&Rc<Columns>> {
        self.rows[self.index(table)].get(key)
    }

    pub fn all(&self, table: &Table) -> &BTreeMap<Vec<u8>, Rc<Columns>> {
        &self.rows[self.index(table)]
    }

    pub fn transfer(&self, key: &[u8]) -> Option<TransferRow> {
        let columns = self.get(&TRANSFERS, key)?;
        Some(TransferRow::of((**columns).clone()).unwrap())
    }

    /// What the database would refuse.
    pub fn refused(table: &Table, columns: &Columns) -> Option<String> {
        let large = columns
            .iter()
            .any(|value| matches!(value, Value::Int(n) if *n > MAX_WHOLE));
        if large {
            return Some(format!("{}: a number above 2^53 - 1", table.name));
        }
        if table.name == HEAD.name {
            let reserved_and_spent = int(columns, 0) + int(columns, 1);
            if reserved_and_spent > int(columns, 3) {
                return Some(
                    "head: CHECK (debits_pending + debits_posted <= credits_posted)".into(),
                );
            }
        }
        None
    }

    /// Writes or removes a row; gives what it was.
    pub fn write(
        &mut self,
        table: usize,
        key: &[u8],
        columns: Option<Rc<Columns>>,
        undoing: bool,
    ) -> Option<Rc<Columns>> {
        let name = self.sort.tables()[table].name;
        let after = columns.clone();
        let before = match columns {
            Some(columns) => self.rows[table].insert(key.to_vec(), columns),
            None => self.rows[table].remove(key),
        };
        if name == TRANSFERS.name {
            self.count_transfer(before.as_deref(), false);
            self.count_transfer(after.as_deref(), true);
            // A row that goes was folded into its page; one that comes back by undoing was not.
            match (&before, &after) {
                (Some(row), None) if !undoing => self.sums.folded += int(row, 2),
                (None, Some(row)) if undoing && int(row, 0) == Kind::Fold as u64 => {
                    self.sums.folded -= int(row, 2);
                }
                _ => {}
            }
        } else if name == CREDITS.name {
            for (row, sign) in [(&before, false), (&after, true)] {
                let Some(row) = row else { continue };
                let add = |sum: &mut u64, n: u64| *sum = if sign { *sum + n } else { *sum - n };
                add(&mut self.sums.credits, int(row, 0));
                add(&mut self.sums.debits, int(row, 1));
                add(&mut self.sums.pending, 1);
            }
        }
        before
    }

    fn count_transfer(&mut self, row: Option<&Columns>, adds: bool) {
        let Some(row) = row else { return };
        let debits = [
            Kind::Purchase,
            Kind::Refund,
            Kind::FeeOut,
            Kind::CorrectionOut,
            Kind::SplitOut,
        ]
        .iter()
        .any(|kind| *kind as u64 == int(row, 0));
        let (state, msat) = (int(row, 1), int(row, 2));
        let posted = state == State::Posted as u64 || state == State::Ended as u64;
        let sum = match (debits, posted) {
            (true, true) => &mut self.sums.debits,
            (true, false) if state == State::Pending as u64 => &mut self.sums.pending,
            (true, false) => return,
            (false, _) => &mut self.sums.credits,
        };
        *sum = if adds { *sum + msat } else { *sum - msat };
    }
}

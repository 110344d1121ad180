//! The tables of a shop: JSON by key. The runtime's are [`satchel_edge::Store`]; tests have some in memory.

use satchel_edge::{Schema, Store, Table, Value, internal};
use satchel_json::FromJson;
use satchel_wire::Result;
use serde::Serialize;

/// Rows by key, in the order of the keys. Writes are for transactions only.
pub(crate) trait Tables {
    /// A row.
    fn get(&self, table: &Table, key: &[u8]) -> Result<Option<String>>;
    /// Rows with keys from `from` to below `below`, at most `most`.
    fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, String)>>;
    /// Writes a row.
    fn put(&self, table: &Table, key: &[u8], body: String) -> Result<()>;
    /// Removes a row.
    fn delete(&self, table: &Table, key: &[u8]) -> Result<()>;
    /// Wakes the object then, if nothing wakes it earlier.
    fn wake(&self, at_ms: u64);
}

fn text(columns: Vec<Value>) -> Result<String> {
    match columns.into_iter().next() {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(internal("a row without its text")),
    }
}

impl Tables for Store {
    fn get(&self, table: &Table, key: &[u8]) -> Result<Option<String>> {
        Store::get(self, table, key)?.map(text).transpose()
    }

    fn scan(
        &self,
        table: &Table,
        from: &[u8],
        below: &[u8],
        most: u64,
    ) -> Result<Vec<(Vec<u8>, String)>> {
        let rows = Store::scan(self, table, from, below, most)?;
        rows.into_iter()
            .map(|(key, columns)| Ok((key, text(columns)?)))
            .collect()
    }

    fn put(&self, table: &Table, key: &[u8], body: String) -> Result<()> {
        Store::put(self, table, key, vec![Value::Text(body)])
    }

    fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
        Store::delete(self, table, key)
    }

    fn wake(&self, at_ms: u64) {
        Store::wake(self, at_ms);
    }
}

/// A row as a `T`.
pub(crate) fn read<T: FromJson>(
    tables: &dyn Tables,
    table: &Table,
    key: &[u8],
) -> Result<Option<T>> {
    let row = tables.get(table, key)?;
    row.map(|body| decode(&body)).transpose()
}

/// Rows as `T`s.
pub(crate) fn list<T: FromJson>(
    tables: &dyn Tables,
    table: &Table,
    from: &[u8],
    below: &[u8],
    most: u64,
) -> Result<Vec<T>> {
    let rows = tables.scan(table, from, below, most)?;
    rows.iter().map(|(_, body)| decode(body)).collect()
}

/// Writes a row.
pub(crate) fn write<T: Serialize>(
    tables: &dyn Tables,
    table: &Table,
    key: &[u8],
    row: &T,
) -> Result<()> {
    tables.put(table, key, satchel_json::to_string(row).map_err(internal)?)
}

fn decode<T: FromJson>(body: &str) -> Result<T> {
    satchel_json::from_slice(body.as_bytes()).map_err(internal)
}

/// A key by which the highest number comes first.
pub(crate) fn newest(n: u64) -> [u8; 8] {
    (!n).to_be_bytes()
}

/// A key in two parts.
pub(crate) fn pair(first: &str, second: &[u8]) -> Vec<u8> {
    [first.as_bytes(), &[0], second].concat()
}

/// The key of a table's only row.
pub(crate) const ONE: &[u8] = &[0];
/// Beyond all keys.
pub(crate) const END: &[u8] = &[0xff; 9];

macro_rules! table {
    ($name:literal) => {
        Table {
            name: $name,
            create: concat!(
                "CREATE TABLE IF NOT EXISTS ",
                $name,
                " (key BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
            ),
            get: concat!("SELECT body FROM ", $name, " WHERE key = ?"),
            scan: concat!(
                "SELECT key, body FROM ",
                $name,
                " WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
            ),
            put: concat!("INSERT OR REPLACE INTO ", $name, " VALUES (?, ?)"),
            delete: concat!("DELETE FROM ", $name, " WHERE key = ?"),
            state: 0,
            tally: "",
            open: "",
        }
    };
}

/// What is counted over all.
pub(crate) static HEAD: Table = table!("head");
/// Works, newest first.
pub(crate) static WORKS: Table = table!("works");
/// Works, orders and refunds by their ids.
pub(crate) static KNOWN: Table = table!("known");
/// What happened, newest first.
pub(crate) static EVENTS: Table = table!("events");
/// Sums by work and day, or month.
pub(crate) static DAYS: Table = table!("days");
/// The last batch of each source.
pub(crate) static FEEDS: Table = table!("feeds");
/// Webhooks by id.
pub(crate) static HOOKS: Table = table!("hooks");
/// Deliveries by webhook, newest first.
pub(crate) static DELIVERIES: Table = table!("deliveries");

/// A shop.
pub(crate) static SHOP: Schema = Schema {
    tables: &[
        &HEAD,
        &WORKS,
        &KNOWN,
        &EVENTS,
        &DAYS,
        &FEEDS,
        &HOOKS,
        &DELIVERIES,
    ],
    // There was no version before.
    first: "shop",
    upgrades: &[],
};

#[cfg(test)]
pub(crate) mod memory {
    //! Tables in memory.

    use std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
    };

    use super::*;

    #[derive(Debug, Default)]
    pub(crate) struct Memory {
        rows: RefCell<BTreeMap<(&'static str, Vec<u8>), String>>,
        pub(crate) wake: Cell<Option<u64>>,
    }

    impl Memory {
        pub(crate) fn count(&self, table: &Table) -> usize {
            let rows = self.rows.borrow();
            rows.keys().filter(|(name, _)| *name == table.name).count()
        }

        pub(crate) fn all(&self) -> BTreeMap<(&'static str, Vec<u8>), String> {
            self.rows.borrow().clone()
        }
    }

    impl Tables for Memory {
        fn get(&self, table: &Table, key: &[u8]) -> Result<Option<String>> {
            Ok(self.rows.borrow().get(&(table.name, key.to_vec())).cloned())
        }

        fn scan(
            &self,
            table: &Table,
            from: &[u8],
            below: &[u8],
            most: u64,
        ) -> Result<Vec<(Vec<u8>, String)>> {
            if from >= below {
                return Ok(Vec::new());
            }
            let range = (table.name, from.to_vec())..(table.name, below.to_vec());
            let rows = self.rows.borrow();
            let rows = rows.range(range).take(usize::try_from(most).unwrap());
            Ok(rows
                .map(|((_, key), body)| (key.clone(), body.clone()))
                .collect())
        }

        fn put(&self, table: &Table, key: &[u8], body: String) -> Result<()> {
            self.rows
                .borrow_mut()
                .insert((table.name, key.to_vec()), body);
            Ok(())
        }

        fn delete(&self, table: &Table, key: &[u8]) -> Result<()> {
            self.rows.borrow_mut().remove(&(table.name, key.to_vec()));
            Ok(())
        }

        fn wake(&self, at_ms: u64) {
            let known = self.wake.get().unwrap_or(u64::MAX);
            self.wake.set(Some(known.min(at_ms)));
        }
    }
}

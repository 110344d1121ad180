//! The tables of accounts, inboxes, works and the directory, and their rows as types.

use satchel_domain::{ledger::Balances, money::Msat};
use satchel_edge::{Columns, Schema, Table, Value, internal};
use satchel_wire::Result;

use crate::host::Tables;

/// The key of a table's only row.
pub const ONE: &[u8] = &[0];

/// A table's statements, from its column list written once.
macro_rules! table {
    ($name:literal, ($($column:literal: $kind:literal),*), $constraint:literal) => {
        table!(@all $name, ($($column: $kind),*), $constraint, 0, "")
    };
    ($name:literal, ($($column:literal: $kind:literal),*), $constraint:literal, state $at:literal $state:literal) => {
        table!(@all $name, ($($column: $kind),*), $constraint, $at, $state)
    };
    (@all $name:literal, ($first:literal: $kind:literal $(, $column:literal: $more:literal)*), $constraint:literal, $at:literal, $state:literal) => {
        Table {
            name: $name,
            create: concat!(
                "CREATE TABLE IF NOT EXISTS ", $name, " (key BLOB PRIMARY KEY, ", $first, " ", $kind,
                $(", ", $column, " ", $more,)* $constraint, ") WITHOUT ROWID"
            ),
            get: concat!("SELECT ", $first, $(", ", $column,)* " FROM ", $name, " WHERE key = ?"),
            scan: concat!(
                "SELECT key, ", $first, $(", ", $column,)* " FROM ", $name,
                " WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
            ),
            put: concat!(
                "INSERT INTO ", $name, " VALUES (?, ?", $(table!(@mark $column),)* ") ON CONFLICT (key) DO UPDATE SET ",
                $first, " = excluded.", $first, $(", ", $column, " = excluded.", $column,)*
            ),
            delete: concat!("DELETE FROM ", $name, " WHERE key = ?"),
            state: $at,
            tally: table!(@if $state, concat!("SELECT ", $state, ", count(*) FROM ", $name, " GROUP BY 1")),
            open: table!(@if $state, concat!(
                "SELECT key, ", $first, $(", ", $column,)* " FROM ", $name, " WHERE ", $state, " % 4 = 1 LIMIT ?"
            )),
        }
    };
    (@mark $column:literal) => { ", ?" };
    (@if "", $statement:expr) => { "" };
    (@if $state:literal, $statement:expr) => { $statement };
}

/// An account's sums and what it has to remember at each purchase.
pub static HEAD: Table = table!(
    "head",
    (
        "debits_pending": "INTEGER NOT NULL CHECK (debits_pending >= 0)",
        "debits_posted": "INTEGER NOT NULL CHECK (debits_posted >= 0)",
        "credits_pending": "INTEGER NOT NULL CHECK (credits_pending >= 0)",
        "credits_posted": "INTEGER NOT NULL CHECK (credits_posted <= 9007199254740991)",
        "epoch": "INTEGER NOT NULL",
        "registered": "INTEGER NOT NULL",
        "lines": "INTEGER NOT NULL",
        "todo": "BLOB NOT NULL",
        "recent": "BLOB NOT NULL",
        "spent": "BLOB NOT NULL"
    ),
    ", CHECK (debits_pending + debits_posted <= credits_posted)"
);
/// Journal, entitlements and outbox entries.
pub static TRANSFERS: Table = table!(
    "transfers",
    (
        "kind": "INTEGER NOT NULL",
        "state": "INTEGER NOT NULL",
        "msat": "INTEGER NOT NULL",
        "time": "INTEGER NOT NULL",
        "balance": "INTEGER NOT NULL",
        "refunded": "INTEGER NOT NULL",
        "body": "TEXT NOT NULL"
    ),
    ""
);
/// Keys that may act for an account.
pub static KEYS: Table = table!(
    "keys",
    ("x": "TEXT NOT NULL", "expires": "INTEGER NOT NULL", "body": "TEXT NOT NULL"),
    ""
);
/// The journal's order: keys of 64 lines each, and what of them was folded.
pub static PAGES: Table =
    table!("pages", ("lines": "BLOB NOT NULL", "folded": "TEXT NOT NULL"), "");
/// Inboxes of an account, with the number of the last batch that came home and their sum.
pub static INBOXES: Table = table!(
    "inboxes",
    ("number": "INTEGER NOT NULL", "msat": "INTEGER NOT NULL"),
    ""
);
/// An account.
pub static ACCOUNT: Schema = Schema {
    tables: &[&HEAD, &TRANSFERS, &KEYS, &PAGES, &INBOXES],
    first: "account",
    upgrades: &[&[
        HEAD.create,
        "INSERT INTO head SELECT x'00', debits_pending, debits_posted, credits_pending, credits_posted,
         epoch, registered, 0, outbox, x'', x'' FROM account",
        "ALTER TABLE transfers RENAME TO transfers_1",
        TRANSFERS.create,
        // What the balance was after each line.
        "INSERT INTO transfers SELECT key, kind, 2, msat, time,
         sum(CASE kind WHEN 1 THEN -msat WHEN 2 THEN 0 ELSE msat END) OVER (ORDER BY seq), 0, body
         FROM transfers_1",
        KEYS.create,
        "INSERT INTO keys SELECT CAST(key AS BLOB), x, expires, body FROM delegations",
        PAGES.create,
        // Which batches came in was told by their rows; they name their inbox by its object's id.
        "UPDATE transfers SET body = json_object('account', '',
         'inbox', substr(json_extract(body, '$.id'), 1, instr(json_extract(body, '$.id'), '/') - 1),
         'number', CAST(substr(json_extract(body, '$.id'), instr(json_extract(body, '$.id'), '/') + 1) AS INTEGER),
         'msat', msat, 'count', json_extract(body, '$.count')) WHERE kind = 4",
        INBOXES.create,
        "INSERT INTO inboxes SELECT CAST(json_extract(body, '$.inbox') AS BLOB),
         max(json_extract(body, '$.number')), sum(msat) FROM transfers WHERE kind = 4 GROUP BY 1",
        // Their order.
        "CREATE TABLE numbered AS SELECT key, row_number() OVER (ORDER BY seq) - 1 AS n
         FROM transfers_1 WHERE kind <> 2",
        "INSERT INTO pages SELECT unhex(printf('%016x', n / 64 + 1)),
         unhex(group_concat(hex(key), '' ORDER BY n)), '' FROM numbered GROUP BY n / 64 HAVING count(*) = 64",
        "UPDATE head SET lines = (SELECT count(*) FROM numbered), recent = coalesce(
         (SELECT unhex(group_concat(hex(key), '' ORDER BY n)) FROM numbered
          WHERE n / 64 = (SELECT count(*) FROM numbered) / 64), x'')",
        "DROP TABLE numbered",
        "DROP TABLE transfers_1",
        "DROP TABLE delegations",
        "DROP TABLE account",
    ]],
};
/// Credits by order; the number of the last batch that was made before each came, and what its
/// creator's shop is told.
pub static CREDITS: Table = table!(
    "credits",
    (
        "gross": "INTEGER NOT NULL",
        "fee": "INTEGER NOT NULL",
        "time": "INTEGER NOT NULL",
        "after": "INTEGER NOT NULL DEFAULT 0",
        "told": "TEXT NOT NULL DEFAULT ''"
    ),
    ""
);
/// What a shop is to be told, where that is more than an inbox keeps in its own row.
pub static FEED: Table = table!("feed", ("orders": "TEXT NOT NULL"), "");
/// What an inbox holds.
pub static HELD: Table = table!("held", ("body": "TEXT NOT NULL"), "");
/// An inbox.
pub static INBOX: Schema = Schema {
    tables: &[&CREDITS, &HELD, &FEED],
    first: "inbox",
    upgrades: &[&[
        HELD.create,
        // What neither waits nor is on its way has come home.
        "INSERT INTO held SELECT x'00', json_set(body, '$.folded', json_object(
         'net', net - json_extract(body, '$.open.net') - coalesce(json_extract(body, '$.folding.net'), 0),
         'fee', fee - json_extract(body, '$.open.fee') - coalesce(json_extract(body, '$.folding.fee'), 0),
         'count', n - json_extract(body, '$.open.count') - coalesce(json_extract(body, '$.folding.count'), 0)))
         FROM inbox, (SELECT coalesce(sum(gross - fee), 0) AS net, coalesce(sum(fee), 0) AS fee, count(*) AS n
         FROM credits)",
        "DROP TABLE inbox",
    ], &[
        "ALTER TABLE credits ADD COLUMN after INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE credits ADD COLUMN told TEXT NOT NULL DEFAULT ''",
        FEED.create,
    ]],
};

/// A work's record, terms and keys.
pub static BOOK: Table = table!("book", ("body": "TEXT NOT NULL"), "");
/// Copies by order.
pub static STOCK: Table = table!(
    "stock",
    ("state": "INTEGER NOT NULL", "account": "TEXT NOT NULL", "time": "INTEGER NOT NULL"),
    "",
    state 0 "state"
);
/// A work.
pub static WORK: Schema = Schema {
    tables: &[&BOOK, &STOCK],
    first: "work",
    upgrades: &[&[
        BOOK.create,
        "INSERT INTO book SELECT x'00', body FROM work",
        STOCK.create,
        "DROP TABLE work",
    ]],
};

/// Accounts of a shard.
pub static KNOWN: Table = table!("known", ("time": "INTEGER NOT NULL"), "");
/// A shard of the directory.
pub static DIRECTORY: Schema = Schema {
    tables: &[&KNOWN],
    first: "accounts",
    upgrades: &[&[
        KNOWN.create,
        "INSERT INTO known SELECT CAST(account AS BLOB), time FROM accounts",
        "DROP TABLE accounts",
    ]],
};

/// What the operator has set.
pub static SET: Table = table!("set_by_operator", ("body": "TEXT NOT NULL"), "");
/// The issuer.
pub static ISSUER: Schema = Schema {
    tables: &[&SET],
    first: "rate",
    upgrades: &[&[
        SET.create,
        "INSERT INTO set_by_operator SELECT x'00', body FROM rate",
        "DROP TABLE rate",
    ]],
};

/// Takes columns off one by one.
#[derive(Debug)]
pub struct Taken(std::vec::IntoIter<Value>);

impl Taken {
    /// From a row.
    #[must_use]
    pub fn of(columns: Columns) -> Self {
        Self(columns.into_iter())
    }

    /// A whole number.
    pub fn int(&mut self) -> Result<u64> {
        match self.0.next() {
            Some(Value::Int(n)) => Ok(n),
            _ => Err(internal("a column is not a number")),
        }
    }

    /// An amount.
    pub fn msat(&mut self) -> Result<Msat> {
        Ok(Msat::new(self.int()?)?)
    }

    /// Text.
    pub fn text(&mut self) -> Result<String> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(internal("a column is not text")),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.0.next() {
            Some(Value::Blob(bytes)) => Ok(bytes),
            _ => Err(internal("a column is not bytes")),
        }
    }
}

/// An account's row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Its sums.
    pub balances: Balances,
    /// Delegations of earlier epochs have ended.
    pub epoch: u64,
    /// Whether the directory knows it.
    pub registered: bool,
    /// Lines of its journal.
    pub lines: u64,
    /// Ids (20 bytes each) of transfers that are not done: the outbox.
    pub todo: Vec<u8>,
    /// Keys (21 bytes each) of the lines that are not yet on a page.
    pub recent: Vec<u8>,
    /// What keys with a counted grant have spent: see `account_keys`.
    pub spent: Vec<u8>,
}

impl Head {
    /// Of an account; a new one where there is none.
    pub fn load(tables: &impl Tables) -> Result<Self> {
        let Some(columns) = tables.get(&HEAD, ONE)? else {
            return Ok(Self::default());
        };
        let mut row = Taken::of(columns);
        Ok(Self {
            balances: Balances {
                debits_pending: row.msat()?,
                debits_posted: row.msat()?,
                credits_pending: row.msat()?,
                credits_posted: row.msat()?,
            },
            epoch: row.int()?,
            registered: row.int()? == 1,
            lines: row.int()?,
            todo: row.bytes()?,
            recent: row.bytes()?,
            spent: row.bytes()?,
        })
    }

    /// Writes it, if its sums are possible.
    pub fn save(self, tables: &impl Tables) -> Result<()> {
        let b = self.balances;
        b.available()?;
        let columns = vec![
            Value::Int(b.debits_pending.get()),
            Value::Int(b.debits_posted.get()),
            Value::Int(b.credits_pending.get()),
            Value::Int(b.credits_posted.get()),
            Value::Int(self.epoch),
            Value::Int(u64::from(self.registered)),
            Value::Int(self.lines),
            Value::Blob(self.todo),
            Value::Blob(self.recent),
            Value::Blob(self.spent),
        ];
        tables.put(&HEAD, ONE, columns)
    }
}

/// What a row of `transfers` is: why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A debit for a work.
    Purchase = 1,
    /// A work owned already, issued to another key: moves nothing.
    Reissue = 2,
    /// Test money in.
    Fund = 3,
    /// Sales folded in by an inbox.
    Fold = 4,
    /// Paid back to a buyer.
    Refund = 5,
    /// Got back from a seller.
    Refunded = 6,
    /// A part of the fee, given back by the operator.
    FeeOut = 7,
    /// And got back.
    FeeIn = 8,
    /// Given by an operator's correction.
    CorrectionOut = 9,
    /// And got.
    CorrectionIn = 10,
    /// A part of a refund, given back by a collaborator.
    SplitOut = 11,
    /// And got back.
    SplitIn = 12,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Purchase,
        Self::Reissue,
        Self::Fund,
        Self::Fold,
        Self::Refund,
        Self::Refunded,
        Self::FeeOut,
        Self::FeeIn,
        Self::CorrectionOut,
        Self::CorrectionIn,
        Self::SplitOut,
        Self::SplitIn,
    ];

    /// As statements call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Reissue => "reissue",
            Self::Fund => "test_money",
            Self::Fold => "sales",
            Self::Refund => "refund",
            Self::Refunded => "refunded",
            Self::FeeOut | Self::FeeIn => "fee_returned",
            Self::CorrectionOut | Self::CorrectionIn => "correction",
            Self::SplitOut | Self::SplitIn => "split_returned",
        }
    }

    /// Whether it takes money out of the account.
    #[must_use]
    pub fn debits(self) -> bool {
        matches!(
            self,
            Self::Purchase | Self::Refund | Self::FeeOut | Self::CorrectionOut | Self::SplitOut
        )
    }
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Reserved.
    Pending = 1,
    /// Moved for good.
    Posted = 2,
    /// Given up: nothing moved, and nothing ever will.
    Void = 3,
    /// Posted, and paid back in full: the entitlement has ended.
    Ended = 4,
}

/// A row of `transfers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Why.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// How much.
    pub msat: Msat,
    /// Unix seconds: of the reservation, then of the posting.
    pub time: u64,
    /// The account's posted balance after it; 0 before.
    pub balance: Msat,
    /// How much of it was paid back.
    pub refunded: Msat,
    /// JSON by kind.
    pub body: String,
}

impl TransferRow {
    /// From columns.
    pub fn of(columns: Columns) -> Result<Self> {
        let mut row = Taken::of(columns);
        let kind = row.int()?;
        let kind = Kind::ALL.into_iter().find(|known| *known as u64 == kind);
        let state = match row.int()? {
            1 => State::Pending,
            2 => State::Posted,
            3 => State::Void,
            4 => State::Ended,
            _ => return Err(internal("no such state")),
        };
        Ok(Self {
            kind: kind.ok_or_else(|| internal("no such kind"))?,
            state,
            msat: row.msat()?,
            time: row.int()?,
            balance: row.msat()?,
            refunded: row.msat()?,
            body: row.text()?,
        })
    }

    /// By key.
    pub fn load(tables: &impl Tables, key: &[u8]) -> Result<Option<Self>> {
        tables.get(&TRANSFERS, key)?.map(Self::of).transpose()
    }

    /// By key, of a transfer that there must be.
    pub fn must(tables: &impl Tables, key: &[u8]) -> Result<Self> {
        Self::load(tables, key)?.ok_or_else(|| internal("a transfer is gone"))
    }

    /// Writes it.
    pub fn save(self, tables: &impl Tables, key: &[u8]) -> Result<()> {
        let columns = vec![
            Value::Int(self.kind as u64),
            Value::Int(self.state as u64),
            Value::Int(self.msat.get()),
            Value::Int(self.time),
            Value::Int(self.balance.get()),
            Value::Int(self.refunded.get()),
            Value::Text(self.body),
        ];
        tables.put(&TRANSFERS, key, columns)
    }
}

//! The rows of an account: what is read before a decision and written after it.

use satchel_crypto::ed25519::PublicKey;
use satchel_domain::{
    ledger::{self, Balances},
    money::Msat,
};
use satchel_edge::{Row, Tables, Value, Write, internal, now_s};
use satchel_wire::{ErrorCode, Result, api::PurchaseOut, internal::Transfer, order::Order};

use crate::book::{self, Entry, Kind};

pub(crate) const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS account (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
        debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
        credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
        credits_posted INTEGER NOT NULL CHECK (credits_posted <= 9007199254740991),
        epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        registered INTEGER NOT NULL,
        outbox BLOB NOT NULL,
        CHECK (debits_pending + debits_posted <= credits_posted))",
    "CREATE TABLE IF NOT EXISTS transfers (
        key BLOB PRIMARY KEY,
        kind INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        msat INTEGER NOT NULL,
        time INTEGER NOT NULL,
        body TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS delegations (
        key TEXT PRIMARY KEY,
        x TEXT NOT NULL,
        expires INTEGER NOT NULL,
        body TEXT NOT NULL) WITHOUT ROWID",
];

/// The account's row.
pub(crate) struct Head {
    pub(crate) balances: Balances,
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) registered: bool,
    pub(crate) outbox: Vec<u8>,
}

impl Head {
    /// The number of the row written along with this head.
    pub(crate) fn next(&self) -> u64 {
        self.seq.saturating_add(1)
    }

    /// Writes it back under the next number, provided that nobody else wrote in between.
    pub(crate) fn write(self, exists: bool) -> Write {
        let b = self.balances;
        let seq = self.next();
        let values = vec![
            Value::Int(b.debits_pending.get()),
            Value::Int(b.debits_posted.get()),
            Value::Int(b.credits_pending.get()),
            Value::Int(b.credits_posted.get()),
            Value::Int(self.epoch),
            Value::Int(seq),
            Value::Int(u64::from(self.registered)),
            Value::Blob(self.outbox),
        ];
        if exists {
            let values = [values, vec![Value::Int(self.seq)]].concat();
            Write::guarded(
                "UPDATE account SET debits_pending=?, debits_posted=?, credits_pending=?,
                 credits_posted=?, epoch=?, seq=?, registered=?, outbox=? WHERE id = 0 AND seq = ?",
                values,
            )
        } else {
            Write::guarded(
                "INSERT INTO account VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        }
    }
}

/// An account's tables.
pub(crate) struct Store(pub(crate) Tables);

impl Store {
    pub(crate) fn head(&self) -> Result<Option<Head>> {
        let row = self.0.row(
            "SELECT debits_pending, debits_posted, credits_pending, credits_posted,
             epoch, seq, registered, outbox FROM account",
            vec![],
        )?;
        let Some(row) = row else { return Ok(None) };
        let msat = |i| row.int(i).and_then(|n| Msat::new(n).map_err(Into::into));
        Ok(Some(Head {
            balances: Balances {
                debits_pending: msat(0)?,
                debits_posted: msat(1)?,
                credits_pending: msat(2)?,
                credits_posted: msat(3)?,
            },
            epoch: row.int(4)?,
            seq: row.int(5)?,
            registered: row.int(6)? == 1,
            outbox: row.blob(7)?.to_vec(),
        }))
    }

    pub(crate) fn head_or_new(&self) -> Result<(Head, bool)> {
        Ok(self.head()?.map_or_else(
            || {
                let outbox = Vec::new();
                let balances = Balances::default();
                (
                    Head {
                        balances,
                        epoch: 0,
                        seq: 0,
                        registered: false,
                        outbox,
                    },
                    false,
                )
            },
            |head| (head, true),
        ))
    }

    pub(crate) fn delegation(&self, key: &str) -> Result<Option<ledger::Delegation>> {
        let row = self.0.row(
            "SELECT body FROM delegations WHERE key = ?",
            vec![Value::from(key)],
        )?;
        row.map(|row| row.json(0)).transpose()
    }

    /// Whether `key` may do what `scope` asks.
    pub(crate) fn allowed(&self, key: &str, scope: fn(&ledger::Delegation) -> bool) -> Result<()> {
        let epoch = self.head()?.map_or(0, |head| head.epoch);
        let delegation = self.delegation(key)?.ok_or(ErrorCode::WrongKey)?;
        delegation.check(epoch, now_s())?;
        if scope(&delegation) {
            Ok(())
        } else {
            Err(ErrorCode::ScopeMissing.into())
        }
    }

    pub(crate) fn entry(&self, key: Vec<u8>) -> Result<Option<Entry>> {
        let row = self.0.row(
            "SELECT body FROM transfers WHERE key = ?",
            vec![Value::Blob(key)],
        )?;
        row.map(|row| row.json(0)).transpose()
    }

    /// The first purchase of a work, if it is owned.
    pub(crate) fn owned(&self, order: &Order) -> Result<Option<Entry>> {
        let (low, high) = book::work_range(&order.work);
        let rows = self.0.rows(
            "SELECT body FROM transfers WHERE key >= ? AND key < ? AND kind = ?",
            vec![
                Value::Blob(low),
                Value::Blob(high),
                Value::Int(Kind::Purchase as u64),
            ],
        )?;
        for row in rows {
            let entry: Entry = row.json(0)?;
            // The tag is 8 bytes of a hash: the whole id decides.
            if entry.transfer.agreement.work == order.work {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The public key of a thumbprint, as its delegation kept it.
    pub(crate) fn signer_key(&self, kid: &str) -> Result<Option<PublicKey>> {
        let row = self.0.row(
            "SELECT x FROM delegations WHERE key = ?",
            vec![Value::from(kid)],
        );
        let Some(row) = row? else { return Ok(None) };
        PublicKey::from_b64(row.text(0)?)
            .map(Some)
            .map_err(|_| internal("a kept key is not a key"))
    }

    pub(crate) fn row_of(&self, key: &[u8]) -> Result<Option<Row>> {
        self.0.row(
            "SELECT msat FROM transfers WHERE key = ?",
            vec![Value::Blob(key.to_vec())],
        )
    }
}

pub(crate) fn transfer_row(
    key: Vec<u8>,
    kind: Kind,
    seq: u64,
    msat: u64,
    time: u64,
    entry: &Entry,
) -> Result<Write> {
    let body = satchel_json::to_string(entry).map_err(internal)?;
    Ok(Write::new(
        "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?)",
        vec![
            Value::Blob(key),
            Value::Int(kind as u64),
            Value::Int(seq),
            Value::Int(msat),
            Value::Int(time),
            Value::Text(body),
        ],
    ))
}

pub(crate) fn purchase(row: &Row) -> Result<PurchaseOut> {
    let entry: Entry = row.json(1)?;
    let Transfer {
        agreement,
        time,
        usage,
        title,
        ..
    } = entry.transfer;
    Ok(PurchaseOut {
        order: agreement.order,
        work: agreement.work,
        version: agreement.version,
        title,
        usage,
        usd_micros: agreement.usd_micros,
        msat: agreement.msat,
        time,
    })
}

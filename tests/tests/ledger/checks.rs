//! What must hold after every transaction, as far as one object's rows and what it was told can show.

use std::rc::Rc;

use satchel_edge::{Columns, Table, Value};
use satchel_ledger_worker::{
    book::{self, Entry, ID_BYTES},
    rows::{
        CREDITS, FEED, HEAD, HELD, INBOXES, KNOWN, Kind, ONE, STOCK, State, TRANSFERS, TransferRow,
    },
};
use satchel_wire::internal::Sending;

use crate::{
    engine::Sim,
    object::Object,
    tables::{Data, Sort},
};

/// Table, key, and the row before.
pub type Writes = Vec<(usize, Vec<u8>, Option<Rc<Columns>>)>;
pub type Verdict = Result<(), String>;

/// Says what is wrong unless it is so.
macro_rules! must {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
pub(crate) use must;

pub fn int(columns: &Columns, at: usize) -> u64 {
    match columns.get(at) {
        Some(Value::Int(n)) => *n,
        other => panic!("column {at} is {other:?}"),
    }
}

pub fn text(columns: &Columns, at: usize) -> &str {
    match columns.get(at) {
        Some(Value::Text(text)) => text,
        other => panic!("column {at} is {other:?}"),
    }
}

pub fn blob(columns: &Columns, at: usize) -> &[u8] {
    match columns.get(at) {
        Some(Value::Blob(bytes)) => bytes,
        other => panic!("column {at} is {other:?}"),
    }
}

pub fn entry_of(row: &TransferRow) -> Entry {
    satchel_json::from_slice(row.body.as_bytes()).unwrap()
}

pub fn sending_of(row: &TransferRow) -> Sending {
    satchel_json::from_slice(row.body.as_bytes()).unwrap()
}

pub fn is_posted(state: State) -> bool {
    matches!(state, State::Posted | State::Ended)
}

/// Checks an object right after one of its transactions.
pub fn after_commit(sim: &Sim, object: &Object, writes: &Writes) -> Verdict {
    let data = object.data();
    let tables = object.sort.tables();
    match object.sort {
        Sort::Account => {
            sums_agree(&data)?;
            for (table, key, before) in writes {
                let table: &Table = tables[*table];
                if table.name == TRANSFERS.name {
                    transfer_moved_on(&data, key, before.as_deref())?;
                } else if table.name == HEAD.name {
                    head_moved_on(sim, &data, before.as_deref())?;
                } else if table.name == INBOXES.name {
                    let number = |row: &Columns| int(row, 0);
                    let before = before.as_deref().map_or(0, number);
                    let after = data.get(&INBOXES, key).map_or(0, |row| number(row));
                    must!(after >= before, "batch {after} came after batch {before}");
                }
            }
            registered(sim, object, &data)
        }
        Sort::Inbox => held_agrees(&data),
        Sort::Work => stock_fits(sim, object, &data, writes),
        Sort::Directory | Sort::Shop => Ok(()),
    }
}

fn sums_agree(data: &Data) -> Verdict {
    let sums = &data.sums;
    let head = data.get(&HEAD, ONE);
    let [pending, debits, credits] = [0, 1, 3].map(|at| head.map_or(0, |row| int(row, at)));
    must!(
        debits == sums.debits && pending == sums.pending,
        "debits {debits} and {pending} reserved, but its lines say {sums:?}"
    );
    must!(
        credits == sums.credits + sums.folded,
        "credits {credits}, but its lines say {sums:?}"
    );
    must!(debits + pending <= credits, "available < 0");
    Ok(())
}

fn transfer_moved_on(data: &Data, key: &[u8], before: Option<&Columns>) -> Verdict {
    let before = before.map(|row| TransferRow::of(row.clone()).unwrap());
    let Some(after) = data.transfer(key) else {
        let fold = before.is_none_or(|row| row.kind == Kind::Fold);
        must!(fold, "a line is gone that is no batch of sales");
        return Ok(());
    };
    if let Some(before) = before {
        let fine = match (before.state, after.state) {
            (State::Pending, State::Posted | State::Void) | (State::Posted, State::Ended) => true,
            (a, b) => a == b,
        };
        must!(fine, "{:?} became {:?}", before.state, after.state);
        must!(
            before.kind == after.kind && before.msat == after.msat,
            "a transfer has changed what it moves"
        );
        must!(before.refunded <= after.refunded, "a refund was taken back");
    }
    must!(
        after.refunded <= after.msat || after.kind != Kind::Purchase,
        "refunded more than paid"
    );
    if after.state == State::Pending {
        let head = data.get(&HEAD, ONE).ok_or("reserved without a head")?;
        let listed = blob(head, 7)
            .chunks_exact(ID_BYTES)
            .any(|id| id == &key[1..]);
        must!(listed, "reserved, and not in the outbox");
    }
    if after.kind == Kind::Purchase && after.state == State::Posted {
        let entry = entry_of(&after);
        let agreement = &entry.transfer.agreement;
        if let Some(out) = &entry.credit {
            must!(out.credit.payee != agreement.account, "bought from oneself");
        }
        let (from, below) = book::work_range(&agreement.work);
        for (other, row) in data.all(&TRANSFERS).range(from..below) {
            if other == key {
                continue;
            }
            let row = TransferRow::of((**row).clone()).unwrap();
            let twice = row.kind == Kind::Purchase
                && row.state == State::Posted
                && entry_of(&row).transfer.agreement.work == agreement.work;
            must!(!twice, "paid twice for {}", agreement.work);
        }
    }
    Ok(())
}

fn head_moved_on(sim: &Sim, data: &Data, before: Option<&Columns>) -> Verdict {
    let after = data.get(&HEAD, ONE).ok_or("the head is gone")?;
    let Some(before) = before else { return Ok(()) };
    must!(int(after, 4) >= int(before, 4), "the epoch went back");
    must!(int(after, 6) >= int(before, 6), "lines are gone");
    let left = blob(after, 7);
    must!(
        left.len() <= book::MAX_OUTBOX * ID_BYTES + 64 * ID_BYTES,
        "the outbox overflows"
    );
    for id in blob(before, 7).chunks_exact(ID_BYTES) {
        if !left.chunks_exact(ID_BYTES).any(|one| one == id) {
            delivered(sim, data, &book::id_key(id))?;
        }
    }
    Ok(())
}

/// What was struck off the outbox has arrived.
fn delivered(sim: &Sim, data: &Data, key: &[u8]) -> Verdict {
    let row = data.transfer(key).ok_or("struck off without a row")?;
    must!(row.state != State::Pending, "struck off while reserved");
    if row.kind == Kind::Purchase {
        if !is_posted(row.state) {
            return Ok(());
        }
        let entry = entry_of(&row);
        let out = entry.credit.ok_or("struck off without a credit")?;
        let arrived = sim.known(Sort::Inbox, &out.inbox);
        let arrived = arrived.is_some_and(|inbox| inbox.data().get(&CREDITS, key).is_some());
        must!(arrived, "struck off, and the inbox knows nothing of it");
        if entry.counted == Some(true) {
            let work = entry.transfer.agreement.work;
            let state = sim
                .known(Sort::Work, work.as_str())
                .and_then(|work| work.data().get(&STOCK, key).map(|row| int(row, 0)));
            must!(
                state.is_some_and(|state| state & 3 == 2),
                "posted, but the copy of {work} is {state:?}"
            );
        }
        return Ok(());
    }
    let sending = sending_of(&row);
    let received = sim
        .known(Sort::Account, &sending.to)
        .is_some_and(|to| to.data().transfer(key).is_some());
    must!(
        received == is_posted(row.state),
        "a sending is {:?}, received: {received}",
        row.state
    );
    Ok(())
}

/// An account that holds anything is in the directory.
fn registered(sim: &Sim, object: &Object, data: &Data) -> Verdict {
    let known = data.get(&HEAD, ONE).is_some_and(|row| int(row, 5) == 1);
    let holds = data.sums.credits + data.sums.folded > 0;
    must!(known || !holds, "holds money, and is not registered");
    if known {
        let shard = satchel_ledger_worker::directory::shard(&object.name);
        let listed = sim
            .known(Sort::Directory, &shard)
            .is_some_and(|shard| shard.data().get(&KNOWN, object.name.as_bytes()).is_some());
        must!(listed, "is not in the directory");
    }
    Ok(())
}

/// What an inbox says it holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub number: u64,
    /// Net, fee, count: open, on their way home, at home.
    pub open: [u64; 3],
    pub folding: [u64; 3],
    pub folded: [u64; 3],
    /// Whether anybody is still to be told anything.
    waits: bool,
}

impl Held {
    pub fn of(data: &Data) -> Self {
        let Some(row) = data.get(&HELD, ONE) else {
            return Self::default();
        };
        let held: serde_json::Value = serde_json::from_str(text(row, 0)).unwrap();
        let n = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
        let mut sums = Self {
            number: n(&held["number"]),
            folded: ["net", "fee", "count"].map(|member| n(&held["folded"][member])),
            waits: !data.all(&FEED).is_empty(),
            ..Self::default()
        };
        for leg in held["legs"].as_array().unwrap() {
            let words: Vec<&str> = leg.as_str().unwrap().split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            let side = usize::from(words[0].starts_with("fees"));
            sums.open[side] += number(1);
            sums.folding[side] += number(5);
            if words[0] == held["payee"] {
                sums.open[2] += number(2);
                sums.folding[2] += number(6);
            }
            sums.waits |= number(2) > 0 || number(4) > 0;
        }
        for feed in held["feeds"].as_array().unwrap() {
            let words: Vec<&str> = feed.as_str().unwrap().split(' ').collect();
            sums.waits |= !words[1].is_empty() || !words[2].is_empty();
        }
        sums
    }

    pub fn waits(&self) -> bool {
        self.waits
    }
}

fn held_agrees(data: &Data) -> Verdict {
    let held = Held::of(data);
    let sum = |at: usize| held.open[at] + held.folding[at] + held.folded[at];
    let sums = &data.sums;
    must!(
        sum(0) + sum(1) == sums.credits && sum(1) == sums.debits && sum(2) == sums.pending,
        "holds {held:?}, but its credits are gross {}, fee {}, count {}",
        sums.credits,
        sums.debits,
        sums.pending
    );
    Ok(())
}

fn stock_fits(sim: &Sim, object: &Object, data: &Data, writes: &Writes) -> Verdict {
    let limits = sim.limits.borrow().get(&object.name).copied();
    let Some((limit, giveaway)) = limits else {
        return Ok(());
    };
    let tables = object.sort.tables();
    for (table, key, before) in writes {
        if tables[*table].name != STOCK.name {
            continue;
        }
        let before = before.as_deref().map_or(0, |row| int(row, 0) & 3);
        let after = data.get(&STOCK, key).map_or(0, |row| int(row, 0) & 3);
        let fine = matches!((before, after), (0, 1) | (1, 1..=3)) || before == after;
        must!(fine, "a copy went from {before} to {after}");
    }
    let (mut gone, mut free) = (0, 0);
    for row in data.all(&STOCK).values() {
        let state = int(row, 0);
        if state & 3 != 3 {
            gone += 1;
            free += u32::from(state & 4 != 0);
        }
    }
    must!(
        limit.is_none_or(|most| gone <= most),
        "{gone} of {limit:?} copies are gone"
    );
    must!(
        free <= giveaway.unwrap_or(0),
        "{free} of {giveaway:?} copies are given"
    );
    Ok(())
}

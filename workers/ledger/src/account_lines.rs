//! An account's journal: lines in the order of their posting, 64 to a page; history, statement, audit.
//!
//! A line is the key of a transfer. The newest up to 63 stand in the account's own row, which every
//! transfer writes anyway: the order costs a row for every 64 transfers and no index. Old batches of
//! sales are folded into one line a page, and their rows go: what tells a repeated batch is the inbox's
//! number, not its row.

use satchel_domain::money::Msat;
use satchel_edge::Value;
use satchel_wire::{
    Result,
    api::{PurchaseOut, PurchasesOut, TransferOut, TransfersOut},
    internal::{AccountAudit, AuditSum, Fold, Sending},
};
use serde::Serialize;

use crate::{
    book::{self, Entry, ID_BYTES},
    host::{Tables, decode},
    rows::{Head, INBOXES, Kind, PAGES, State, Taken, TransferRow},
};

/// Lines on a page.
const PAGE_LINES: u64 = 64;
/// Bytes of a line: the key of its transfer; all zero once it was folded.
const LINE_BYTES: usize = ID_BYTES + 1;
/// The newest pages, whose batches of sales stand one by one.
const KEPT_PAGES: u64 = 64;
/// Pages looked through for a page of purchases.
const MAX_PAGES: u32 = 32;

/// What was folded of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
struct Folded {
    time: u64,
    credit: Msat,
    balance: Msat,
    /// Batches.
    lines: u64,
    /// Sales in them.
    count: u64,
}
satchel_json::read!(Folded {
    time,
    credit,
    balance,
    lines,
    count,
    ..
});

/// Appends a posted transfer to the journal; gives the posted balance after it.
pub fn append(tables: &impl Tables, head: &mut Head, key: &[u8]) -> Result<()> {
    head.lines = head.lines.saturating_add(1);
    head.recent.extend_from_slice(key);
    if head.lines.checked_rem(PAGE_LINES) != Some(0) {
        return Ok(());
    }
    let number = page_of(head.lines);
    let lines = std::mem::take(&mut head.recent);
    save_page(tables, number, lines, String::new())?;
    match number.checked_sub(KEPT_PAGES) {
        Some(old) if old > 0 => fold_page(tables, old),
        _ => Ok(()),
    }
}

fn page_of(line: u64) -> u64 {
    line.div_ceil(PAGE_LINES)
}

fn first_line(page: u64) -> u64 {
    page.saturating_sub(1)
        .saturating_mul(PAGE_LINES)
        .saturating_add(1)
}

fn save_page(tables: &impl Tables, number: u64, lines: Vec<u8>, folded: String) -> Result<()> {
    let columns = vec![Value::Blob(lines), Value::Text(folded)];
    tables.put(&PAGES, &number.to_be_bytes(), columns)
}

fn load_page(tables: &impl Tables, head: &Head, number: u64) -> Result<(Vec<u8>, String)> {
    match tables.get(&PAGES, &number.to_be_bytes())? {
        Some(columns) => {
            let mut row = Taken::of(columns);
            Ok((row.bytes()?, row.text()?))
        }
        None => Ok((head.recent.clone(), String::new())),
    }
}

fn fold_page(tables: &impl Tables, number: u64) -> Result<()> {
    let (lines, _) = load_page(tables, &Head::default(), number)?;
    let mut folded = Folded::default();
    let mut left = Vec::with_capacity(lines.len());
    for key in lines.chunks_exact(LINE_BYTES) {
        let row = if book::is_fold(key) {
            TransferRow::load(tables, key)?
        } else {
            None
        };
        let Some(row) = row else {
            left.extend_from_slice(key);
            continue;
        };
        let batch: Fold = decode(row.body.as_bytes())?;
        folded = Folded {
            time: row.time,
            credit: folded.credit.plus(row.msat)?,
            balance: row.balance,
            lines: folded.lines.saturating_add(1),
            count: folded.count.saturating_add(batch.count),
        };
        tables.delete(&crate::rows::TRANSFERS, key)?;
        left.extend_from_slice(&[0; LINE_BYTES]);
    }
    if folded.lines == 0 {
        return Ok(());
    }
    let text = satchel_json::to_string(&folded).map_err(satchel_edge::internal)?;
    save_page(tables, number, left, text)
}

/// A line as it was read.
enum Line {
    Transfer(Vec<u8>, TransferRow),
    Checkpoint(Folded),
}

/// The lines of a page with their numbers; a checkpoint stands where the first of its lines stood.
fn read_page(tables: &impl Tables, head: &Head, page: u64) -> Result<Vec<(u64, Line)>> {
    let (lines, folded) = load_page(tables, head, page)?;
    let mut folded = if folded.is_empty() {
        None
    } else {
        Some(decode(folded.as_bytes())?)
    };
    let mut read = Vec::new();
    for (number, key) in (first_line(page)..).zip(lines.chunks_exact(LINE_BYTES)) {
        if key.first() == Some(&0) {
            read.extend(
                folded
                    .take()
                    .map(|folded| (number, Line::Checkpoint(folded))),
            );
            continue;
        }
        let row = TransferRow::must(tables, key)?;
        read.push((number, Line::Transfer(key.to_vec(), row)));
    }
    Ok(read)
}

/// Which lines are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Oldest first, after this one.
    After(u64),
    /// Newest first, before this one.
    Before(u64),
}

/// Up to a page of lines.
pub fn history(tables: &impl Tables, from: From) -> Result<TransfersOut> {
    let head = Head::load(tables)?;
    let nothing = TransfersOut {
        transfers: Vec::new(),
        next: None,
    };
    let line = match from {
        From::After(line) => line.saturating_add(1),
        From::Before(line) => line.saturating_sub(1).min(head.lines),
    };
    if line == 0 || line > head.lines {
        return Ok(nothing);
    }
    let page = page_of(line);
    let lines = read_page(tables, &head, page)?;
    let wanted = |n: u64| match from {
        From::After(_) => n >= line,
        From::Before(_) => n <= line,
    };
    let shown = lines
        .into_iter()
        .filter(|(n, _)| wanted(*n))
        .map(|(n, line)| shown(n, line));
    let mut transfers = shown.collect::<Result<Vec<_>>>()?;
    let next = match from {
        From::After(_) => Some(page.saturating_mul(PAGE_LINES)).filter(|last| *last < head.lines),
        From::Before(_) => {
            transfers.reverse();
            Some(first_line(page)).filter(|first| *first > 1)
        }
    };
    Ok(TransfersOut { transfers, next })
}

fn shown(number: u64, line: Line) -> Result<TransferOut> {
    let (_, row) = match line {
        Line::Checkpoint(folded) => {
            return Ok(TransferOut {
                line: number,
                time: folded.time,
                kind: "checkpoint".to_owned(),
                credit_msat: folded.credit,
                debit_msat: Msat::ZERO,
                balance_msat: folded.balance,
                count: folded.count,
                order: None,
                work: None,
                title: None,
            });
        }
        Line::Transfer(key, row) => (key, row),
    };
    let mut out = TransferOut {
        line: number,
        time: row.time,
        kind: row.kind.name().to_owned(),
        credit_msat: if row.kind.debits() {
            Msat::ZERO
        } else {
            row.msat
        },
        debit_msat: if row.kind.debits() {
            row.msat
        } else {
            Msat::ZERO
        },
        balance_msat: row.balance,
        count: 1,
        order: None,
        work: None,
        title: None,
    };
    match row.kind {
        Kind::Purchase | Kind::Reissue => {
            let entry: Entry = decode(row.body.as_bytes())?;
            out.order = Some(entry.transfer.agreement.order);
            out.work = Some(entry.transfer.agreement.work);
            out.title = Some(entry.transfer.title);
        }
        Kind::Fold => out.count = decode::<Fold>(row.body.as_bytes())?.count,
        Kind::Fund => {}
        _ => {
            let sending: Sending = decode(row.body.as_bytes())?;
            out.title = sending.reason;
            if let Some(sale) = sending.sale {
                out.order = Some(sale.order);
                out.work = Some(sale.work);
                out.title = Some(sale.title);
            }
        }
    }
    Ok(out)
}

/// Purchases before a line, newest first.
pub fn purchases(tables: &impl Tables, before: u64) -> Result<PurchasesOut> {
    let head = Head::load(tables)?;
    let mut found = Vec::new();
    let mut line = before.saturating_sub(1).min(head.lines);
    let mut pages = 0_u32;
    while line > 0 && pages < MAX_PAGES {
        pages = pages.saturating_add(1);
        let page = page_of(line);
        for (number, read) in read_page(tables, &head, page)?.into_iter().rev() {
            let Line::Transfer(_, row) = read else {
                continue;
            };
            if number > line || row.kind != Kind::Purchase {
                continue;
            }
            found.push(purchase(&row)?);
            if found.len() == book::PAGE {
                let next = Some(number.to_string()).filter(|_| number > 1);
                return Ok(PurchasesOut {
                    purchases: found,
                    next,
                });
            }
        }
        line = first_line(page).saturating_sub(1);
    }
    let next = Some(line.saturating_add(1).to_string()).filter(|_| line > 0);
    Ok(PurchasesOut {
        purchases: found,
        next,
    })
}

fn purchase(row: &TransferRow) -> Result<PurchaseOut> {
    let entry: Entry = decode(row.body.as_bytes())?;
    let transfer = entry.transfer;
    let agreement = transfer.agreement;
    Ok(PurchaseOut {
        order: agreement.order,
        work: agreement.work,
        version: agreement.version,
        title: transfer.title,
        usage: transfer.usage,
        usd_micros: agreement.usd_micros,
        msat: agreement.msat,
        time: row.time,
        refunded_msat: row.refunded,
        active: row.state == State::Posted,
        handle: transfer.handle,
    })
}

/// The id by which what the operator or a collaborator bears of a refund comes back.
#[must_use]
pub fn back_id(refund: &str, from: &str) -> String {
    let from = if book::takes_fees(from) { "fee" } else { from };
    format!("{refund}/{from}")
}

/// Sums by name.
#[derive(Debug, Default)]
struct Sums(Vec<AuditSum>);

impl Sums {
    fn add(&mut self, name: &str, credit: Msat, debit: Msat, count: u64) -> Result<()> {
        let at = self.0.iter().position(|sum| sum.name == name);
        let (credit, debit, count) = match at.and_then(|at| self.0.get(at)) {
            Some(sum) => (
                sum.credit.plus(credit)?,
                sum.debit.plus(debit)?,
                sum.count.saturating_add(count),
            ),
            None => (credit, debit, count),
        };
        let sum = AuditSum {
            name: name.to_owned(),
            credit,
            debit,
            count,
        };
        match at.and_then(|at| self.0.get_mut(at)) {
            Some(place) => *place = sum,
            None => self.0.push(sum),
        }
        Ok(())
    }
}

/// What an account still has to do, debited by the cut.
fn outstanding(tables: &impl Tables, head: &Head, cut: u64, sums: &mut Sums) -> Result<()> {
    for id in head.todo.chunks_exact(ID_BYTES) {
        let Some(row) = TransferRow::load(tables, &book::id_key(id))? else {
            continue;
        };
        if row.kind == Kind::Purchase {
            let entry: Entry = decode(row.body.as_bytes())?;
            let credit = entry.credit.filter(|out| out.credit.time <= cut);
            if let Some(credit) = credit.filter(|_| row.state != State::Void) {
                sums.add(&credit.inbox, Msat::ZERO, row.msat, 1)?;
            }
        } else {
            let sending: Sending = decode(row.body.as_bytes())?;
            if row.state == State::Pending {
                sums.add(&sending.id, Msat::ZERO, row.msat, 1)?;
                continue;
            }
            // Posted already: what is under way is what others bear, coming back.
            for part in book::parts_of(&sending) {
                if part.back.is_none() {
                    let name = back_id(&sending.id, &part.account);
                    sums.add(&name, Msat::ZERO, part.msat, 1)?;
                }
            }
        }
    }
    Ok(())
}

/// The sums of some lines, for an audit: up to 16 pages from a line on.
pub fn audit(tables: &impl Tables, cut: u64, after: &str) -> Result<AccountAudit> {
    let after: u64 = after.parse().map_err(satchel_edge::internal)?;
    let head = Head::load(tables)?;
    let [
        mut kinds,
        mut sold,
        mut sent,
        mut received,
        mut under_way,
        mut inboxes,
    ] = std::array::from_fn(|_| Sums::default());
    let (mut upto, mut balance) = (after, Msat::ZERO);
    let mut page = page_of(after.saturating_add(1));
    for _ in 0..16 {
        if upto >= head.lines {
            break;
        }
        for (number, line) in read_page(tables, &head, page)? {
            if number <= after {
                continue;
            }
            let row = match line {
                Line::Checkpoint(folded) => {
                    kinds.add("sales", folded.credit, Msat::ZERO, folded.lines)?;
                    balance = folded.balance;
                    continue;
                }
                Line::Transfer(_, row) => row,
            };
            balance = row.balance;
            let shown_kind = row.kind.name();
            if row.kind.debits() {
                kinds.add(shown_kind, Msat::ZERO, row.msat, 1)?;
            } else {
                kinds.add(shown_kind, row.msat, Msat::ZERO, 1)?;
            }
            match row.kind {
                Kind::Purchase => {
                    let entry: Entry = decode(row.body.as_bytes())?;
                    if let Some(credit) = entry.credit.filter(|out| out.credit.time <= cut) {
                        sold.add(&credit.inbox, Msat::ZERO, row.msat, 1)?;
                    }
                }
                Kind::Fund | Kind::Fold | Kind::Reissue => {}
                _ => {
                    let sending: Sending = decode(row.body.as_bytes())?;
                    if sending.time <= cut {
                        let (side, credit, debit) = if row.kind.debits() {
                            (&mut sent, Msat::ZERO, row.msat)
                        } else {
                            (&mut received, row.msat, Msat::ZERO)
                        };
                        side.add(&sending.id, credit, debit, 1)?;
                    }
                }
            }
        }
        upto = page.saturating_mul(PAGE_LINES).min(head.lines);
        page = page.saturating_add(1);
    }
    if after == 0 {
        outstanding(tables, &head, cut, &mut under_way)?;
        for (name, columns) in tables.scan(&INBOXES, &[], &[0xff], 10_000)? {
            let mut row = Taken::of(columns);
            let number = row.int()?;
            inboxes.add(
                &String::from_utf8_lossy(&name),
                row.msat()?,
                Msat::ZERO,
                number,
            )?;
        }
    }
    Ok(AccountAudit {
        balances: head.balances,
        lines: head.lines,
        upto,
        balance,
        kinds: kinds.0,
        sold: sold.0,
        sent: sent.0,
        received: received.0,
        under_way: under_way.0,
        inboxes: inboxes.0,
    })
}

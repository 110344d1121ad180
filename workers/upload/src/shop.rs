//! A creator's shop: works, sales, refunds, sums by day. Decides over [`Tables`]; the object is in
//! `shop_do.rs`. Webhooks: [`crate::hooks`].
//!
//! Everything that happens gets a number, counted in this shop. A batch of the ledger is taken once
//! by its source and number, and each sale once by its order: whatever is told again changes nothing.

use std::collections::BTreeMap;

use satchel_domain::id::{Thumbprint, WorkId};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    shop::{MAX_TOLD, ShopRefund, ShopSale},
    shopfront::{
        Day, EventKind, EventsOut, SaleOut, SalesOut, ShopEvent, ShopOut, ShopWork, StatsOut,
        Totals, WorkNews,
    },
};
use serde::Serialize;

use crate::{
    shop_rows::{
        DAYS, END, EVENTS, FEEDS, HEAD, KNOWN, ONE, Tables, WORKS, list, newest, pair, read, write,
    },
    shop_time::{date, day_of, month_of},
};

/// Works on a page: each costs a question to the ledger.
pub(crate) const WORKS_PAGE: u64 = 24;
/// Sales on a page.
pub(crate) const SALES_PAGE: usize = 50;
/// Events read for a page of sales of one work; a page may be shorter, and have a next one.
const SALES_LOOKED: u64 = 1_000;
/// Events in one answer.
pub(crate) const EVENTS_PAGE: u64 = 100;
/// Works in a batch of views.
pub(crate) const VIEWED: usize = 256;
/// Views of a work in a batch that count.
pub(crate) const VIEWS: u64 = 1_000;
/// Events that are kept; the statement of the account has what is older.
pub(crate) const EVENTS_KEPT: u64 = 200_000;
/// Events that go at once where there are too many.
const PRUNED: u64 = 1_200;
/// Days that are kept apart; older ones are added to their months.
pub(crate) const DAYS_KEPT: u32 = 400;
/// Days that may be asked for.
pub(crate) const DAYS_ASKED: u32 = 3_650;
/// Days of a work that are folded when a new one begins.
const FOLDED: u64 = 4;
const MAX_SOURCE_BYTES: usize = 200;
/// In the place of a work: all of them.
pub(crate) const ALL: &str = "-";

/// What is counted over all.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Head {
    /// The number of the newest event.
    pub(crate) n: u64,
    /// How many of the first events are gone.
    pub(crate) gone: u64,
    /// How many works there are.
    pub(crate) works: u64,
    /// Sums over all of them.
    pub(crate) totals: Totals,
}
satchel_json::read!(Head {
    n,
    gone,
    works,
    totals,
    ..
});

/// A work on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Shelf {
    work: WorkId,
    nonce: Option<String>,
    added: u64,
    hidden: bool,
    totals: Totals,
    /// What was last told of it.
    news: Option<WorkNews>,
}
satchel_json::read!(Shelf {
    work,
    nonce,
    added,
    hidden,
    totals,
    news,
    ..
});

/// What an id stands for: a work's number on the shelf, a sale's or a refund's as an event.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
struct Known {
    /// None yet where a refund was told before its sale.
    n: Option<u64>,
    /// Of an order: how much was paid back.
    refunded_msat: u64,
    /// By how many refunds.
    refunds: u64,
}
satchel_json::read!(Known {
    n,
    refunded_msat,
    refunds,
    ..
});

/// What the upload worker tells of a work it has registered or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// The work.
    pub(crate) work: WorkId,
    /// What makes its id.
    pub(crate) nonce: String,
    /// What happened to it; nothing on a registration.
    pub(crate) kind: Option<EventKind>,
    /// What it is now.
    pub(crate) news: WorkNews,
}
satchel_json::read!(Told {
    work,
    nonce,
    kind,
    news,
    ..
});

/// `POST /internal/shops/{creator}/sales`: a batch of the ledger, or of plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Feed {
    /// Who tells.
    pub(crate) source: String,
    /// Of this source, ascending.
    pub(crate) number: u64,
    /// At most 500.
    pub(crate) sales: Vec<ShopSale>,
    /// At most 500.
    pub(crate) refunds: Vec<ShopRefund>,
    /// At most 500.
    pub(crate) plays: Option<Vec<Played>>,
}
satchel_json::read!(Feed {
    source,
    number,
    sales,
    refunds,
    plays,
    ..
});

/// How a work was played, by whomever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Played {
    /// The work.
    pub(crate) work: WorkId,
    /// How often.
    pub(crate) plays: u64,
    /// For how long.
    pub(crate) seconds: u64,
    /// Unix seconds when it was told.
    pub(crate) time: u64,
}
satchel_json::read!(Played {
    work,
    plays,
    seconds,
    time,
    ..
});

impl Feed {
    /// Whether it is no larger than a batch may be.
    pub(crate) fn fits(&self) -> bool {
        let plays = self.plays.as_ref().map_or(0, Vec::len);
        self.source.len() <= MAX_SOURCE_BYTES
            && self.sales.len().max(self.refunds.len()).max(plays) <= MAX_TOLD
    }
}

/// Views of works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Views {
    /// By work, at most [`VIEWED`].
    pub(crate) views: BTreeMap<String, u64>,
}
satchel_json::read!(Views { views, .. });

fn malformed(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Malformed, what)
}

pub(crate) fn head(tables: &dyn Tables) -> Result<Head> {
    Ok(read(tables, &HEAD, ONE)?.unwrap_or_default())
}

fn add(sums: &mut Totals, more: &Totals) {
    for (sum, more) in [
        (&mut sums.sold, more.sold),
        (&mut sums.given, more.given),
        (&mut sums.usd_micros, more.usd_micros),
        (&mut sums.gross_msat, more.gross_msat),
        (&mut sums.fee_msat, more.fee_msat),
        (&mut sums.refunded_msat, more.refunded_msat),
        (&mut sums.views, more.views),
        (&mut sums.plays, more.plays),
        (&mut sums.played_s, more.played_s),
    ] {
        *sum = sum.saturating_add(more);
    }
}

/// What a transaction adds, gathered so that each row is written once.
struct Ledger<'a> {
    tables: &'a dyn Tables,
    head: Head,
    by_work: BTreeMap<WorkId, Totals>,
    by_day: BTreeMap<(String, u32), Totals>,
    now_s: u64,
}

impl<'a> Ledger<'a> {
    fn open(tables: &'a dyn Tables, now_s: u64) -> Result<Self> {
        Ok(Self {
            tables,
            head: head(tables)?,
            by_work: BTreeMap::new(),
            by_day: BTreeMap::new(),
            now_s,
        })
    }

    fn count(&mut self, work: &WorkId, time: u64, more: &Totals) {
        add(&mut self.head.totals, more);
        add(self.by_work.entry(work.clone()).or_default(), more);
        let day = day_of(time);
        for name in [work.as_str(), ""] {
            add(self.by_day.entry((name.to_owned(), day)).or_default(), more);
        }
    }

    fn event(&mut self, mut event: ShopEvent) -> Result<u64> {
        self.head.n = self.head.n.saturating_add(1);
        event.n = self.head.n;
        write(self.tables, &EVENTS, &newest(event.n), &event)?;
        Ok(event.n)
    }

    /// A work's row, made where there is none: a sale may be told before its work is.
    fn shelf(&mut self, work: &WorkId) -> Result<(u64, Shelf)> {
        let known: Option<Known> = read(self.tables, &KNOWN, work.as_str().as_bytes())?;
        if let Some(n) = known.and_then(|known| known.n)
            && let Some(row) = read(self.tables, &WORKS, &newest(n))?
        {
            return Ok((n, row));
        }
        self.head.works = self.head.works.saturating_add(1);
        let n = self.head.works;
        let known = Known {
            n: Some(n),
            ..Known::default()
        };
        write(self.tables, &KNOWN, work.as_str().as_bytes(), &known)?;
        let row = Shelf {
            work: work.clone(),
            nonce: None,
            added: self.now_s,
            hidden: false,
            totals: Totals::default(),
            news: None,
        };
        Ok((n, row))
    }

    fn close(mut self) -> Result<()> {
        for (work, more) in std::mem::take(&mut self.by_work) {
            let (n, mut row) = self.shelf(&work)?;
            add(&mut row.totals, &more);
            write(self.tables, &WORKS, &newest(n), &row)?;
        }
        for ((work, day), more) in std::mem::take(&mut self.by_day) {
            let key = day_key(&work, day);
            let known: Option<Totals> = read(self.tables, &DAYS, &key)?;
            if known.is_none() {
                fold(self.tables, &work, day_of(self.now_s))?;
            }
            let mut sums = known.unwrap_or_default();
            add(&mut sums, &more);
            write(self.tables, &DAYS, &key, &sums)?;
        }
        self.prune()?;
        write(self.tables, &HEAD, ONE, &self.head)
    }

    /// Old events go, with what their ids stand for. A few more than come, so that it ends.
    fn prune(&mut self) -> Result<()> {
        let last = self.head.n.saturating_sub(EVENTS_KEPT);
        let until = last.min(self.head.gone.saturating_add(PRUNED));
        for n in self.head.gone.saturating_add(1)..=until {
            let key = newest(n);
            let event: Option<ShopEvent> = read(self.tables, &EVENTS, &key)?;
            let Some(event) = event else { continue };
            if let Some(sale) = event.sale {
                self.tables.delete(&KNOWN, sale.order.as_str().as_bytes())?;
            }
            if let Some(refund) = event.refund {
                self.tables
                    .delete(&KNOWN, refund.refund.as_str().as_bytes())?;
            }
            self.tables.delete(&EVENTS, &key)?;
        }
        self.head.gone = self.head.gone.max(until);
        Ok(())
    }
}

fn day_key(work: &str, day: u32) -> Vec<u8> {
    pair(work, &[&[0_u8][..], &day.to_be_bytes()].concat())
}

fn month_key(work: &str, day: u32) -> Vec<u8> {
    pair(work, &[&[1_u8][..], &month_of(day).to_be_bytes()].concat())
}

/// The day at the end of a key.
fn day_in(key: &[u8]) -> u32 {
    key.last_chunk().map_or(0, |day| u32::from_be_bytes(*day))
}

/// Adds a work's oldest days to their months, so that its rows do not grow for ever.
fn fold(tables: &dyn Tables, work: &str, today: u32) -> Result<()> {
    let below = day_key(work, today.saturating_sub(DAYS_KEPT));
    for (key, _) in tables.scan(&DAYS, &day_key(work, 0), &below, FOLDED)? {
        let month = month_key(work, day_in(&key));
        let mut sums: Totals = read(tables, &DAYS, &month)?.unwrap_or_default();
        let day: Totals = read(tables, &DAYS, &key)?.unwrap_or_default();
        add(&mut sums, &day);
        write(tables, &DAYS, &month, &sums)?;
        tables.delete(&DAYS, &key)?;
    }
    Ok(())
}

/// Takes a batch of the ledger; gives whether it was new.
pub(crate) fn feed(tables: &dyn Tables, feed: &Feed, now_s: u64) -> Result<bool> {
    if !feed.fits() {
        return Err(malformed("not a batch of sales"));
    }
    let last: Option<u64> = read(tables, &FEEDS, feed.source.as_bytes())?;
    if last.is_some_and(|last| feed.number <= last) {
        return Ok(false);
    }
    let mut ledger = Ledger::open(tables, now_s)?;
    for sale in &feed.sales {
        take_sale(&mut ledger, sale)?;
    }
    for refund in &feed.refunds {
        take_refund(&mut ledger, refund)?;
    }
    for played in feed.plays.as_deref().unwrap_or_default() {
        let more = Totals {
            plays: played.plays,
            played_s: played.seconds,
            ..Totals::default()
        };
        ledger.count(&played.work, played.time, &more);
    }
    ledger.close()?;
    write(tables, &FEEDS, feed.source.as_bytes(), &feed.number)?;
    Ok(true)
}

fn take_sale(ledger: &mut Ledger<'_>, sale: &ShopSale) -> Result<()> {
    let key = sale.order.as_str().as_bytes();
    let known: Known = read(ledger.tables, &KNOWN, key)?.unwrap_or_default();
    if known.n.is_some() {
        return Ok(());
    }
    let more = Totals {
        sold: u64::from(!sale.free),
        given: u64::from(sale.free),
        usd_micros: sale.usd_micros,
        gross_msat: sale.msat.get(),
        fee_msat: sale.fee_msat.get(),
        ..Totals::default()
    };
    ledger.count(&sale.work, sale.time, &more);
    let n = ledger.event(ShopEvent {
        n: 0,
        kind: EventKind::SaleCreated,
        time: sale.time,
        sale: Some(sale.clone()),
        refund: None,
        work: None,
    })?;
    let known = Known {
        n: Some(n),
        ..known
    };
    write(ledger.tables, &KNOWN, key, &known)
}

fn take_refund(ledger: &mut Ledger<'_>, refund: &ShopRefund) -> Result<()> {
    let key = refund.refund.as_str().as_bytes();
    let known: Option<Known> = read(ledger.tables, &KNOWN, key)?;
    if known.is_some() {
        return Ok(());
    }
    let order = refund.order.as_str().as_bytes();
    let mut of_sale: Known = read(ledger.tables, &KNOWN, order)?.unwrap_or_default();
    of_sale.refunded_msat = of_sale.refunded_msat.saturating_add(refund.msat.get());
    of_sale.refunds = of_sale.refunds.saturating_add(1);
    write(ledger.tables, &KNOWN, order, &of_sale)?;
    let more = Totals {
        refunded_msat: refund.msat.get(),
        ..Totals::default()
    };
    ledger.count(&refund.work, refund.time, &more);
    let n = ledger.event(ShopEvent {
        n: 0,
        kind: EventKind::SaleRefunded,
        time: refund.time,
        sale: None,
        refund: Some(refund.clone()),
        work: None,
    })?;
    let known = Known {
        n: Some(n),
        ..Known::default()
    };
    write(ledger.tables, &KNOWN, key, &known)
}

/// Puts a work on the shelf, or takes news of it; gives whether something has happened.
pub(crate) fn told(tables: &dyn Tables, told: &Told, now_s: u64) -> Result<bool> {
    let mut ledger = Ledger::open(tables, now_s)?;
    let (n, mut shelf) = ledger.shelf(&told.work)?;
    shelf.nonce = Some(told.nonce.clone());
    // A step that is repeated, after a lost answer, is no news.
    let happened = told
        .kind
        .filter(|kind| *kind == EventKind::WorkUpdated || shelf.news.as_ref() != Some(&told.news));
    shelf.news = Some(told.news.clone());
    write(tables, &WORKS, &newest(n), &shelf)?;
    if let Some(kind) = happened {
        ledger.event(ShopEvent {
            n: 0,
            kind,
            time: now_s,
            sale: None,
            refund: None,
            work: Some(told.news.clone()),
        })?;
    }
    ledger.close()?;
    Ok(happened.is_some())
}

/// Hides a work, or shows it again.
pub(crate) fn hide(tables: &dyn Tables, work: &str, hidden: bool) -> Result<()> {
    let known: Option<Known> = read(tables, &KNOWN, work.as_bytes())?;
    let n = known.and_then(|known| known.n);
    let n = n.ok_or(ErrorCode::UnknownWork)?;
    let shelf: Option<Shelf> = read(tables, &WORKS, &newest(n))?;
    let mut shelf = shelf.ok_or(ErrorCode::UnknownWork)?;
    shelf.hidden = hidden;
    write(tables, &WORKS, &newest(n), &shelf)
}

/// Counts views of works that are on the shelf.
pub(crate) fn views(tables: &dyn Tables, views: &Views, now_s: u64) -> Result<()> {
    let mut ledger = Ledger::open(tables, now_s)?;
    for (work, count) in views.views.iter().take(VIEWED) {
        let Ok(work) = WorkId::parse(work) else {
            continue;
        };
        if tables.get(&KNOWN, work.as_str().as_bytes())?.is_some() {
            let more = Totals {
                views: (*count).min(VIEWS),
                ..Totals::default()
            };
            ledger.count(&work, now_s, &more);
        }
    }
    if ledger.by_work.is_empty() {
        return Ok(());
    }
    ledger.close()
}

/// A page of works, newest first, without what the ledger knows of them.
pub(crate) fn page(tables: &dyn Tables, creator: &str, after: Option<u64>) -> Result<ShopOut> {
    let Head {
        n, works, totals, ..
    } = head(tables)?;
    let creator = Thumbprint::parse(creator).map_err(satchel_edge::internal)?;
    // Numbers from the highest of this page down to 1, none of which is ever missing.
    let highest = after.map_or(works, |after| after.saturating_sub(1).min(works));
    let shelves: Vec<Shelf> = if highest == 0 {
        Vec::new()
    } else {
        list(tables, &WORKS, &newest(highest), END, WORKS_PAGE)?
    };
    let next = highest.saturating_sub(shelves.len() as u64);
    let works = shelves.into_iter().map(|shelf| ShopWork {
        work: shelf.work,
        work_nonce: shelf.nonce,
        added: shelf.added,
        hidden: shelf.hidden,
        totals: shelf.totals,
        record: None,
        splits: None,
    });
    Ok(ShopOut {
        creator,
        totals,
        n,
        works: works.collect(),
        next: (next > 0).then(|| next.saturating_add(1)),
    })
}

/// Where numbers below `after` begin; nowhere if there are none.
fn older_than(after: Option<u64>) -> Option<Vec<u8>> {
    let highest = after.map_or(Some(u64::MAX), |after| after.checked_sub(1))?;
    (highest > 0).then(|| newest(highest).to_vec())
}

/// A page of sales, newest first, of one work or (`-`) of all.
pub(crate) fn sales(tables: &dyn Tables, after: Option<u64>, work: &str) -> Result<SalesOut> {
    let Some(from) = older_than(after) else {
        return Ok(SalesOut {
            sales: Vec::new(),
            next: None,
        });
    };
    let events: Vec<ShopEvent> = list(tables, &EVENTS, &from, END, SALES_LOOKED)?;
    let (looked, mut last) = (events.len() as u64, None);
    let mut sales = Vec::new();
    for event in events {
        last = Some(event.n);
        let Some(sale) = event.sale else { continue };
        if work != ALL && work != sale.work.as_str() {
            continue;
        }
        let known: Known =
            read(tables, &KNOWN, sale.order.as_str().as_bytes())?.unwrap_or_default();
        sales.push(SaleOut {
            n: event.n,
            sale,
            refunded_msat: known.refunded_msat,
            refunds: known.refunds,
        });
        if sales.len() == SALES_PAGE {
            break;
        }
    }
    let more = sales.len() == SALES_PAGE || looked == SALES_LOOKED;
    let next = last.filter(|n| more && *n > 1);
    Ok(SalesOut { sales, next })
}

/// Sums by day, of one work or (`-`) of all.
pub(crate) fn stats(tables: &dyn Tables, work: &str, days: u32, now_s: u64) -> Result<StatsOut> {
    if days == 0 || days > DAYS_ASKED {
        return Err(malformed("days go from 1 to 3650"));
    }
    let work = if work == ALL { "" } else { work };
    let today = day_of(now_s);
    let first = today.saturating_sub(days.saturating_sub(1));
    let sums = |from: Vec<u8>, below: Vec<u8>| -> Result<Vec<Day>> {
        let rows = tables.scan(&DAYS, &from, &below, u64::from(DAYS_ASKED))?;
        let mut found = Vec::new();
        for (key, _) in rows {
            found.push(Day {
                day: date(day_in(&key)),
                totals: read(tables, &DAYS, &key)?.unwrap_or_default(),
            });
        }
        Ok(found)
    };
    // A sale may be of a moment after ours, where clocks differ.
    let end = today.saturating_add(2);
    Ok(StatsOut {
        from: date(first),
        to: date(today),
        days: sums(day_key(work, first), day_key(work, end))?,
        months: if days > DAYS_KEPT {
            sums(month_key(work, first), month_key(work, end))?
        } else {
            Vec::new()
        },
    })
}

/// What happened after an event, the newest of it; for nobody in particular, only where to begin.
pub(crate) fn events(tables: &dyn Tables, after: Option<u64>) -> Result<EventsOut> {
    let head = head(tables)?;
    let Some(after) = after else {
        return Ok(EventsOut {
            events: Vec::new(),
            next: head.n,
        });
    };
    // Beyond what there is: of another shop, or before it was lost. Nothing is skipped for ever.
    let after = after.min(head.n);
    let mut events: Vec<ShopEvent> = list(
        tables,
        &EVENTS,
        &newest(u64::MAX),
        &newest(after),
        EVENTS_PAGE,
    )?;
    events.reverse();
    Ok(EventsOut {
        events,
        next: head.n,
    })
}

/// An event, if it is still kept.
pub(crate) fn event(tables: &dyn Tables, n: u64) -> Result<Option<ShopEvent>> {
    read(tables, &EVENTS, &newest(n))
}

#[cfg(test)]
#[path = "shop_tests.rs"]
pub(crate) mod tests;

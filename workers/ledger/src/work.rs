//! `Work`: what is sold: record, terms, wrapped keys, state, and the copies that are counted.

use std::cell::Cell;

use satchel_crypto::{b64, sha256};
use satchel_domain::{
    id::{AccountId, Digest, OrderId, WorkId},
    ledger::LedgerId,
    terms::Terms,
    work::{Change, WorkState},
};
use satchel_edge::{Value, internal};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Done, Record, Stock, VersionRecord},
    internal::{
        Offered, OrderOf, PublishWork, RegisterWork, Registered, Reserve, Settled, Spread,
        StateChange, VersionKeys, WorkSnapshot,
    },
};

use crate::{
    book::{self, Void, WorkBook},
    host::{GivingJob, Host, Place, Tables, decode, encode},
    rows::{BOOK, ONE, STOCK, Taken},
};

/// What a copy's row says: reserved, sold, let go; 4 more if it is free.
const RESERVED: u64 = 1;
const SOLD: u64 = 2;
const LET_GO: u64 = 3;
const FREE: u64 = 4;
/// Reservations asked about before the answer is "sold out".
const ASKED: u64 = 8;
/// Milliseconds before their accounts are asked again.
const ASK_AGAIN_MS: u64 = 2_000;

/// A work.
#[derive(Debug, Default)]
pub struct Work {
    /// Copies that are gone, counted once and then remembered: [`Tables::undone`], all, free.
    counted: Cell<Option<(u64, u32, u32)>>,
    asked_ms: Cell<u64>,
}

fn done() -> Result<Vec<u8>> {
    encode(&Done { done: true })
}

impl Work {
    /// Answers the ledger's entry or another object.
    pub async fn serve<H: Host>(
        this: &std::rc::Rc<Self>,
        host: &H,
        path: &[&str],
        body: &[u8],
    ) -> Result<Vec<u8>> {
        // What is only written ends in one place: a state of its own for each is much code.
        let job: GivingJob<H::Tables, Vec<u8>> = match path {
            [""] => {
                let mut snapshot = known(host.tables())?.snapshot;
                if snapshot.record.terms.counted() {
                    let (sold, given) = this.gone(host.tables())?;
                    snapshot.record.stock = Some(Stock { sold, given });
                }
                return encode(&snapshot);
            }
            ["reserve"] => return Self::reserve(this, host, decode(body)?).await,
            ["register", work, ledger] => {
                let (work, ledger) = ((*work).to_owned(), (*ledger).to_owned());
                let new: RegisterWork = decode(body)?;
                Box::new(move |tables| register(tables, &work, &ledger, new.clone()))
            }
            ["publish"] => {
                let new: PublishWork = decode(body)?;
                Box::new(move |tables| publish(tables, new.clone()))
            }
            ["offered"] => {
                let offered: Offered = decode(body)?;
                Box::new(move |tables| offer(tables, offered))
            }
            ["intake"] => {
                let keys: VersionKeys = decode(body)?;
                Box::new(move |tables| {
                    let mut book = known(tables)?;
                    book.take_in(keys.clone())?;
                    save(tables, &book)?;
                    done()
                })
            }
            ["state"] => {
                let change: StateChange = decode(body)?;
                Box::new(move |tables| set_state(tables, change))
            }
            ["spread"] => {
                let Spread { slots } = decode(body)?;
                Box::new(move |tables| {
                    let mut book = known(tables)?;
                    if book.snapshot.slots.unwrap_or(1) < slots {
                        book.snapshot.slots = Some(slots);
                        save(tables, &book)?;
                    }
                    done()
                })
            }
            ["confirm"] => Self::settle(this, decode::<OrderOf>(body)?.order, SOLD),
            ["release"] => Self::settle(this, decode::<OrderOf>(body)?.order, LET_GO),
            _ => return Err(ErrorCode::NotFound.into()),
        };
        host.transact_boxed(job).await
    }

    /// Copies sold or reserved: all, and free ones.
    fn gone(&self, tables: &impl Tables) -> Result<(u32, u32)> {
        let undone = tables.undone();
        if let Some((at, all, free)) = self.counted.get().filter(|(at, ..)| *at == undone) {
            self.counted.set(Some((at, all, free)));
            return Ok((all, free));
        }
        let (mut all, mut free) = (0_u32, 0_u32);
        for (state, count) in tables.tally(&STOCK)? {
            let count = u32::try_from(count).map_err(internal)?;
            if state & 3 != LET_GO {
                all = all.saturating_add(count);
                free = free.saturating_add(if state & FREE == 0 { 0 } else { count });
            }
        }
        self.counted.set(Some((undone, all, free)));
        Ok((all, free))
    }

    /// Sets a copy aside for an order: the same answer for the same order, as long as it is not let go.
    async fn reserve<H: Host>(
        this: &std::rc::Rc<Self>,
        host: &H,
        asked: Reserve,
    ) -> Result<Vec<u8>> {
        let now = host.now_s();
        let first = Self::try_reserve(this, host, &asked, now).await;
        let sold_out = first
            .as_ref()
            .is_err_and(|error| error.code == ErrorCode::SoldOut);
        if !sold_out || !Self::ask_stale(this, host, now).await? {
            first?;
            return done();
        }
        Self::try_reserve(this, host, &asked, now).await?;
        done()
    }

    async fn try_reserve<H: Host>(
        this: &std::rc::Rc<Self>,
        host: &H,
        asked: &Reserve,
        now: u64,
    ) -> Result<()> {
        let (work, asked) = (std::rc::Rc::clone(this), asked.clone());
        host.transact(move |tables| {
            let key = book::order_key(&asked.order)?;
            if let Some(columns) = tables.get(&STOCK, &key)? {
                let state = Taken::of(columns).int()?;
                return if state & 3 == LET_GO {
                    Err(Void::Late.error())
                } else {
                    Ok(())
                };
            }
            let terms = known(tables)?.snapshot.record.terms;
            let (all, free) = work.gone(tables)?;
            if asked.free && terms.giveaway.is_none_or(|copies| free >= copies) {
                return Err(Void::Giveaway.error());
            }
            if terms.limit.is_some_and(|copies| all >= copies) {
                return Err(Void::Limit.error());
            }
            let state = if asked.free {
                RESERVED | FREE
            } else {
                RESERVED
            };
            let columns = vec![
                Value::Int(state),
                Value::from(asked.account.as_str()),
                Value::Int(now),
            ];
            tables.put(&STOCK, &key, columns)?;
            let free = free.saturating_add(u32::from(asked.free));
            work.counted
                .set(Some((tables.undone(), all.saturating_add(1), free)));
            Ok(())
        })
        .await
    }

    /// Asks the accounts of old reservations what became of them; never frees one by the clock alone.
    /// Gives whether any was freed.
    async fn ask_stale<H: Host>(this: &std::rc::Rc<Self>, host: &H, now: u64) -> Result<bool> {
        let again = this.asked_ms.get().saturating_add(ASK_AGAIN_MS);
        if host.now_ms() < again {
            return Ok(false);
        }
        this.asked_ms.set(host.now_ms());
        let mut freed = false;
        for (key, columns) in host.tables().open_rows(&STOCK, ASKED)? {
            let mut row = Taken::of(columns);
            let (_, account, time) = (row.int()?, row.text()?, row.int()?);
            if time.saturating_add(book::STALE_RESERVE_S) > now {
                continue;
            }
            let account = AccountId::parse(&account).map_err(internal)?;
            let id = satchel_crypto::b32::encode(key.get(1..).unwrap_or_default());
            let order = OrderId::parse(&format!("{}{id}", OrderId::PREFIX)).map_err(internal)?;
            let place = Place::Account(account.as_str());
            let asked = OrderOf {
                order: order.clone(),
            };
            // An account that does not answer keeps its copy.
            if let Ok(Settled { posted }) = host.ask(place, "/settle", &asked).await {
                let state = if posted { SOLD } else { LET_GO };
                host.transact_boxed(Self::settle(this, order, state))
                    .await?;
                freed |= !posted;
            }
        }
        Ok(freed)
    }

    /// Notes what became of a reserved copy. A copy that is sold stays sold.
    fn settle<T: Tables>(
        this: &std::rc::Rc<Self>,
        order: OrderId,
        end: u64,
    ) -> GivingJob<T, Vec<u8>> {
        let work = std::rc::Rc::clone(this);
        Box::new(move |tables| {
            let key = book::order_key(&order)?;
            let Some(columns) = tables.get(&STOCK, &key)? else {
                return done();
            };
            let mut row = Taken::of(columns);
            let (state, account, time) = (row.int()?, row.text()?, row.int()?);
            if state & 3 != RESERVED {
                return done();
            }
            let (all, free) = work.gone(tables)?;
            let state = (state & FREE) | end;
            let columns = vec![Value::Int(state), Value::Text(account), Value::Int(time)];
            tables.put(&STOCK, &key, columns)?;
            if end == LET_GO {
                let free = free.saturating_sub(u32::from(state & FREE != 0));
                work.counted
                    .set(Some((tables.undone(), all.saturating_sub(1), free)));
            }
            done()
        })
    }
}

fn load(tables: &impl Tables) -> Result<Option<WorkBook>> {
    let Some(columns) = tables.get(&BOOK, ONE)? else {
        return Ok(None);
    };
    decode(Taken::of(columns).text()?.as_bytes()).map(Some)
}

fn known(tables: &impl Tables) -> Result<WorkBook> {
    load(tables)?.ok_or_else(|| ErrorCode::UnknownWork.into())
}

fn save(tables: &impl Tables, book: &WorkBook) -> Result<()> {
    let body = satchel_json::to_string(book).map_err(internal)?;
    tables.put(&BOOK, ONE, vec![Value::Text(body)])
}

fn register(tables: &impl Tables, work: &str, ledger: &str, new: RegisterWork) -> Result<Vec<u8>> {
    if let Some(book) = load(tables)? {
        // Once on sale, terms and title change by publishing; the same announcement is harmless.
        if book.same_as(&new) {
            return encode(&Registered {
                created: false,
                record: book.snapshot.record,
            });
        }
        return Err(ErrorCode::WorkConflict.into());
    }
    let RegisterWork {
        creator,
        title,
        media_type,
        terms,
        payee,
        splits,
        listing,
    } = new;
    let record = Record {
        work: WorkId::parse(work).map_err(internal)?,
        state: WorkState::Draft,
        creator,
        title,
        media_type,
        terms_digest: digest(&terms)?,
        terms,
        version: 0,
        versions: Vec::new(),
        ledger: if ledger == "live" {
            LedgerId::Live
        } else {
            LedgerId::Test
        },
        stock: None,
        listing,
    };
    let snapshot = WorkSnapshot {
        record: record.clone(),
        payee,
        keys: Vec::new(),
        slots: None,
        splits,
    };
    save(tables, &WorkBook { snapshot })?;
    encode(&Registered {
        created: true,
        record,
    })
}

/// Puts a version on sale, or, without one, changes how the work is offered.
fn publish(tables: &impl Tables, new: PublishWork) -> Result<Vec<u8>> {
    let mut book = known(tables)?;
    let PublishWork {
        version,
        title,
        terms,
        splits,
        listing,
    } = new;
    let update = version.is_none();
    if let Some(version) = version {
        put_on_sale(&mut book, version)?;
    }
    let record = &mut book.snapshot.record;
    if update {
        if record.state == WorkState::TakenDown {
            return Err(ErrorCode::WorkTakenDown.into());
        }
        // What was packed for one use can't be sold for another.
        if record
            .versions
            .last()
            .is_some_and(|it| it.usage != terms.usage)
        {
            let detail = "packed for another use: pack it again as a new version";
            return Err(ApiError::new(ErrorCode::Malformed, detail));
        }
    }
    record.title = title;
    record.terms_digest = digest(&terms)?;
    record.terms = terms;
    if update || listing.is_some() {
        record.listing = listing.filter(|listing| !listing.is_empty());
    }
    if update || splits.is_some() {
        book.snapshot.splits = splits.filter(|splits| !splits.is_empty());
    }
    let record = record.clone();
    save(tables, &book)?;
    encode(&record)
}

fn put_on_sale(book: &mut WorkBook, version: VersionRecord) -> Result<()> {
    let keys = book
        .snapshot
        .keys(version.version)
        .ok_or(ErrorCode::NotReady)?;
    if keys.manifest_digest != version.manifest_digest {
        return Err(ApiError::new(
            ErrorCode::NotReady,
            "its key belongs to another manifest",
        ));
    }
    let record = &mut book.snapshot.record;
    match record
        .versions
        .iter_mut()
        .find(|old| old.version == version.version)
    {
        Some(old) => {
            // Those of before had none.
            old.preview.clone_from(&version.preview);
            if *old != version {
                return Err(ErrorCode::WorkConflict.into());
            }
        }
        None if version.version == record.version.saturating_add(1) => {
            record.version = version.version;
            record.media_type.clone_from(&version.media_type);
            record.versions.push(version);
        }
        None => {
            let detail = format!("the next version is {}", record.version.saturating_add(1));
            return Err(ApiError::new(ErrorCode::WorkConflict, detail));
        }
    }
    record.state = record
        .state
        .after(Change::Publish, true)
        .map_err(|_| ErrorCode::WorkTakenDown)?;
    Ok(())
}

/// Its creator takes it off sale, or puts it back.
fn offer(tables: &impl Tables, offered: Offered) -> Result<Vec<u8>> {
    let mut book = known(tables)?;
    let record = &mut book.snapshot.record;
    record.state = match (record.state, offered.on_sale) {
        (WorkState::TakenDown, _) => return Err(ErrorCode::WorkTakenDown.into()),
        (WorkState::Draft, _) => return Err(ErrorCode::NotPublished.into()),
        (_, true) => WorkState::Published,
        (_, false) => WorkState::Unpublished,
    };
    let record = record.clone();
    save(tables, &book)?;
    encode(&record)
}

fn set_state(tables: &impl Tables, change: StateChange) -> Result<Vec<u8>> {
    let mut book = known(tables)?;
    let record = &mut book.snapshot.record;
    let published = record.version > 0;
    let after = record.state.after(change.into(), published);
    record.state = after.map_err(|_| ApiError::from(ErrorCode::WorkConflict))?;
    save(tables, &book)?;
    done()
}

fn digest(terms: &Terms) -> Result<Digest> {
    Digest::parse(&b64::encode(&sha256(terms.canonical().as_bytes()))).map_err(internal)
}

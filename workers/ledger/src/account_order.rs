//! Orders of an account: verified, decided, posted or reserved, and what is told of them.

use satchel_domain::{
    id::OrderId,
    ledger::{self, Decision, Facts},
    money::Msat,
    splits,
    terms::Use,
};
use satchel_edge::internal;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::Done,
    internal::{
        AccountOrder, Credit, OrderFound, OrderOf, OrderedWork, Part, Posted, Reserve, Sale,
        Settled, Transfer,
    },
    order::{self, Order},
    quote::Quote,
};

use crate::{
    account::{Account, Answering, delegation, signer_key, strike},
    account_keys::{count, spent},
    account_lines,
    account_todo::told_all,
    book::{self, Entry, Grant, ID_BYTES, OutCredit, Void},
    host::{Host, Place, Tables, decode, encode},
    rows::{Head, Kind, State, TRANSFERS, TransferRow},
};

impl Account {
    /// Verifies an order, decides it and writes what came of it.
    pub(crate) async fn order<H: Host>(&self, host: &H, ordered: AccountOrder) -> Result<Vec<u8>> {
        let (config, now) = (host.config()?, host.now_s());
        let unverified = order::read(&ordered.order)?;
        let signer = unverified.header.kid.clone().unwrap_or_default();
        // Nobody delegated this key: there is nothing to verify it with.
        let public = signer_key(host.tables(), &signer)?.ok_or(ErrorCode::WrongKey)?;
        let order = unverified.verify(host.verifier(), &public).await?;
        order.check_shape(&config.issuer, now)?;
        let quote = Quote::verify(&order.quote, &config.quote_key, &config.issuer).ok();
        let asked = Asked {
            now,
            now_ms: host.now_ms(),
            fee_bps: config.fee_bps,
            ledger: config.ledger,
            handle: book::purchase_handle(&config.handle_key, &order.account, &order.order)?,
            signer,
            order,
            quote,
            work: ordered.work,
        };
        let id = asked.order.order.clone();
        match host.transact(move |tables| asked.decide(tables)).await? {
            Outcome::Posted(posted, credit) => {
                let mut outgoing = self.outgoing.borrow_mut();
                let credit = credit.filter(|_| outgoing.len() < book::MAX_OUTBOX);
                let agreed = &posted.transfer.agreement;
                outgoing.extend(credit.map(|credit| (credit.0, told_all(credit.1, agreed))));
                drop(outgoing);
                encode(&*posted)
            }
            Outcome::Reserved => self.drive(host, &id).await,
        }
    }

    /// Brings a reserved order to its end, as far as its work answers.
    pub(crate) async fn drive<H: Host>(&self, host: &H, id: &OrderId) -> Result<Vec<u8>> {
        let key = book::order_key(id)?;
        let row = TransferRow::must(host.tables(), &key)?;
        if row.state != State::Pending {
            return answer(&row, true);
        }
        let entry: Entry = decode(row.body.as_bytes())?;
        let agreement = &entry.transfer.agreement;
        let reserve = Reserve {
            order: id.clone(),
            account: agreement.account.clone(),
            free: agreement.msat == Msat::ZERO,
        };
        let place = Place::Work(agreement.work.as_str());
        let answered = host.ask::<_, Done>(place, "/reserve", &reserve).await;
        let now = host.now_ms();
        let row = match answered {
            Ok(Done { .. }) => {
                host.transact(move |tables| post_reserved(tables, &key, now))
                    .await?
            }
            Err(error) => {
                // Unknown is not refused: ask again.
                let why = Void::of(&error).ok_or(ErrorCode::OrderPending)?;
                host.transact(move |tables| void(tables, &key, why, now))
                    .await?
            }
        };
        answer(&row, false)
    }
}

/// Everything an order is decided by, but the account's rows.
struct Asked {
    now: u64,
    now_ms: u64,
    fee_bps: u64,
    ledger: ledger::LedgerId,
    handle: String,
    signer: String,
    order: Order,
    quote: Option<Quote>,
    work: Option<OrderedWork>,
}

enum Outcome {
    /// With the credit that is to be delivered, and the id in the outbox.
    Posted(Box<Posted>, Option<Box<(Vec<u8>, OutCredit)>>),
    Reserved,
}

impl Asked {
    /// Reads the facts, decides, writes: nothing is awaited in between.
    fn decide(&self, tables: &impl Tables) -> Result<Outcome> {
        let order = &self.order;
        let agreement = order.agreement();
        let key = book::order_key(&order.order)?;
        let Orders {
            known,
            owned,
            under_way,
        } = Orders::of(tables, order, &key)?;
        if known.is_none() {
            order.check_tag()?;
        }
        let known_agreement = known
            .as_ref()
            .map(|row| agreed(row, &agreement))
            .transpose()?;
        let mut head = Head::load(tables)?;
        let delegation = delegation(tables, &self.signer)?;
        let quoted = self.quote.as_ref().map(Quote::quoted);
        let facts = Facts {
            known: known_agreement.as_ref(),
            delegation: delegation.as_ref(),
            spent: spent(&head, &self.signer, self.now)?,
            epoch: head.epoch,
            owned: owned.is_some(),
            under_way,
            work: self.work.as_ref().map(|work| &work.offer),
            quote: quoted.as_ref(),
            order_expires: order.exp,
            ledger: self.ledger,
            balances: head.balances,
            fee_bps: self.fee_bps,
            now_s: self.now,
        };
        let decision = ledger::decide(&agreement, &facts).map_err(|reject| match reject {
            ledger::Reject::DelegationExpired => {
                ApiError::from(ErrorCode::DelegationExpired).with("epoch", head.epoch)
            }
            other => other.into(),
        })?;
        let (balances, fee, state) = match decision {
            Decision::Replay => {
                let row = known.ok_or_else(|| internal("a replay without a transfer"))?;
                return match row.state {
                    State::Pending => Ok(Outcome::Reserved),
                    _ => posted(&row, true).map(|posted| Outcome::Posted(Box::new(posted), None)),
                };
            }
            Decision::Reissue => {
                let first = owned.ok_or_else(|| internal("owned without a transfer"))?;
                let row = self.reissue(agreement, &first)?;
                row.clone().save(tables, &key)?;
                return Ok(Outcome::Posted(Box::new(posted(&row, false)?), None));
            }
            Decision::Post { balances, fee } => (balances, fee, State::Posted),
            Decision::Reserve { balances, fee } => (balances, fee, State::Pending),
        };
        if head.todo.len() >= book::MAX_OUTBOX.saturating_mul(ID_BYTES) {
            return Err(ApiError::new(
                ErrorCode::Unavailable,
                "too many sales under way",
            ));
        }
        let capped = delegation.filter(ledger::Delegation::is_counted);
        let capped = capped.map(|d| Grant {
            key: self.signer.clone(),
            issued: d.issued,
        });
        let entry = self.entry(agreement, fee, capped)?;
        head.balances = balances;
        // The first is delivered at once; those that follow wait a little for each other.
        let gather = if head.todo.is_empty() { 0 } else { GATHER_MS };
        let id = key.get(1..).unwrap_or_default();
        head.todo.extend_from_slice(id);
        let msat = entry.transfer.agreement.msat;
        if entry.capped.is_some() {
            let more = |sum: u64| sum.saturating_add(msat.get());
            count(&mut head, &self.signer, self.now, &more)?;
        }
        let mut row = self.row(state, &entry)?;
        if state == State::Posted {
            row.balance = head.balances.posted()?;
            account_lines::append(tables, &mut head, &key)?;
            tables.wake(self.now_ms.saturating_add(gather));
        } else {
            tables.wake(self.now_ms.saturating_add(RESERVED_WAKE_MS));
        }
        head.save(tables)?;
        row.clone().save(tables, &key)?;
        if state == State::Pending {
            return Ok(Outcome::Reserved);
        }
        let posted = Posted {
            transfer: entry.transfer,
            replayed: false,
            owned: false,
        };
        // A counted one is first confirmed.
        let credit = entry.credit.filter(|_| entry.counted.is_none());
        let credit = credit.map(|credit| Box::new((id.to_vec(), credit)));
        Ok(Outcome::Posted(Box::new(posted), credit))
    }

    fn row(&self, state: State, entry: &Entry) -> Result<TransferRow> {
        Ok(TransferRow {
            kind: Kind::Purchase,
            state,
            msat: entry.transfer.agreement.msat,
            time: self.now,
            balance: Msat::ZERO,
            refunded: Msat::ZERO,
            body: satchel_json::to_string(entry).map_err(internal)?,
        })
    }

    fn reissue(&self, agreement: ledger::Agreement, first: &TransferRow) -> Result<TransferRow> {
        let first: Entry = decode(first.body.as_bytes())?;
        let mut first = first.transfer;
        let paid = &first.agreement;
        // Rights are to the work: the receipt is for the version that is ordered, if there is one.
        let ordered = self.work.as_ref();
        let ordered = ordered.and_then(|work| Some((work.usage, work.manifest_digest.clone()?)));
        // A session asks for the version that was bought: streaming stays with that one.
        let downloads = |usage| usage == Use::Download;
        let ordered = ordered.filter(|(usage, _)| downloads(*usage) && downloads(first.usage));
        let version = match &ordered {
            Some(_) => agreement.version,
            None => paid.version,
        };
        let agreement = ledger::Agreement {
            // What was really paid stays what it was.
            version,
            terms_digest: paid.terms_digest.clone(),
            usd_micros: paid.usd_micros,
            msat: paid.msat,
            ..agreement
        };
        if let Some((usage, manifest_digest)) = ordered {
            (first.usage, first.manifest_digest) = (usage, manifest_digest);
        }
        let transfer = Transfer {
            agreement,
            time: self.now,
            ..first
        };
        let entry = Entry {
            transfer,
            credit: None,
            counted: None,
            capped: None,
            void: None,
            borne: None,
        };
        Ok(TransferRow {
            kind: Kind::Reissue,
            state: State::Posted,
            msat: Msat::ZERO,
            time: self.now,
            balance: Msat::ZERO,
            refunded: Msat::ZERO,
            body: satchel_json::to_string(&entry).map_err(internal)?,
        })
    }

    fn entry(
        &self,
        agreement: ledger::Agreement,
        fee: Msat,
        capped: Option<Grant>,
    ) -> Result<Entry> {
        let work = self.work.as_ref().ok_or(ErrorCode::UnknownWork)?;
        let quote = self.quote.as_ref().ok_or(ErrorCode::QuoteInvalid)?;
        let payee = work.offer.payee.clone();
        let slots = work.slots.unwrap_or(1);
        let counted = work.offer.limited || agreement.msat == Msat::ZERO;
        let inbox = book::inbox_name(&payee, self.now, &agreement.order, slots);
        // Fixed now: what is changed later never touches it.
        let splits = work.splits.as_deref().unwrap_or_default();
        let shares = splits::shares(agreement.msat.minus(fee)?, splits)?;
        let shares = splits.iter().zip(shares).map(|(split, msat)| Part {
            account: split.account.to_string(),
            msat,
            back: None,
        });
        let credit = Credit {
            payee,
            order: agreement.order.clone(),
            work: Some(agreement.work.clone()),
            gross: agreement.msat,
            fee,
            time: self.now,
            splits: Some(shares.collect()).filter(|splits: &Vec<_>| !splits.is_empty()),
            creator: work.creator.clone(),
            buyer: None,
            version: None,
            usd_micros: None,
        };
        let transfer = Transfer {
            handle: self.handle.clone(),
            time: self.now,
            manifest_digest: work
                .manifest_digest
                .clone()
                .ok_or(ErrorCode::QuoteInvalid)?,
            usage: work.usage,
            rate: quote.rate.clone(),
            title: work.title.clone(),
            agreement,
        };
        Ok(Entry {
            transfer,
            credit: Some(OutCredit { inbox, credit }),
            counted: counted.then_some(true),
            capped,
            void: None,
            borne: None,
        })
    }
}

/// What was agreed by an order that is known. A re-issue agrees to no price: it kept the one paid.
fn agreed(row: &TransferRow, now: &ledger::Agreement) -> Result<ledger::Agreement> {
    let entry: Entry = decode(row.body.as_bytes())?;
    let stored = entry.transfer.agreement;
    if row.kind != Kind::Reissue {
        return Ok(stored);
    }
    Ok(ledger::Agreement {
        version: now.version,
        terms_digest: now.terms_digest.clone(),
        usd_micros: now.usd_micros,
        msat: now.msat,
        ..stored
    })
}

/// How long sales wait for more of them while others are being delivered, milliseconds: a delivery for each
/// would cost more than the sales.
pub(crate) const GATHER_MS: u64 = 100;
/// An order that waits for its copy is looked at again after this, should its request have ended.
const RESERVED_WAKE_MS: u64 = 2_000;

/// What an account has of the work of an order.
struct Orders {
    /// The row of this very order.
    known: Option<TransferRow>,
    /// That of a standing purchase.
    owned: Option<TransferRow>,
    /// Whether another order for it is reserved.
    under_way: bool,
}

impl Orders {
    fn of(tables: &impl Tables, order: &Order, key: &[u8]) -> Result<Self> {
        let (mut from, below) = book::work_range(&order.work);
        let (mut known, mut owned, mut under_way) = (None, None, false);
        // Whether this very order was among the rows that were read, if there is one.
        let mut seen = (&from[..]..&below[..]).contains(&key);
        loop {
            let rows = tables.scan(&TRANSFERS, &from, &below, SCANNED)?;
            let last = rows.last().map(|(at, _)| at.clone());
            let full = rows.len() as u64 == SCANNED;
            for (at, columns) in rows {
                let row = TransferRow::of(columns)?;
                if at == key {
                    known = Some(row.clone());
                }
                let stands = matches!(row.state, State::Posted | State::Pending);
                if row.kind != Kind::Purchase || !stands {
                    continue;
                }
                let entry: Entry = decode(row.body.as_bytes())?;
                // The tag is 8 bytes of a hash: the whole id decides.
                if entry.transfer.agreement.work != order.work {
                    continue;
                }
                if row.state == State::Posted {
                    owned = Some(row);
                } else {
                    under_way |= at != key;
                }
            }
            let Some(last) = last.filter(|_| full && owned.is_none()) else {
                seen &= !full;
                break;
            };
            from = [&last[..], &[0]].concat();
        }
        if !seen && known.is_none() {
            known = TransferRow::load(tables, key)?;
        }
        Ok(Self {
            known,
            owned,
            under_way,
        })
    }
}

/// Orders of a work that are read at once. Nearly always there are none or one; whoever opens a work in
/// pages without storage has a re-issue for each time.
const SCANNED: u64 = 64;

fn posted(row: &TransferRow, replayed: bool) -> Result<Posted> {
    let entry: Entry = decode(row.body.as_bytes())?;
    if row.state == State::Void {
        return Err(entry.void.unwrap_or(Void::Late).error());
    }
    Ok(Posted {
        owned: entry.credit.is_none(),
        transfer: entry.transfer,
        replayed,
    })
}

fn answer(row: &TransferRow, replayed: bool) -> Result<Vec<u8>> {
    if row.state == State::Pending {
        return Err(ErrorCode::OrderPending.into());
    }
    encode(&posted(row, replayed)?)
}

/// Posts a reserved order, unless it has come to its end otherwise.
fn post_reserved(tables: &impl Tables, key: &[u8], now_ms: u64) -> Result<TransferRow> {
    let mut row = TransferRow::must(tables, key)?;
    if row.state != State::Pending {
        return Ok(row);
    }
    let now = now_ms.checked_div(1_000).unwrap_or(0);
    let mut head = Head::load(tables)?;
    head.balances = head.balances.post(row.msat)?;
    let mut entry: Entry = decode(row.body.as_bytes())?;
    entry.transfer.time = now;
    if let Some(out) = &mut entry.credit {
        out.credit.time = now;
    }
    row.state = State::Posted;
    row.time = now;
    row.balance = head.balances.posted()?;
    row.body = satchel_json::to_string(&entry).map_err(internal)?;
    account_lines::append(tables, &mut head, key)?;
    tables.wake(now_ms);
    head.save(tables)?;
    row.clone().save(tables, key)?;
    Ok(row)
}

/// Gives a reserved order up, unless it has come to its end otherwise.
pub(crate) fn void(
    tables: &impl Tables,
    key: &[u8],
    why: Void,
    now_ms: u64,
) -> Result<TransferRow> {
    let mut row = TransferRow::must(tables, key)?;
    if row.state != State::Pending {
        return Ok(row);
    }
    let mut head = Head::load(tables)?;
    head.balances = head.balances.void(row.msat)?;
    let mut entry: Entry = decode(row.body.as_bytes())?;
    entry.void = Some(why);
    if let Some(grant) = entry.capped.take() {
        let now = delegation(tables, &grant.key)?;
        // A newer grant never counted it.
        if now.is_some_and(|now| now.issued == grant.issued) {
            let less = |sum: u64| sum.saturating_sub(row.msat.get());
            count(&mut head, &grant.key, row.time, &less)?;
        }
    }
    if why == Void::Late {
        // The work may hold a copy for it.
        tables.wake(now_ms);
    } else {
        strike(&mut head, key.get(1..).unwrap_or_default());
    }
    row.state = State::Void;
    row.body = satchel_json::to_string(&entry).map_err(internal)?;
    head.save(tables)?;
    row.clone().save(tables, key)?;
    Ok(row)
}

/// A work asks what became of an order: it is posted, or from now on void for ever.
pub(crate) fn settle<T: Tables>(asked: &OrderOf, now_ms: u64) -> Result<Answering<T>> {
    let key = book::order_key(&asked.order)?;
    Ok(Box::new(move |tables| {
        let mut posted = false;
        // An order that was never reserved here can't come to be later: its reservation is made first.
        if TransferRow::load(tables, &key)?.is_some() {
            let row = void(tables, &key, Void::Late, now_ms)?;
            posted = matches!(row.state, State::Posted | State::Ended);
        }
        encode(&Settled { posted })
    }))
}

pub(crate) fn find(tables: &impl Tables, order: &str) -> Result<Vec<u8>> {
    let order = OrderId::parse(order).map_err(internal)?;
    let row = TransferRow::load(tables, &book::order_key(&order)?)?;
    let row = row.filter(|row| row.state == State::Posted && row.kind == Kind::Purchase);
    let entry: Option<Entry> = row.map(|row| decode(row.body.as_bytes())).transpose()?;
    encode(&OrderFound {
        transfer: entry.map(|entry| entry.transfer),
    })
}

/// The sale behind an order, for a refund of it.
pub(crate) fn sale(tables: &impl Tables, order: &str) -> Result<Vec<u8>> {
    let order = OrderId::parse(order).map_err(internal)?;
    let unknown = || ApiError::from(ErrorCode::UnknownSale);
    let row = TransferRow::load(tables, &book::order_key(&order)?)?;
    let row = row.filter(|row| matches!(row.state, State::Posted | State::Ended));
    let row = row.ok_or_else(unknown)?;
    let entry: Entry = decode(row.body.as_bytes())?;
    let OutCredit { credit, inbox } = entry.credit.ok_or_else(unknown)?;
    encode(&Sale {
        buyer: entry.transfer.agreement.account,
        work: entry.transfer.agreement.work,
        title: entry.transfer.title,
        order,
        payee: credit.payee,
        gross: credit.gross,
        fee: credit.fee,
        left: row.msat.minus(row.refunded)?,
        splits: credit.splits,
        creator: credit.creator,
        inbox: Some(inbox),
    })
}

//! `Account`: one balance, its transfers, its delegated keys. What it decides and writes; the runtime
//! is behind [`Host`].
//!
//! A `transfers` row is journal, entitlement and outbox entry at once. What is not done yet is listed
//! in the account's own row, so that an order writes two rows and an alarm and nothing else.

use std::cell::Cell;

use satchel_crypto::ed25519::PublicKey;
use satchel_domain::{
    id::{OrderId, Thumbprint},
    ledger::{self, Balances, Decision, Facts},
    money::Msat,
};
use satchel_edge::{Value, internal};
use satchel_json::FromJson;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{DelegationOut, Done, SignOutOut, TestMoneyOut},
    delegation::Delegation,
    internal::{
        AccountOrder, Announce, Credit, Fold, Fund, OrderFound, OrderOf, OrderedWork, Posted,
        Reserve, Sale, Settled, Transfer,
    },
    order::{self, Order},
    quote::Quote,
    signout::SignOut,
};
use serde::Serialize;

use crate::{
    account_lines::{self, From},
    book::{self, Entry, Grant, ID_BYTES, OutCredit, Void},
    host::{Host, Place, Tables, decode, encode},
    rows::{Head, INBOXES, KEYS, Kind, State, TRANSFERS, Taken, TransferRow},
};

/// What the entry may see of an account.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// Its sums.
    pub balances: Balances,
    /// Its epoch.
    pub epoch: u64,
    /// Inboxes that may hold sales on their way home.
    pub inboxes: Vec<String>,
}
satchel_json::read!(Seen {
    balances,
    epoch,
    inboxes,
    ..
});

/// An account.
#[derive(Debug, Default)]
pub struct Account {
    /// Failed deliveries in a row: only paces retries, so memory is enough.
    pub(crate) failures: Cell<u32>,
    /// Whether an alarm is set, as far as known, if anything is left to do.
    pub(crate) watched: Cell<bool>,
}

fn done() -> Result<Vec<u8>> {
    encode(&Done { done: true })
}

impl Account {
    /// Answers a request of the ledger's entry or of another object.
    pub async fn serve<H: Host>(&self, host: &H, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        self.watch(host).await;
        let tables = host.tables();
        match path {
            ["order"] => self.order(host, read(body)?).await,
            ["order", order] => find(tables, order),
            ["sale", order] => sale(tables, order),
            ["settle"] => settle(host, read(body)?).await,
            ["delegations"] => delegate(host, read(body)?).await,
            ["sign-out"] => sign_out(host, read(body)?).await,
            ["account", key] => look(host, key),
            ["purchases", key, before] => {
                allowed(tables, key, host.now_s(), |d| d.read)?;
                encode(&account_lines::purchases(tables, number(before)?)?)
            }
            ["transfers", key, side @ ("after" | "before"), line] => {
                allowed(tables, key, host.now_s(), |d| d.read)?;
                let line = number(line)?;
                let from = if *side == "after" {
                    From::After(line)
                } else {
                    From::Before(line)
                };
                encode(&account_lines::history(tables, from)?)
            }
            ["audit", cut, after] => {
                encode(&account_lines::audit(tables, number(cut)?, number(after)?)?)
            }
            ["fund", account] => fund(host, account, read(body)?).await,
            ["announce"] => announce(host, read(body)?).await,
            ["fold"] => fold(host, read(body)?).await,
            ["refund"] => self.refund(host, read(body)?).await,
            ["send"] => self.send(host, read(body)?).await,
            ["receive"] => crate::account_send::receive(host, read(body)?).await,
            ["give-back"] => crate::account_send::give_back(host, read(body)?).await,
            _ => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Verifies an order, decides it and writes what came of it.
    async fn order<H: Host>(&self, host: &H, ordered: AccountOrder) -> Result<Vec<u8>> {
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
            Outcome::Posted(posted) => encode(&*posted),
            Outcome::Reserved => self.drive(host, &id).await,
        }
    }

    /// Brings a reserved order to its end, as far as its work answers.
    pub(crate) async fn drive<H: Host>(&self, host: &H, id: &OrderId) -> Result<Vec<u8>> {
        let key = book::order_key(id)?;
        let row = TransferRow::load(host.tables(), &key)?;
        let row = row.ok_or_else(|| internal("a reservation is gone"))?;
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

fn read<T: FromJson>(body: &[u8]) -> Result<T> {
    decode(body)
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(internal)
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
    Posted(Box<Posted>),
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
        let known_entry: Option<Entry> = known
            .as_ref()
            .map(|row| decode(row.body.as_bytes()))
            .transpose()?;
        let mut head = Head::load(tables)?;
        let delegation = delegation(tables, &self.signer)?;
        let quoted = self.quote.as_ref().map(Quote::quoted);
        let facts = Facts {
            known: known_entry.as_ref().map(|entry| &entry.transfer.agreement),
            delegation: delegation.as_ref(),
            spent: spent(&head, &self.signer)?,
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
                    _ => posted(&row, true).map(|posted| Outcome::Posted(Box::new(posted))),
                };
            }
            Decision::Reissue => {
                let first = owned.ok_or_else(|| internal("owned without a transfer"))?;
                let row = self.reissue(agreement, &first)?;
                row.clone().save(tables, &key)?;
                return Ok(Outcome::Posted(Box::new(posted(&row, false)?)));
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
        let capped = delegation.filter(|d| d.max_total.is_some());
        let capped = capped.map(|d| Grant {
            key: self.signer.clone(),
            issued: d.issued,
        });
        let entry = self.entry(agreement, fee, capped)?;
        head.balances = balances;
        head.todo
            .extend_from_slice(key.get(1..).unwrap_or_default());
        let msat = entry.transfer.agreement.msat;
        if entry.capped.is_some() {
            spend(&mut head, &self.signer, |sum| sum.plus(msat))?;
        }
        let mut row = TransferRow {
            kind: Kind::Purchase,
            state,
            msat,
            time: self.now,
            balance: Msat::ZERO,
            refunded: Msat::ZERO,
            body: serde_json::to_string(&entry).map_err(internal)?,
        };
        if state == State::Posted {
            row.balance = head.balances.posted()?;
            account_lines::append(tables, &mut head, &key)?;
            tables.wake(self.now_ms);
        } else {
            tables.wake(self.now_ms.saturating_add(RESERVED_WAKE_MS));
        }
        head.save(tables)?;
        row.clone().save(tables, &key)?;
        match state {
            State::Pending => Ok(Outcome::Reserved),
            _ => Ok(Outcome::Posted(Box::new(Posted {
                transfer: entry.transfer,
                replayed: false,
                owned: false,
            }))),
        }
    }

    fn reissue(&self, agreement: ledger::Agreement, first: &TransferRow) -> Result<TransferRow> {
        let first: Entry = decode(first.body.as_bytes())?;
        let paid = &first.transfer.agreement;
        let transfer = Transfer {
            agreement: ledger::Agreement {
                // What was really paid and for which version stays what it was.
                version: paid.version,
                terms_digest: paid.terms_digest.clone(),
                usd_micros: paid.usd_micros,
                msat: paid.msat,
                ..agreement
            },
            time: self.now,
            ..first.transfer
        };
        let entry = Entry {
            transfer,
            credit: None,
            counted: None,
            capped: None,
            void: None,
        };
        Ok(TransferRow {
            kind: Kind::Reissue,
            state: State::Posted,
            msat: Msat::ZERO,
            time: self.now,
            balance: Msat::ZERO,
            refunded: Msat::ZERO,
            body: serde_json::to_string(&entry).map_err(internal)?,
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
        let credit = Credit {
            payee,
            order: agreement.order.clone(),
            work: Some(agreement.work.clone()),
            gross: agreement.msat,
            fee,
            time: self.now,
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
        })
    }
}

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
        let (mut owned, mut under_way) = (None, false);
        loop {
            let rows = tables.scan(&TRANSFERS, &from, &below, SCANNED)?;
            let last = rows.last().map(|(at, _)| at.clone());
            let full = rows.len() as u64 == SCANNED;
            for (at, columns) in rows {
                let row = TransferRow::of(columns)?;
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
            match last.filter(|_| full && owned.is_none()) {
                Some(last) => from = [&last[..], &[0]].concat(),
                None => break,
            }
        }
        Ok(Self {
            known: TransferRow::load(tables, key)?,
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
    let row = TransferRow::load(tables, key)?;
    let mut row = row.ok_or_else(|| internal("a reservation is gone"))?;
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
    row.body = serde_json::to_string(&entry).map_err(internal)?;
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
    let row = TransferRow::load(tables, key)?;
    let mut row = row.ok_or_else(|| internal("a reservation is gone"))?;
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
            let given_back = |sum: Msat| Ok(sum.minus(row.msat).unwrap_or(Msat::ZERO));
            spend(&mut head, &grant.key, given_back)?;
        }
    }
    if why == Void::Late {
        // The work may hold a copy for it.
        tables.wake(now_ms);
    } else {
        strike(&mut head, key.get(1..).unwrap_or_default());
    }
    row.state = State::Void;
    row.body = serde_json::to_string(&entry).map_err(internal)?;
    head.save(tables)?;
    row.clone().save(tables, key)?;
    Ok(row)
}

/// Takes an id off the outbox.
pub(crate) fn strike(head: &mut Head, id: &[u8]) {
    let left = head.todo.chunks_exact(ID_BYTES).filter(|one| *one != id);
    head.todo = left.collect::<Vec<_>>().concat();
}

/// A work asks what became of an order: it is posted, or from now on void for ever.
async fn settle<H: Host>(host: &H, asked: OrderOf) -> Result<Vec<u8>> {
    let (key, now) = (book::order_key(&asked.order)?, host.now_ms());
    let posted = host.transact(move |tables| {
        // An order that was never reserved here can't come to be later: its reservation is made first.
        if TransferRow::load(tables, &key)?.is_none() {
            return Ok(false);
        }
        let row = void(tables, &key, Void::Late, now)?;
        Ok(matches!(row.state, State::Posted | State::Ended))
    });
    encode(&Settled {
        posted: posted.await?,
    })
}

/// The thumbprint's first 8 bytes in `spent`.
fn tag(signer: &str) -> Result<[u8; 8]> {
    let bytes = satchel_crypto::b64::decode(signer).unwrap_or_default();
    bytes
        .first_chunk()
        .copied()
        .ok_or_else(|| ErrorCode::WrongKey.into())
}

fn spent_of(head: &Head, tag: [u8; 8]) -> Result<Msat> {
    let found = head.spent.chunks_exact(16).find_map(|one| {
        let rest = one.strip_prefix(&tag[..])?;
        rest.first_chunk().map(|n| u64::from_be_bytes(*n))
    });
    Ok(Msat::new(found.unwrap_or(0))?)
}

fn spent(head: &Head, signer: &str) -> Result<Msat> {
    spent_of(head, tag(signer)?)
}

fn spend(
    head: &mut Head,
    signer: &str,
    change: impl Fn(Msat) -> std::result::Result<Msat, satchel_domain::money::OutOfRange>,
) -> Result<()> {
    let tag = tag(signer)?;
    let sum = change(spent_of(head, tag)?)?;
    let others = head
        .spent
        .chunks_exact(16)
        .filter(|one| !one.starts_with(&tag));
    let mut left = others.collect::<Vec<_>>().concat();
    if sum > Msat::ZERO {
        left.extend_from_slice(&tag);
        left.extend_from_slice(&sum.get().to_be_bytes());
    }
    head.spent = left;
    Ok(())
}

fn find(tables: &impl Tables, order: &str) -> Result<Vec<u8>> {
    let order = OrderId::parse(order).map_err(internal)?;
    let row = TransferRow::load(tables, &book::order_key(&order)?)?;
    let row = row.filter(|row| row.state == State::Posted && row.kind == Kind::Purchase);
    let entry: Option<Entry> = row.map(|row| decode(row.body.as_bytes())).transpose()?;
    encode(&OrderFound {
        transfer: entry.map(|entry| entry.transfer),
    })
}

/// The sale behind an order, for a refund of it.
fn sale(tables: &impl Tables, order: &str) -> Result<Vec<u8>> {
    let order = OrderId::parse(order).map_err(internal)?;
    let unknown = || ApiError::from(ErrorCode::UnknownSale);
    let row = TransferRow::load(tables, &book::order_key(&order)?)?;
    let row = row.filter(|row| matches!(row.state, State::Posted | State::Ended));
    let entry: Entry = decode(row.ok_or_else(unknown)?.body.as_bytes())?;
    let OutCredit { credit, .. } = entry.credit.ok_or_else(unknown)?;
    encode(&Sale {
        buyer: entry.transfer.agreement.account,
        work: entry.transfer.agreement.work,
        title: entry.transfer.title,
        order,
        payee: credit.payee,
        gross: credit.gross,
        fee: credit.fee,
    })
}

pub(crate) fn delegation(tables: &impl Tables, key: &str) -> Result<Option<ledger::Delegation>> {
    let Some(columns) = tables.get(&KEYS, key.as_bytes())? else {
        return Ok(None);
    };
    let mut row = Taken::of(columns);
    let (_, _) = (row.text()?, row.int()?);
    decode(row.text()?.as_bytes()).map(Some)
}

/// The public key of a thumbprint, as its delegation kept it.
pub(crate) fn signer_key(tables: &impl Tables, kid: &str) -> Result<Option<PublicKey>> {
    let Some(columns) = tables.get(&KEYS, kid.as_bytes())? else {
        return Ok(None);
    };
    PublicKey::from_b64(&Taken::of(columns).text()?)
        .map(Some)
        .map_err(|_| internal("a kept key is not a key"))
}

/// Whether `key` may do what `scope` asks.
fn allowed(
    tables: &impl Tables,
    key: &str,
    now_s: u64,
    scope: fn(&ledger::Delegation) -> bool,
) -> Result<Head> {
    let head = Head::load(tables)?;
    let delegation = delegation(tables, key)?.ok_or(ErrorCode::WrongKey)?;
    in_force(&delegation, &head, now_s)?;
    if scope(&delegation) {
        Ok(head)
    } else {
        Err(ErrorCode::ScopeMissing.into())
    }
}

/// Whether a delegation has not ended; the error tells the epoch a new one needs.
pub(crate) fn in_force(delegation: &ledger::Delegation, head: &Head, now_s: u64) -> Result<()> {
    let ended = delegation.check(head.epoch, now_s);
    ended.map_err(|reject| ApiError::from(reject).with("epoch", head.epoch))
}

async fn delegate<H: Host>(host: &H, delegation: Delegation) -> Result<Vec<u8>> {
    let now = host.now_s();
    let key = delegation.key.key()?.jkt();
    let out = DelegationOut {
        account: delegation.account.clone(),
        key: Thumbprint::parse(&key).map_err(internal)?,
        expires: delegation.exp,
    };
    let keep = move |tables: &H::Tables| {
        let kept = delegation.kept();
        let mut head = Head::load(tables)?;
        in_force(&kept, &head, now)?;
        let old = self::delegation(tables, &key)?;
        if old.as_ref().is_some_and(|old| old.issued > kept.issued) {
            // Or whoever still has an older, wider one could bring it back.
            let newer = "this key has a newer delegation";
            return Err(
                ApiError::new(ErrorCode::DelegationExpired, newer).with("epoch", head.epoch)
            );
        }
        if old.as_ref() == Some(&kept) {
            return Ok(());
        }
        let mut living = 0_u64;
        // Ended ones are kept for a while: a retry of what they signed must still verify.
        for (known, columns) in tables.scan(&KEYS, &[], &[0xff], book::MAX_DELEGATIONS * 4)? {
            let mut row = Taken::of(columns);
            let (_, expires) = (row.text()?, row.int()?);
            if expires.saturating_add(book::KEEP_KEYS_S) <= now {
                tables.delete(&KEYS, &known)?;
            } else if expires > now && known != key.as_bytes() {
                living = living.saturating_add(1);
            }
        }
        if living >= book::MAX_DELEGATIONS {
            let full = ApiError::new(ErrorCode::TooMany, "this account has 64 keys already");
            return Err(full.retry_after(3_600));
        }
        if spent(&head, &key)? > Msat::ZERO {
            // A new grant begins at nothing.
            spend(&mut head, &key, |_| Ok(Msat::ZERO))?;
            head.save(tables)?;
        }
        let columns = vec![
            Value::from(delegation.key.x.as_str()),
            Value::Int(kept.expires),
            Value::Text(serde_json::to_string(&kept).map_err(internal)?),
        ];
        tables.put(&KEYS, key.as_bytes(), columns)
    };
    host.transact(keep).await?;
    encode(&out)
}

async fn sign_out<H: Host>(host: &H, asked: SignOut) -> Result<Vec<u8>> {
    let out = SignOutOut {
        account: asked.account,
        epoch: asked.epoch,
    };
    let advance = move |tables: &H::Tables| {
        let mut head = Head::load(tables)?;
        if head.epoch == asked.epoch {
            return Ok(());
        }
        if head.epoch.saturating_add(1) != asked.epoch {
            let next = ApiError::new(ErrorCode::DelegationExpired, "not the next epoch");
            return Err(next.with("epoch", head.epoch));
        }
        head.epoch = asked.epoch;
        head.save(tables)
    };
    host.transact(advance).await?;
    encode(&out)
}

fn look<H: Host>(host: &H, key: &str) -> Result<Vec<u8>> {
    let (tables, now) = (host.tables(), host.now_s());
    let head = allowed(tables, key, now, |d| d.read)?;
    let names = tables.scan(&INBOXES, &[], &[0xff], 10_000)?.into_iter();
    let names = names.map(|(name, _)| String::from_utf8_lossy(&name).into_owned());
    encode(&Seen {
        balances: head.balances,
        epoch: head.epoch,
        inboxes: names.filter(|name| book::is_recent(name, now)).collect(),
    })
}

async fn fund<H: Host>(host: &H, account: &str, fund: Fund) -> Result<Vec<u8>> {
    allowed(host.tables(), fund.key.as_str(), host.now_s(), |d| d.spend)?;
    register(host, account).await?;
    let now = host.now_s();
    let out = host.transact(move |tables| {
        let key = book::fund_key(&fund.id);
        let mut head = Head::load(tables)?;
        let known = TransferRow::load(tables, &key)?;
        if known.as_ref().is_some_and(|row| row.msat != fund.msat) {
            return Err(ApiError::new(
                ErrorCode::OrderConflict,
                "msat is not as before",
            ));
        }
        if known.is_none() {
            let row = credit(&mut head, Kind::Fund, fund.msat, now, "{}".to_owned())?;
            account_lines::append(tables, &mut head, &key)?;
            row.save(tables, &key)?;
            head.clone().save(tables)?;
        }
        Ok(TestMoneyOut {
            balance_msat: head.balances.available()?,
            replayed: known.is_some(),
        })
    });
    encode(&out.await?)
}

/// Adds to the sums; the row that says so is for the caller to write.
pub(crate) fn credit(
    head: &mut Head,
    kind: Kind,
    msat: Msat,
    time: u64,
    body: String,
) -> Result<TransferRow> {
    head.balances = head.balances.credit(msat)?;
    head.registered = true;
    Ok(TransferRow {
        kind,
        state: State::Posted,
        msat,
        time,
        balance: head.balances.posted()?,
        refunded: Msat::ZERO,
        body,
    })
}

/// The directory knows an account before its first credit, so that an audit finds every balance.
pub(crate) async fn register<H: Host>(host: &H, account: &str) -> Result<()> {
    if Head::load(host.tables())?.registered {
        return Ok(());
    }
    let shard = crate::directory::shard(account);
    host.ask::<_, Done>(Place::Directory(&shard), "/register", &account)
        .await?;
    Ok(())
}

async fn announce<H: Host>(host: &H, inbox: Announce) -> Result<Vec<u8>> {
    register(host, &inbox.account).await?;
    host.transact(move |tables| {
        let name = inbox.inbox.as_bytes();
        if tables.get(&INBOXES, name)?.is_some() {
            return Ok(());
        }
        tables.put(&INBOXES, name, vec![Value::Int(0), Value::Int(0)])
    })
    .await?;
    done()
}

/// Takes a batch of sales in, each number of an inbox once.
async fn fold<H: Host>(host: &H, batch: Fold) -> Result<Vec<u8>> {
    register(host, &batch.account).await?;
    let now = host.now_s();
    host.transact(move |tables| {
        let name = batch.inbox.as_bytes();
        let (mut number, mut sum) = (0, Msat::ZERO);
        if let Some(columns) = tables.get(&INBOXES, name)? {
            let mut row = Taken::of(columns);
            (number, sum) = (row.int()?, row.msat()?);
        }
        if batch.number <= number {
            return Ok(());
        }
        let mut head = Head::load(tables)?;
        let key = book::fold_key(&batch.inbox, batch.number);
        let body = serde_json::to_string(&batch).map_err(internal)?;
        let row = credit(&mut head, Kind::Fold, batch.msat, now, body)?;
        account_lines::append(tables, &mut head, &key)?;
        let after = vec![
            Value::Int(batch.number),
            Value::Int(sum.plus(batch.msat)?.get()),
        ];
        tables.put(&INBOXES, name, after)?;
        row.save(tables, &key)?;
        head.save(tables)
    })
    .await?;
    done()
}

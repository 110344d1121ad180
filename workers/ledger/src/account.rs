//! `Account`: one balance, its transfers, its delegated keys. What it decides and writes; the runtime
//! is behind [`Host`].
//!
//! A `transfers` row is journal, entitlement and outbox entry at once. What is not done yet is listed
//! in the account's own row, so that an order writes two rows and an alarm and nothing else.

use std::cell::{Cell, RefCell};

use satchel_crypto::ed25519::PublicKey;
use satchel_domain::{
    id::Thumbprint,
    ledger::{self, Balances},
    money::Msat,
};
use satchel_edge::{Value, internal};
use satchel_json::FromJson;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{DelegationOut, Done, SignOutOut, TestMoneyOut},
    delegation::Delegation,
    internal::{Announce, CsvPage, Fold, Fund, Sending},
    signout::SignOut,
};
use serde::Serialize;

use crate::{
    account_keys::{self, count},
    account_lines::{self, From},
    account_order, account_send,
    book::{self, ID_BYTES, OutCredit},
    host::{GivingJob, Host, Place, Tables, decode, encode},
    rows::{Head, INBOXES, KEYS, Kind, State, Taken, TransferRow},
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
    /// Credits of the outbox, by their ids, as their rows have them: so that the alarm need not read them.
    pub(crate) outgoing: RefCell<Vec<(Vec<u8>, OutCredit)>>,
}

fn done() -> Result<Vec<u8>> {
    encode(&Done { done: true })
}

/// A job whose result is an answer.
pub(crate) type Answering<T> = GivingJob<T, Vec<u8>>;

impl Account {
    /// Answers a request of the ledger's entry or of another object. What is only written, and not asked
    /// of others, ends in one place: a state of its own for each made this twice as large.
    pub async fn serve<H: Host>(&self, host: &H, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        self.watch(host).await;
        let (tables, now) = (host.tables(), host.now_s());
        // Before its first credit an account is in the directory.
        let mut account = None;
        let job = match path {
            ["order"] => return self.order(host, read(body)?).await,
            ["refund"] => return self.refund(host, read(body)?).await,
            ["send"] => return self.send(host, read(body)?).await,
            ["order", order] => return account_order::find(tables, order),
            ["sale", order] => return account_order::sale(tables, order),
            ["account", key] => return look(host, key),
            ["delegations", key, _] => return account_keys::list(host, key),
            ["purchases" | "transfers", key, rest @ ..] => {
                allowed(tables, key, now, |d| d.read)?;
                return lines(tables, rest);
            }
            ["audit", cut, after] => {
                return encode(&account_lines::audit(tables, number(cut)?, after)?);
            }
            ["settle"] => account_order::settle(&read(body)?, host.now_ms())?,
            ["delegations"] => delegate(read(body)?, now)?,
            ["sign-out"] => sign_out(read(body)?),
            ["fund", name] => {
                let asked: Fund = read(body)?;
                allowed(tables, asked.key.as_str(), now, |d| d.spend)?;
                account = Some((*name).to_owned());
                fund(asked, now)
            }
            ["announce"] => {
                let inbox: Announce = read(body)?;
                account = Some(inbox.account.clone());
                announce(inbox)
            }
            ["fold"] => {
                let batch: Fold = read(body)?;
                account = Some(batch.account.clone());
                fold(batch, now)
            }
            ["receive"] => {
                let sending: Sending = read(body)?;
                account = Some(sending.to.clone());
                account_send::receive(sending, now)
            }
            ["give-back"] => {
                let asked = read(body)?;
                account_send::has_come_home(host, &asked).await?;
                account_send::give_back(asked, now)
            }
            _ => return Err(ErrorCode::NotFound.into()),
        };
        if let Some(account) = account {
            register(host, &account).await?;
        }
        host.transact_boxed(job).await
    }
}

/// Lines of the journal: purchases before a line; after or before one, as JSON or CSV.
fn lines(tables: &impl Tables, asked: &[&str]) -> Result<Vec<u8>> {
    let (side, line) = match asked {
        [line] => return encode(&account_lines::purchases(tables, number(line)?)?),
        [side, line] => (*side, number(line)?),
        _ => return Err(ErrorCode::NotFound.into()),
    };
    let from = match side {
        "before" => From::Before(line),
        _ => From::After(line),
    };
    let page = account_lines::history(tables, from)?;
    if side == "csv" {
        let csv = book::csv(&page.transfers);
        return encode(&CsvPage {
            csv,
            next: page.next,
        });
    }
    encode(&page)
}

fn read<T: FromJson>(body: &[u8]) -> Result<T> {
    decode(body)
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(internal)
}

/// Takes an id off the outbox.
pub(crate) fn strike(head: &mut Head, id: &[u8]) {
    strike_all(head, &[id]);
}

/// Takes ids off the outbox.
pub(crate) fn strike_all(head: &mut Head, ids: &[&[u8]]) {
    let mut next = 0;
    let mut left = Vec::with_capacity(head.todo.len());
    for one in head.todo.chunks_exact(ID_BYTES) {
        if find(ids.len(), &mut next, &|at| ids.get(at) == Some(&one)).is_none() {
            left.extend_from_slice(one);
        }
    }
    head.todo = left;
}

/// Where among `len` things is the one that is meant. Looks first behind the one that was found before:
/// two lists of the outbox's ids mostly have the same order.
pub(crate) fn find(len: usize, next: &mut usize, is: &dyn Fn(usize) -> bool) -> Option<usize> {
    let mut at = *next;
    for _ in 0..len {
        if at >= len {
            at = 0;
        }
        if is(at) {
            *next = at.saturating_add(1);
            return Some(at);
        }
        at = at.saturating_add(1);
    }
    None
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

fn delegate<T: Tables>(delegation: Delegation, now: u64) -> Result<Answering<T>> {
    let key = delegation.key.key()?.jkt();
    let out = DelegationOut {
        account: delegation.account.clone(),
        key: Thumbprint::parse(&key).map_err(internal)?,
        expires: delegation.exp,
    };
    Ok(Box::new(move |tables| {
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
            return encode(&out);
        }
        let before = head.spent.clone();
        let mut living = 0_u64;
        // Ended ones are kept for a while: a retry of what they signed must still verify.
        for (known, columns) in tables.scan(&KEYS, &[], &[0xff], book::MAX_DELEGATIONS * 4)? {
            let mut row = Taken::of(columns);
            let (_, expires) = (row.text()?, row.int()?);
            if expires.saturating_add(book::KEEP_KEYS_S) <= now {
                tables.delete(&KEYS, &known)?;
                count(&mut head, &String::from_utf8_lossy(&known), now, &|_| 0)?;
            } else if expires > now && known != key.as_bytes() {
                living = living.saturating_add(1);
            }
        }
        if living >= book::MAX_DELEGATIONS {
            let full = ApiError::new(ErrorCode::TooMany, "this account has 64 keys already");
            return Err(full.retry_after(3_600));
        }
        // A new grant begins at nothing.
        count(&mut head, &key, now, &|_| 0)?;
        if head.spent != before {
            head.save(tables)?;
        }
        let columns = vec![
            Value::from(delegation.key.x.as_str()),
            Value::Int(kept.expires),
            Value::Text(satchel_json::to_string(&kept).map_err(internal)?),
        ];
        tables.put(&KEYS, key.as_bytes(), columns)?;
        encode(&out)
    }))
}

fn sign_out<T: Tables>(asked: SignOut) -> Answering<T> {
    let out = SignOutOut {
        account: asked.account,
        epoch: asked.epoch,
    };
    Box::new(move |tables| {
        let mut head = Head::load(tables)?;
        if head.epoch == asked.epoch {
            return encode(&out);
        }
        if head.epoch.saturating_add(1) != asked.epoch {
            let next = ApiError::new(ErrorCode::DelegationExpired, "not the next epoch");
            return Err(next.with("epoch", head.epoch));
        }
        head.epoch = asked.epoch;
        head.save(tables)?;
        encode(&out)
    })
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

fn fund<T: Tables>(fund: Fund, now: u64) -> Answering<T> {
    Box::new(move |tables| {
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
        encode(&TestMoneyOut {
            balance_msat: head.balances.available()?,
            replayed: known.is_some(),
        })
    })
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

fn announce<T: Tables>(inbox: Announce) -> Answering<T> {
    Box::new(move |tables| {
        let name = inbox.inbox.as_bytes();
        if tables.get(&INBOXES, name)?.is_none() {
            tables.put(&INBOXES, name, vec![Value::Int(0), Value::Int(0)])?;
        }
        done()
    })
}

/// Takes a batch of sales in, each number of an inbox once.
fn fold<T: Tables>(batch: Fold, now: u64) -> Answering<T> {
    Box::new(move |tables| {
        let name = batch.inbox.as_bytes();
        let (mut number, mut sum) = (0, Msat::ZERO);
        if let Some(columns) = tables.get(&INBOXES, name)? {
            let mut row = Taken::of(columns);
            (number, sum) = (row.int()?, row.msat()?);
        }
        if batch.number <= number {
            return done();
        }
        let mut head = Head::load(tables)?;
        let key = book::fold_key(&batch.inbox, batch.number);
        let body = satchel_json::to_string(&batch).map_err(internal)?;
        let row = credit(&mut head, Kind::Fold, batch.msat, now, body)?;
        account_lines::append(tables, &mut head, &key)?;
        let after = vec![
            Value::Int(batch.number),
            Value::Int(sum.plus(batch.msat)?.get()),
        ];
        tables.put(&INBOXES, name, after)?;
        row.save(tables, &key)?;
        head.save(tables)?;
        done()
    })
}

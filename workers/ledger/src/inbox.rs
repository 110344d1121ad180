//! `Inbox`: credits of one seller, some days, one slot, folded home in batches.

use std::cell::Cell;

use satchel_domain::money::Msat;
use satchel_edge::{Value, internal};
use satchel_wire::{
    ErrorCode, Result,
    api::Done,
    internal::{Announce, Credit, Delivery, Fold, InboxAudit, Spread},
};
use serde::Serialize;

use crate::{
    book::{self, Waiting, fees_of},
    host::{Host, Place, Tables, backoff, decode, encode},
    rows::{CREDITS, HELD, ONE, Taken},
};

/// Sales are gathered this long before they are folded home.
const GATHER_MS: u64 = 1_000;
/// Credits on a page of an audit.
const AUDITED: u64 = 2_000;

/// What waits here. `folding` is frozen under its number until both accounts have acknowledged it,
/// so that a retry sends the very same batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Held {
    /// Its own name, by which it numbers its batches: of the version before, the object's id.
    name: String,
    payee: String,
    number: u64,
    open: Waiting,
    folding: Option<Waiting>,
    /// What both accounts have acknowledged.
    folded: Option<Waiting>,
    /// The work of the last credit.
    work: Option<String>,
    /// When the first of `open` came, Unix milliseconds.
    since: Option<u64>,
}
satchel_json::read!(Held {
    name,
    payee,
    number,
    open,
    folding,
    folded,
    work,
    since,
    ..
});

impl Held {
    fn load(tables: &impl Tables) -> Result<Option<Self>> {
        let Some(columns) = tables.get(&HELD, ONE)? else {
            return Ok(None);
        };
        decode(Taken::of(columns).text()?.as_bytes()).map(Some)
    }

    /// The operator's account. A batch that the version before sent there must not go to another.
    fn fees(&self) -> String {
        if self.is_old() {
            book::OLD_FEES.to_owned()
        } else {
            fees_of(&self.payee)
        }
    }

    /// Whether the version before made it.
    fn is_old(&self) -> bool {
        !self.name.contains('/')
    }

    fn waits(&self) -> bool {
        self.open.count > 0 || self.folding.is_some()
    }

    fn save(&self, tables: &impl Tables) -> Result<()> {
        let body = satchel_json::to_string(self).map_err(internal)?;
        tables.put(&HELD, ONE, vec![Value::Text(body)])
    }
}

/// An inbox.
#[derive(Debug, Default)]
pub struct Inbox {
    failures: Cell<u32>,
    /// Whether an alarm is set, as far as known, if anything waits (`Account::watch`).
    watched: Cell<bool>,
}

impl Inbox {
    /// Answers another object or the ledger's entry.
    pub async fn serve<H: Host>(&self, host: &H, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        if !self.watched.replace(true)
            && Held::load(host.tables())?.is_some_and(|held| held.waits())
        {
            let at = host.now_ms().saturating_add(GATHER_MS);
            self.watched.set(wake(host, at).await.is_ok());
        }
        match path {
            ["credits"] => self.take(host, decode(body)?).await,
            ["waiting"] => encode(&waiting(host.tables())?),
            ["audit", cut, after @ ..] => {
                let cut = cut.parse().map_err(internal)?;
                encode(&audit(
                    host.tables(),
                    cut,
                    after.first().copied().unwrap_or_default(),
                )?)
            }
            _ => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Takes credits in, each id once, whatever is delivered again.
    async fn take<H: Host>(&self, host: &H, delivery: Delivery) -> Result<Vec<u8>> {
        let Some(payee) = delivery
            .credits
            .first()
            .map(|credit| credit.payee.to_string())
        else {
            return encode(&Done { done: true });
        };
        if Held::load(host.tables())?.is_none() {
            // So that a balance, and an audit, can tell what lies here.
            let account = payee.clone();
            let announce = Announce {
                account,
                inbox: delivery.inbox.clone(),
            };
            host.ask::<_, Done>(Place::Account(&payee), "/announce", &announce)
                .await?;
        }
        let now_ms = host.now_ms();
        host.transact(move |tables| {
            let held = Held::load(tables)?;
            let mut held = held.unwrap_or_else(|| Held {
                name: delivery.inbox.clone(),
                payee: payee.clone(),
                number: 0,
                open: Waiting::default(),
                folding: None,
                folded: None,
                work: None,
                since: None,
            });
            if delivery
                .credits
                .iter()
                .any(|credit| credit.payee.as_str() != held.payee)
            {
                return Err(internal("a credit for another seller"));
            }
            let keys = delivery.credits.iter();
            let keys = keys.map(|credit| book::order_key(&credit.order));
            tables.prefetch(&CREDITS, &keys.collect::<Result<Vec<_>>>()?)?;
            let mut fresh = false;
            for credit in &delivery.credits {
                fresh |= add(tables, &mut held, credit, now_ms)?;
            }
            if fresh {
                held.save(tables)?;
                tables.wake(now_ms.saturating_add(GATHER_MS));
            }
            Ok(())
        })
        .await?;
        encode(&Done { done: true })
    }

    /// Sends what waits home. Whatever fails is tried again by an alarm of our own.
    pub async fn alarm<H: Host>(&self, host: &H) -> Result<()> {
        let failed = self.fold(host).await.is_err();
        let failures = if failed {
            self.failures.get().saturating_add(1)
        } else {
            0
        };
        self.failures.set(failures);
        let Some(held) = Held::load(host.tables())? else {
            return Ok(());
        };
        if !held.waits() {
            return Ok(());
        }
        let wait = backoff(GATHER_MS, failures, if failed { host.dice() } else { 0 });
        let armed = wake(host, host.now_ms().saturating_add(wait)).await;
        self.watched.set(armed.is_ok());
        armed
    }

    /// Sends one batch home: freeze, send, strike off.
    async fn fold<H: Host>(&self, host: &H) -> Result<()> {
        let now_ms = host.now_ms();
        let frozen = host.transact(move |tables: &H::Tables| {
            let Some(mut held) = Held::load(tables)? else {
                return Ok(None);
            };
            let mut crowded = false;
            if held.folding.is_none() && held.open.count > 0 {
                // What piled up while home was out of reach is no sign of many sales a second.
                let gathered = now_ms.saturating_sub(held.since.unwrap_or(0));
                let in_a_second = held.open.count.saturating_mul(1_000);
                crowded = in_a_second >= book::HOT.saturating_mul(gathered.max(GATHER_MS));
                held.number = held.number.saturating_add(1);
                held.folding = Some(std::mem::take(&mut held.open));
                held.save(tables)?;
            }
            Ok(Some((held, crowded)))
        });
        let Some((held, crowded)) = frozen.await? else {
            return Ok(());
        };
        let Some(batch) = held.folding else {
            return Ok(());
        };
        let fees = held.fees();
        for (account, msat) in [(&held.payee, batch.net), (&fees, batch.fee)] {
            if msat == Msat::ZERO && *account == fees {
                continue;
            }
            let fold = Fold {
                account: account.clone(),
                inbox: held.name.clone(),
                number: held.number,
                msat,
                count: batch.count,
            };
            host.ask::<_, Done>(Place::Account(account), "/fold", &fold)
                .await?;
        }
        let number = held.number;
        host.transact(move |tables| {
            // Sales that came in meanwhile are in `open` of the stored row, not of our copy.
            let Some(mut held) = Held::load(tables)? else {
                return Err(internal("the inbox is gone"));
            };
            if held.number != number {
                return Ok(());
            }
            if let Some(batch) = held.folding.take() {
                let folded = held.folded.unwrap_or_default();
                held.folded = Some(folded.and(batch)?);
                held.save(tables)?;
            }
            Ok(())
        })
        .await?;
        if crowded && let Some(work) = held.work {
            let slot = held
                .name
                .rsplit('/')
                .next()
                .and_then(|slot| slot.parse::<u32>().ok());
            let slots = if slot == Some(0) { 8 } else { book::MAX_SLOTS };
            // Should this fail, the next batch tells again.
            let _ = host
                .ask::<_, Done>(Place::Work(&work), "/spread", &Spread { slots })
                .await;
        }
        Ok(())
    }
}

async fn wake<H: Host>(host: &H, at: u64) -> Result<()> {
    host.transact(move |tables: &H::Tables| {
        tables.wake(at);
        Ok(())
    })
    .await
}

/// Whether the credit is a new one.
fn add(tables: &impl Tables, held: &mut Held, credit: &Credit, now_ms: u64) -> Result<bool> {
    let key = book::order_key(&credit.order)?;
    if tables.get(&CREDITS, &key)?.is_some() {
        return Ok(false);
    }
    if held.open.count == 0 {
        held.since = Some(now_ms);
    }
    held.open = held.open.with(credit)?;
    held.work = credit.work.as_ref().map(ToString::to_string);
    let columns = vec![
        Value::Int(credit.gross.get()),
        Value::Int(credit.fee.get()),
        Value::Int(credit.time),
    ];
    tables.put(&CREDITS, &key, columns)?;
    Ok(true)
}

fn waiting(tables: &impl Tables) -> Result<Waiting> {
    let Some(held) = Held::load(tables)? else {
        return Ok(Waiting::default());
    };
    held.open.and(held.folding.unwrap_or_default())
}

fn audit(tables: &impl Tables, cut: u64, after: &str) -> Result<InboxAudit> {
    let held = Held::load(tables)?;
    let from = satchel_crypto::b64::decode(after).unwrap_or_default();
    // What follows directly after a key.
    let from = if from.is_empty() {
        from
    } else {
        [&from[..], &[0]].concat()
    };
    let rows = tables.scan(&CREDITS, &from, &[0xff], AUDITED)?;
    let last = rows.last().map(|(key, _)| satchel_crypto::b64::encode(key));
    let next = last.filter(|_| rows.len() as u64 == AUDITED);
    let (mut by_cut, mut all, mut count) = (Msat::ZERO, Msat::ZERO, 0_u64);
    for (_, columns) in rows {
        let mut row = Taken::of(columns);
        let (gross, _, time) = (row.msat()?, row.int()?, row.int()?);
        all = all.plus(gross)?;
        count = count.saturating_add(1);
        if time <= cut {
            by_cut = by_cut.plus(gross)?;
        }
    }
    let part = |of: fn(&Held) -> Option<Waiting>| held.as_ref().and_then(of).unwrap_or_default();
    let folded = part(|held| held.folded);
    let folding = part(|held| held.folding);
    let waiting = part(|held| Some(held.open)).and(folding)?;
    Ok(InboxAudit {
        by_cut,
        all,
        count,
        next,
        folded: folded.net.plus(folded.fee)?,
        waiting: waiting.net.plus(waiting.fee)?,
        folding_net: folding.net,
        folding_fee: folding.fee,
        folded_net: folded.net,
        called: held.filter(Held::is_old).map(|held| held.name),
    })
}

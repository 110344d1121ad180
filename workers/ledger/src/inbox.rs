//! `Inbox`: credits of one seller, some days, one slot, folded home in batches.

use std::cell::{Cell, RefCell};

use satchel_domain::{id::OrderId, money::Msat};
use satchel_edge::{Value, internal};
use satchel_wire::{
    ErrorCode, Result,
    api::Done,
    internal::{Announce, AuditSum, Credit, Delivery, Fold, InboxAudit, Spread},
};

use crate::{
    book::{self, Waiting},
    host::{self, Host, Place, Tables, backoff, decode, encode},
    inbox_held::{GATHER_MS, Held, news},
    rows::{CREDITS, Taken},
};

/// Credits on a page of an audit.
const AUDITED: u64 = 2_000;

/// How often somebody has not answered, and when they are asked again: only paces, so memory is enough.
#[derive(Debug)]
struct Pace {
    to: String,
    failures: u32,
    again_ms: u64,
}

/// An inbox.
#[derive(Debug, Default)]
pub struct Inbox {
    failures: Cell<u32>,
    paces: RefCell<Vec<Pace>>,
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
            ["waiting", account @ ..] => {
                let account = account.first().copied();
                encode(&waiting(host.tables(), account)?)
            }
            ["home", order, account] => encode(&home(host.tables(), order, account)?),
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
                legs: Vec::new(),
                feeds: Vec::new(),
                folded: Waiting::default(),
                work: None,
                since: None,
            });
            let keys = delivery.credits.iter();
            let keys = keys.map(|credit| book::order_key(&credit.order));
            tables.prefetch(&CREDITS, &keys.collect::<Result<Vec<_>>>()?)?;
            let mut fresh = false;
            for credit in &delivery.credits {
                if credit.payee.as_str() != held.payee {
                    return Err(internal("a credit for another seller"));
                }
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
        let now = host.now_ms();
        let soon = now.saturating_add(backoff(GATHER_MS, failures, 0));
        let legs = held.legs.iter().filter(|leg| leg.waits());
        let feeds = held.feeds.iter().filter(|feed| feed.waits());
        let legs = legs.map(|leg| self.again(&leg.to));
        let feeds = feeds.map(|feed| self.again(&shop_of(&feed.creator)));
        let Some(next) = legs.chain(feeds).min() else {
            return Ok(());
        };
        let armed = wake(host, next.max(soon)).await;
        self.watched.set(armed.is_ok());
        armed
    }

    /// When somebody who did not answer is asked again; 0 for everybody else.
    fn again(&self, to: &str) -> u64 {
        let paces = self.paces.borrow();
        let pace = paces.iter().find(|pace| pace.to == to);
        pace.map_or(0, |pace| pace.again_ms)
    }

    fn answered(&self, to: String, fine: bool, now_ms: u64, dice: u8) {
        let mut paces = self.paces.borrow_mut();
        let at = paces.iter().position(|pace| pace.to == to);
        let known = at.map(|at| paces.swap_remove(at));
        if !fine {
            let failures = known.map_or(0, |pace| pace.failures).saturating_add(1);
            let again_ms = now_ms.saturating_add(backoff(GATHER_MS, failures, dice));
            paces.push(Pace {
                to,
                failures,
                again_ms,
            });
        }
    }

    /// Sends everybody their batch: freeze, send, strike off.
    async fn fold<H: Host>(&self, host: &H) -> Result<()> {
        let now_ms = host.now_ms();
        let frozen = host.transact(move |tables: &H::Tables| {
            let Some(mut held) = Held::load(tables)? else {
                return Ok(None);
            };
            let (fresh, crowded) = held.freeze(tables, now_ms)?;
            if fresh {
                held.clone().save(tables)?;
            }
            Ok(Some((held, crowded)))
        });
        let Some((held, crowded)) = frozen.await? else {
            return Ok(());
        };
        let (mut asked, mut asks) = (Vec::new(), Vec::new());
        let due = |to: &str| self.again(to) <= now_ms;
        for leg in held.legs.iter().filter(|leg| due(&leg.to)) {
            let Some(batch) = leg.folding else { continue };
            let fold = Fold {
                account: leg.to.clone(),
                inbox: held.name.clone(),
                number: batch.number,
                msat: batch.msat,
                count: batch.count,
            };
            asked.push((leg.to.clone(), false, batch.number));
            // Home is told of copies that were free; nobody else of nothing.
            if batch.msat == Msat::ZERO && leg.to != held.payee {
                asks.push(Box::pin(async { Ok(Done { done: true }) }) as host::Waiting<'_, Done>);
            } else {
                asks.push(host.ask(Place::Account(&leg.to), "/fold", &fold));
            }
        }
        for feed in held.feeds.iter().filter(|it| due(&shop_of(&it.creator))) {
            if !feed.telling.is_empty() {
                let news = news(host, &held, feed)?;
                asked.push((feed.creator.clone(), true, feed.number));
                asks.push(host.ask_boxed(
                    Place::Shop(&feed.creator),
                    "/sales",
                    Ok(news.into_bytes()),
                ));
            }
        }
        let answers = host::all(asks).await;
        let answers: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        let now_ms = host.now_ms();
        for ((to, shop, _), fine) in asked.iter().zip(&answers) {
            let to = if *shop { shop_of(to) } else { to.clone() };
            self.answered(to, *fine, now_ms, host.dice());
        }
        let done = asked.into_iter().zip(answers);
        let done: Vec<_> = done.filter(|(_, fine)| *fine).collect();
        if !done.is_empty() {
            host.transact(move |tables| {
                // Sales that came in meanwhile are in the stored row, not in our copy.
                let held = Held::load(tables)?;
                let mut held = held.ok_or_else(|| internal("the inbox is gone"))?;
                for ((to, shop, number), _) in &done {
                    held.acknowledge(to, *shop, *number)?;
                }
                held.save(tables)
            })
            .await?;
        }
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

/// How a shop is called among those who are asked.
fn shop_of(creator: &str) -> String {
    format!("shop {creator}")
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
    let payee = held.payee.clone();
    let home = held.leg(&payee);
    if home.is_none_or(|leg| leg.count == 0) {
        held.since = Some(now_ms);
    }
    let mut net = credit.gross.minus(credit.fee)?;
    for part in credit.splits.iter().flatten() {
        net = net.minus(part.msat)?;
        held.give(&part.account, part.msat)?;
    }
    held.give(&payee, net)?;
    held.give(&held.fees(), credit.fee)?;
    held.work = credit.work.as_ref().map(ToString::to_string);
    let mut told = String::new();
    if let (Some(creator), Some(work), Some(buyer)) = (&credit.creator, &credit.work, &credit.buyer)
    {
        let version = credit.version.unwrap_or(0);
        let usd_micros = credit.usd_micros.unwrap_or(0);
        told = format!("{buyer} {work} {version} {usd_micros}");
        held.tell(tables, creator.as_str(), credit.order.body())?;
    }
    let columns = vec![
        Value::Int(credit.gross.get()),
        Value::Int(credit.fee.get()),
        Value::Int(credit.time),
        Value::Int(held.number),
        Value::Text(told),
    ];
    tables.put(&CREDITS, &key, columns)?;
    Ok(true)
}

/// What waits for an account, or for the seller's.
fn waiting(tables: &impl Tables, account: Option<&str>) -> Result<Waiting> {
    let mut sum = Waiting::default();
    let Some(held) = Held::load(tables)? else {
        return Ok(sum);
    };
    let account = account.unwrap_or(&held.payee);
    if let Some(leg) = held.leg(account) {
        sum.net = leg.waiting()?;
    }
    Ok(sum)
}

/// Whether an account has its part of a sale.
fn home(tables: &impl Tables, order: &str, account: &str) -> Result<Done> {
    let order = OrderId::parse(order).map_err(internal)?;
    let row = tables.get(&CREDITS, &book::order_key(&order)?)?;
    let (Some(row), Some(held)) = (row, Held::load(tables)?) else {
        return Ok(Done { done: false });
    };
    let mut row = Taken::of(row);
    let (_, _, _, after) = (row.int()?, row.int()?, row.int()?, row.int()?);
    let leg = held.leg(account);
    // Nothing is on its way, and what waits for the next batch came later.
    let done =
        leg.is_none_or(|leg| leg.folding.is_none() && (leg.count == 0 || leg.number > after));
    Ok(Done { done })
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
    let folded = held
        .as_ref()
        .map_or_else(Waiting::default, |held| held.folded);
    let fees = held.as_ref().map(Held::fees).unwrap_or_default();
    let (mut waiting, mut folding_net, mut folding_fee) = (Msat::ZERO, Msat::ZERO, Msat::ZERO);
    let mut folding = Vec::new();
    for leg in held.iter().flat_map(|held| &held.legs) {
        waiting = waiting.plus(leg.waiting()?)?;
        if leg.to == fees {
            folding_fee = leg.folded_next();
        } else {
            folding_net = folding_net.plus(leg.folded_next())?;
            folding.push(AuditSum {
                name: leg.to.clone(),
                credit: leg.folded_next(),
                debit: Msat::ZERO,
                count: 1,
            });
        }
    }
    Ok(InboxAudit {
        by_cut,
        all,
        count,
        next,
        folded: folded.net.plus(folded.fee)?,
        waiting,
        folding_net,
        folding_fee,
        folding: Some(folding),
        folded_net: folded.net,
        called: held.filter(Held::is_old).map(|held| held.name),
    })
}

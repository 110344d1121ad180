//! An account's alarm: delivers what its outbox lists, and brings to an end what is reserved.

use satchel_domain::ledger::Agreement;
use satchel_wire::{
    ErrorCode, Result,
    api::Done,
    internal::{Credit, Delivery, OrderOf, Sending},
};

use crate::{
    account::{Account, find, strike_all},
    account_order::{GATHER_MS, void},
    account_send::entry,
    book::{self, ID_BYTES, OutCredit, Void},
    host::{Host, Place, backoff, decode},
    rows::{Head, Kind, State, TransferRow},
};

/// Milliseconds before what failed is tried again; doubled with each failure.
const RETRY_MS: u64 = 500;

/// Credits for one inbox, with the ids that they come from.
struct Parcel {
    inbox: String,
    credits: Vec<Credit>,
    ids: Vec<Vec<u8>>,
}

impl Account {
    /// Runs until nothing is left to do. Whatever fails is tried again by an alarm of our own: one that
    /// throws is tried six times by the runtime and then gone for good.
    pub async fn alarm<H: Host>(&self, host: &H) -> Result<()> {
        let failed = self.work_off(host).await.is_err();
        let failures = if failed {
            self.failures.get().saturating_add(1)
        } else {
            0
        };
        self.failures.set(failures);
        if !failed && Head::load(host.tables())?.todo.is_empty() {
            return Ok(());
        }
        let wait = backoff(RETRY_MS, failures, host.dice());
        let wait = if failed { wait } else { GATHER_MS };
        let at = host.now_ms().saturating_add(wait);
        let left = move |tables: &H::Tables| {
            let head = Head::load(tables)?;
            if !head.todo.is_empty() {
                crate::host::Tables::wake(tables, at);
            }
            Ok(())
        };
        let armed = host.transact(left).await;
        self.watched.set(armed.is_ok());
        armed
    }

    /// Sets the alarm that the runtime has forgotten, where storage refused for so long that even
    /// re-arming failed seven times: with the first request of a life, and the first after such a failure.
    pub(crate) async fn watch<H: Host>(&self, host: &H) {
        if self.watched.replace(true) || Head::load(host.tables()).is_ok_and(|h| h.todo.is_empty())
        {
            return;
        }
        let at = host.now_ms().saturating_add(RETRY_MS);
        let armed = host.transact(move |tables: &H::Tables| {
            crate::host::Tables::wake(tables, at);
            Ok(())
        });
        self.watched.set(armed.await.is_ok());
    }

    /// Each partner is asked although another one fails; the first failure is told.
    async fn work_off<H: Host>(&self, host: &H) -> Result<()> {
        let todo = Head::load(host.tables())?.todo;
        let mut parcels: Vec<Parcel> = Vec::new();
        let mut first = Ok(());
        // Those that are not in the outbox any more are of no use.
        let outgoing = std::mem::take(&mut *self.outgoing.borrow_mut());
        let mut next = 0;
        for id in todo.chunks_exact(ID_BYTES) {
            let is = |at: usize| outgoing.get(at).is_some_and(|(known, _)| known[..] == *id);
            let known = find(outgoing.len(), &mut next, &is);
            if let Some((_, credit)) = known.and_then(|at| outgoing.get(at)) {
                put_in(&mut parcels, id, credit.clone());
                continue;
            }
            let done = self.step(host, id, &mut parcels).await;
            first = first.and(done);
        }
        for Parcel {
            inbox,
            credits,
            ids,
        } in parcels
        {
            let delivery = Delivery { inbox, credits };
            let place = Place::Inbox(&delivery.inbox);
            match host.ask::<_, Done>(place, "/credits", &delivery).await {
                Ok(_) => strike_off(host, ids).await?,
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    /// What is to be done for one id; credits are put together by inbox.
    async fn step<H: Host>(&self, host: &H, id: &[u8], parcels: &mut Vec<Parcel>) -> Result<()> {
        let key = book::id_key(id);
        let row = TransferRow::must(host.tables(), &key)?;
        if row.kind != Kind::Purchase {
            let sending: Sending = decode(row.body.as_bytes())?;
            self.drive_sending(host, &sending.id).await?;
            let still = Head::load(host.tables())?.todo;
            let waits = still.chunks_exact(ID_BYTES).any(|one| one == id);
            return if waits {
                Err(ErrorCode::Unavailable.into())
            } else {
                Ok(())
            };
        }
        let bought = entry(&row)?;
        let order = OrderOf {
            order: bought.transfer.agreement.order.clone(),
        };
        let work = Place::Work(bought.transfer.agreement.work.as_str());
        let (now, now_ms) = (host.now_s(), host.now_ms());
        match row.state {
            State::Pending if row.time.saturating_add(book::RESERVE_LIFE_S) < now => {
                host.transact(move |tables| void(tables, &key, Void::Late, now_ms))
                    .await?;
                // Its copy is let go in the next run.
                Ok(())
            }
            State::Pending => {
                let done = self.drive(host, &order.order).await;
                done.map(|_| ()).or_else(|error| match error.code {
                    ErrorCode::OrderPending => Err(error),
                    // Decided, against the order.
                    _ => Ok(()),
                })
            }
            State::Void => {
                host.ask::<_, Done>(work, "/release", &order).await?;
                strike_off(host, vec![id.to_vec()]).await
            }
            State::Posted | State::Ended => {
                if bought.counted == Some(true) {
                    host.ask::<_, Done>(work, "/confirm", &order).await?;
                }
                let Some(credit) = bought.credit else {
                    return strike_off(host, vec![id.to_vec()]).await;
                };
                put_in(parcels, id, told_all(credit, &bought.transfer.agreement));
                Ok(())
            }
        }
    }
}

async fn strike_off<H: Host>(host: &H, ids: Vec<Vec<u8>>) -> Result<()> {
    host.transact(move |tables| {
        let mut head = Head::load(tables)?;
        let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
        strike_all(&mut head, &ids);
        head.save(tables)
    })
    .await
}

/// A credit with what only the creator's shop is told: it stands in the transfer, not in the stored credit.
pub(crate) fn told_all(mut out: OutCredit, agreed: &Agreement) -> OutCredit {
    let credit = &mut out.credit;
    if credit.creator.is_some() {
        credit.buyer = Some(agreed.account.clone());
        credit.version = Some(agreed.version);
        credit.usd_micros = Some(agreed.usd_micros);
    }
    out
}

/// Puts a credit into the parcel of its inbox.
fn put_in(parcels: &mut Vec<Parcel>, id: &[u8], OutCredit { inbox, credit }: OutCredit) {
    let known = parcels.iter_mut().find(|parcel| parcel.inbox == inbox);
    if let Some(parcel) = known {
        parcel.credits.push(credit);
        parcel.ids.push(id.to_vec());
    } else {
        parcels.push(Parcel {
            inbox,
            credits: vec![credit],
            ids: vec![id.to_vec()],
        });
    }
}

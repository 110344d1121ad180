//! What must hold once the network is whole again, nobody asks any more and all alarms have rung:
//! nothing waits, everything adds up to the millisatoshi over all objects, audits say the same.

use std::{collections::BTreeMap, rc::Rc};

use satchel_ledger_worker::{
    account_lines::{self, From},
    book,
    rows::{CREDITS, HEAD, INBOXES, Kind, ONE, STOCK, State, TRANSFERS, TransferRow},
};
use satchel_wire::internal::{AccountAudit, DirectoryPage, InboxAudit};

use crate::{
    checks::{Held, Verdict, blob, entry_of, int, is_posted, must, sending_of, text},
    engine::Sim,
    heard::HEARD,
    object::Object,
    shop::Entry,
    store::Store,
    tables::Sort,
};

/// Everything of every object.
pub fn everything(sim: &Rc<Sim>) -> Verdict {
    let objects = sim.objects();
    let [mut kept, mut funded, mut sold] = sim.retired.get();
    let (mut credited, mut told) = (0, 0);
    let mut home: BTreeMap<String, u64> = BTreeMap::new();
    let (mut got, mut due) = (Parts::new(), Parts::new());
    let mut tellable = 0;
    let refunds = refunds(&objects);
    for object in &objects {
        must!(
            object.alarm().is_none(),
            "{} still has an alarm",
            object.name
        );
        let data = object.data();
        match object.sort {
            Sort::Account => {
                let Some(head) = data.get(&HEAD, ONE) else {
                    must!(
                        data.all(&TRANSFERS).is_empty(),
                        "{}: rows without a head",
                        object.name
                    );
                    continue;
                };
                must!(
                    blob(head, 7).is_empty(),
                    "{} still has an outbox",
                    object.name
                );
                must!(
                    int(head, 0) == 0,
                    "{} still has reserved money",
                    object.name
                );
                kept += int(head, 3) - int(head, 1);
                for (key, row) in data.all(&TRANSFERS) {
                    let row = TransferRow::of((**row).clone()).unwrap();
                    match row.kind {
                        Kind::Fund => funded += row.msat.get(),
                        Kind::Purchase if is_posted(row.state) => {
                            sold += 1;
                            purchase(sim, key, &row, &refunds)
                                .and_then(|()| dues(sim, &row, &mut due))
                                .map_err(|why| format!("{}: {why}", object.name))?;
                            tellable += 1;
                        }
                        Kind::Purchase | Kind::Reissue | Kind::Fold => {}
                        Kind::Refund if is_posted(row.state) => {
                            sending(sim, key, &row)?;
                            let sale = sending_of(&row).sale.unwrap();
                            let shop = sale.creator.unwrap();
                            is_heard(sim, shop.as_str(), &sending_of(&row).id, row.msat.get())?;
                            tellable += 1;
                        }
                        _ => sending(sim, key, &row)?,
                    }
                }
                for (name, row) in data.all(&INBOXES) {
                    let name = String::from_utf8(name.clone()).unwrap();
                    let inbox = sim.known(Sort::Inbox, &name).ok_or("announced by nobody")?;
                    let number = Held::of(&inbox.data()).number;
                    must!(int(row, 0) <= number, "{name}: {} of {number}", int(row, 0));
                    if int(row, 1) > 0 {
                        let part = (name.clone(), object.name.to_string());
                        *got.entry(part).or_insert(0) += int(row, 1);
                    }
                    *home.entry(name).or_insert(0) += int(row, 1);
                }
                journal(sim, object)?;
            }
            Sort::Inbox => {
                let inbox = Held::of(&data);
                must!(!inbox.waits(), "{} still holds {inbox:?}", object.name);
                credited += data.all(&CREDITS).len() as u64;
            }
            Sort::Work => stock(sim, object)?,
            Sort::Shop => told += data.all(&HEARD).len() as u64,
            Sort::Directory => {}
        }
    }
    if sim.retired.get()[2] == 0 {
        must!(got == due, "came home: {got:?}; was sold: {due:?}");
        must!(told == tellable, "shops heard {told} of {tellable}");
    }
    for object in objects.iter().filter(|object| object.sort == Sort::Inbox) {
        let folded = Held::of(&object.data()).folded;
        let arrived = home.get(&*object.name).copied().unwrap_or(0);
        must!(
            folded[0] + folded[1] == arrived,
            "{} sent {} home, {arrived} arrived",
            object.name,
            folded[0] + folded[1]
        );
    }
    must!(kept == funded, "{funded} msat came in, {kept} are there");
    must!(sold == credited, "{sold} sales, {credited} credits");
    Ok(())
}

/// Sums by inbox and account.
type Parts = BTreeMap<(String, String), u64>;

/// What everybody gets of a sale; its shop has heard of it.
fn dues(sim: &Sim, row: &TransferRow, due: &mut Parts) -> Verdict {
    let entry = entry_of(row);
    let out = entry.credit.as_ref().ok_or("a purchase without a credit")?;
    let credit = &out.credit;
    let mut rest = credit.gross.get() - credit.fee.get();
    let mut parts = vec![(book::fees_of(credit.payee.as_str()), credit.fee.get())];
    for part in credit.splits.iter().flatten() {
        rest -= part.msat.get();
        parts.push((part.account.clone(), part.msat.get()));
    }
    let weights: Vec<u64> = parts.iter().map(|(_, msat)| *msat).collect();
    parts.push((credit.payee.to_string(), rest));
    for (account, msat) in parts.into_iter().filter(|(_, msat)| *msat > 0) {
        *due.entry((out.inbox.clone(), account)).or_insert(0) += msat;
    }
    // Nobody bears more of a refund than they got; all of it gives everything back.
    let borne = entry.borne.unwrap_or_default();
    for (borne, got) in borne.iter().zip(&weights) {
        let (borne, back) = (borne.msat.get(), row.refunded.get());
        let exact = u128::from(*got) * u128::from(back);
        let off = (u128::from(borne) * u128::from(row.msat.get())).abs_diff(exact);
        let refunds = 64 * u128::from(row.msat.get());
        must!(borne <= *got && off <= refunds, "bears {borne} of {got}");
        must!(
            row.refunded < row.msat || borne == *got,
            "bears {borne} of {got}"
        );
    }
    let shop = credit.creator.as_ref().ok_or("sold by nobody")?;
    let order = entry.transfer.agreement.order.as_str();
    is_heard(sim, shop.as_str(), order, row.msat.get())
}

fn is_heard(sim: &Sim, shop: &str, id: &str, msat: u64) -> Verdict {
    let shop = sim.known(Sort::Shop, shop).ok_or("a shop heard nothing")?;
    let data = shop.data();
    let heard = data.get(&HEARD, id.as_bytes()).map(|row| int(row, 0));
    must!(heard == Some(msat), "the shop heard {heard:?} of {id}");
    Ok(())
}

/// What was paid back, by the key of the order.
fn refunds(objects: &[Rc<Object>]) -> BTreeMap<Vec<u8>, u64> {
    let mut sums = BTreeMap::new();
    for object in objects.iter().filter(|object| object.sort == Sort::Account) {
        for row in object.data().all(&TRANSFERS).values() {
            if int(row, 0) != Kind::Refund as u64 {
                continue;
            }
            let row = TransferRow::of((**row).clone()).unwrap();
            if let Some(sale) = sending_of(&row).sale.filter(|_| is_posted(row.state)) {
                let key = book::order_key(&sale.order).unwrap();
                *sums.entry(key).or_insert(0) += row.msat.get();
            }
        }
    }
    sums
}

fn purchase(sim: &Sim, key: &[u8], row: &TransferRow, refunds: &BTreeMap<Vec<u8>, u64>) -> Verdict {
    let entry = entry_of(row);
    let out = entry.credit.as_ref().ok_or("a purchase without a credit")?;
    let inbox = sim.known(Sort::Inbox, &out.inbox).ok_or("no such inbox")?;
    let data = inbox.data();
    let credit = data
        .get(&CREDITS, key)
        .ok_or("a sale that was not credited")?;
    must!(int(credit, 0) == row.msat.get(), "credited another amount");
    must!(
        int(credit, 1) == row.msat.get() * 500 / 10_000,
        "another fee"
    );
    let back = refunds.get(key).copied().unwrap_or(0);
    must!(
        back == row.refunded.get(),
        "{back} paid back, {} got back",
        row.refunded.get()
    );
    must!(
        (row.state == State::Ended) == (row.refunded == row.msat && row.msat.get() > 0),
        "ended without a full refund"
    );
    if entry.counted == Some(true) {
        let work = sim.known(Sort::Work, entry.transfer.agreement.work.as_str());
        let work = work.ok_or("no such work")?;
        let data = work.data();
        let state = data.get(&STOCK, key).map(|row| int(row, 0) & 3);
        must!(state == Some(2), "sold, but its copy is {state:?}");
    }
    Ok(())
}

/// What one side of a sending says, the other says too.
fn sending(sim: &Sim, key: &[u8], row: &TransferRow) -> Verdict {
    let sending = sending_of(row);
    let other = match row.kind {
        Kind::Refund | Kind::CorrectionOut | Kind::FeeOut | Kind::SplitOut => &sending.to,
        _ => &sending.from,
    };
    let other = sim.known(Sort::Account, other);
    let there = other.and_then(|other| other.data().transfer(key));
    if row.state == State::Void {
        must!(there.is_none(), "given up, and received: {}", sending.id);
    } else if row.msat.get() > 0 {
        let there = there.ok_or(format!("{} is one-sided", sending.id))?;
        must!(there.msat == row.msat, "{}: two amounts", sending.id);
        must!(is_posted(there.state), "{}: {:?}", sending.id, there.state);
    }
    Ok(())
}

fn stock(sim: &Sim, object: &Object) -> Verdict {
    for (key, row) in object.data().all(&STOCK) {
        let (state, account) = (int(row, 0) & 3, text(row, 1));
        let order = sim
            .known(Sort::Account, account)
            .and_then(|account| account.data().transfer(key));
        let order = order.map(|row| row.state);
        let fine = match (state, order) {
            (2, Some(state)) => is_posted(state),
            // A request that came late, for an order that was given up: given back when wanted.
            (1 | 3, order) => !order.is_some_and(is_posted) && order != Some(State::Pending),
            _ => false,
        };
        must!(
            fine,
            "{}: a copy is {state}, its order {order:?}",
            object.name
        );
    }
    Ok(())
}

/// Every line, from the first on: the balance after each is that before with what it moved.
pub fn journal(sim: &Rc<Sim>, object: &Rc<Object>) -> Verdict {
    let tables = Store::of(Rc::clone(sim), Rc::clone(object));
    let head = object.data().get(&HEAD, ONE).map(Rc::clone).unwrap();
    let posted = int(&head, 3) - int(&head, 1);
    let (mut after, mut balance, mut folded) = (0, 0, false);
    loop {
        let page =
            account_lines::history(&tables, From::After(after)).map_err(|e| format!("{e:?}"))?;
        for line in &page.transfers {
            folded |= line.kind == "checkpoint";
            balance = balance + line.credit_msat.get() - line.debit_msat.get();
            // Within a page that was folded, batches stand together.
            must!(
                folded || balance == line.balance_msat.get(),
                "{}: line {} says {}, the sum is {balance}",
                object.name,
                line.line,
                line.balance_msat.get()
            );
        }
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    must!(
        balance == posted,
        "{}: lines sum up to {balance}, not {posted}",
        object.name
    );
    Ok(())
}

/// What an operator reads: the same sums on both sides of everything, by any cut.
pub async fn audit(entry: &Entry, cut: u64) -> Verdict {
    let mut accounts = Vec::new();
    for shard in 0..satchel_ledger_worker::directory::SHARDS {
        let page = entry
            .ask(Sort::Directory, &shard.to_string(), "/list/", b"")
            .await;
        let page: DirectoryPage = satchel_json::from_slice(&page.unwrap()).unwrap();
        accounts.extend(page.accounts);
    }
    let (mut sold, mut home) = (BTreeMap::new(), BTreeMap::new());
    let (mut sent, mut received) = (BTreeMap::new(), BTreeMap::new());
    let (mut funded, mut held, mut fees) = (0, 0, [0_u64; 2]);
    for account in &accounts {
        let (mut after, mut sums) = (0, [0_u64; 2]);
        loop {
            let path = format!("/audit/{cut}/{after}");
            let page = entry.ask(Sort::Account, account, &path, b"").await.unwrap();
            let page: AccountAudit = satchel_json::from_slice(&page).unwrap();
            must!(
                page.under_way.is_empty(),
                "{account}: something is under way"
            );
            for kind in &page.kinds {
                sums[0] += kind.credit.get();
                sums[1] += kind.debit.get();
                if kind.name == "test_money" {
                    funded += kind.credit.get();
                }
                if matches!(kind.name.as_str(), "fee_returned" | "split_returned") {
                    fees[0] += kind.credit.get();
                    fees[1] += kind.debit.get();
                }
            }
            for (side, all) in [
                (&page.sold, &mut sold),
                (&page.sent, &mut sent),
                (&page.received, &mut received),
                (&page.inboxes, &mut home),
            ] {
                for sum in side {
                    *all.entry(sum.name.clone()).or_insert(0) += sum.credit.get() + sum.debit.get();
                }
            }
            after = page.upto;
            if page.upto == page.lines {
                let posted = page.balances.posted().unwrap().get();
                must!(
                    posted + sums[1] == sums[0],
                    "{account}: {posted} posted, {sums:?} by its lines"
                );
                must!(
                    page.lines == 0 || page.balance.get() == posted,
                    "{account}: its last line"
                );
                held += posted;
                break;
            }
        }
    }
    must!(held == funded, "audited {held}, came in {funded}");
    must!(fees[0] == fees[1], "fees came back: {fees:?}");
    for side in [&mut sent, &mut received] {
        side.retain(|_, sum| *sum > 0);
    }
    must!(sent == received, "sent {sent:?}, received {received:?}");
    let inboxes: Vec<String> = home.keys().chain(sold.keys()).cloned().collect();
    for inbox in inboxes {
        let (mut by_cut, mut after) = (0, String::new());
        let at_home = loop {
            let path = format!("/audit/{cut}/{after}");
            let page = entry.ask(Sort::Inbox, &inbox, &path, b"").await.unwrap();
            let page: InboxAudit = satchel_json::from_slice(&page).unwrap();
            must!(page.waiting.get() == 0, "{inbox}: something waits");
            by_cut += page.by_cut.get();
            match page.next {
                Some(next) => after = next,
                None => break page.folded.get(),
            }
        };
        let of = |all: &BTreeMap<String, u64>| all.get(&inbox).copied().unwrap_or(0);
        must!(
            of(&sold) == by_cut,
            "{inbox}: sold for {}, credited {by_cut}",
            of(&sold)
        );
        must!(
            of(&home) == at_home,
            "{inbox}: {} came home of {at_home}",
            of(&home)
        );
    }
    Ok(())
}

/// An order's row, wherever it is.
pub fn order_row(
    sim: &Sim,
    account: &str,
    order: &satchel_domain::id::OrderId,
) -> Option<TransferRow> {
    let account = sim.known(Sort::Account, account)?;
    let key = book::order_key(order).unwrap();
    account.data().transfer(&key)
}

//! What a purchase costs, in requests to objects and in rows, as accounts, sellers and history grow;
//! and how busy the busiest object is when one work sells two thousand times a second.

use std::rc::Rc;

use satchel_edge::Value;
use satchel_ledger_worker::{
    book,
    rows::{HEAD, Kind, ONE, STOCK, TRANSFERS, TransferRow},
};

use crate::{
    checks::{int, is_posted},
    ending,
    object::Object,
    rng::Rng,
    runs::{self, settle},
    shop::{Person, Ware, new_order, sign_order, terms},
    stage::{Stage, welcome},
    tables::Sort,
};

const PRICE: u64 = 1_000;

/// Totals over all objects.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    requests: u64,
    written: u64,
    read: u64,
    alarms: u64,
}

/// Per purchase.
#[derive(Debug, Clone, Copy)]
struct Cost {
    requests: f64,
    written: f64,
    read: f64,
}

fn totals(stage: &Stage) -> Totals {
    let mut sums = Totals {
        alarms: stage.sim.counts.get().alarms_set,
        ..Totals::default()
    };
    for object in stage.sim.objects() {
        sums.requests += object.requests.get();
        sums.written += object.data().written;
        sums.read += object.read.get();
    }
    sums
}

fn cost(before: Totals, after: Totals, purchases: u64) -> Cost {
    let each = |a: u64, b: u64| (b - a) as f64 / purchases as f64;
    Cost {
        requests: each(before.requests, after.requests),
        // An alarm that is set is a row written.
        written: each(before.written, after.written) + each(before.alarms, after.alarms),
        read: each(before.read, after.read),
    }
}

fn calm(stage: &Stage) {
    for object in stage.sim.objects() {
        object.busiest.set(0);
        object.second.set((0, 0));
    }
}

fn busiest(stage: &Stage) -> Rc<Object> {
    let objects = stage.sim.objects();
    let busiest = objects.iter().max_by_key(|object| object.busiest.get());
    Rc::clone(busiest.unwrap())
}

fn crowd(name: &str, count: u64) -> Vec<Person> {
    (0..count)
        .map(|n| Person::of(&format!("{name} {n}")))
        .collect()
}

/// Everybody buys `each` works, so many a second; gives the cost of a purchase, all it leads to included.
fn buying(
    stage: &Stage,
    people: &[Person],
    each: u64,
    rate: u64,
    mut pick: impl FnMut(u64) -> Ware,
) -> Cost {
    for (n, person) in people.iter().enumerate() {
        let (entry, person) = (Rc::clone(&stage.entry), person.clone());
        stage.sim.spawn(n as u64, async move {
            welcome(&entry, &person, each * PRICE).await;
        });
    }
    settle(&stage.sim).unwrap();
    calm(stage);
    let before = totals(stage);
    let purchases = people.len() as u64 * each;
    for n in 0..purchases {
        let person = people[(n / each) as usize].clone();
        let (entry, ware) = (Rc::clone(&stage.entry), pick(n));
        stage.sim.spawn(n * 1_000 / rate, async move {
            let order = new_order(&entry.sim, &person, 0, &ware, PRICE);
            let token = sign_order(&person, 0, &order);
            let posted = entry.order(&token).await.unwrap();
            assert!(!posted.owned, "a purchase of its own");
        });
    }
    settle(&stage.sim).unwrap();
    cost(before, totals(stage), purchases)
}

fn sellers(stage: &Stage, count: u64) -> Vec<Ware> {
    let wares = (0..count).map(|n| {
        let seller = Person::of(&format!("seller {n}"));
        Ware::of(&format!("ware {n}"), seller, terms(PRICE, None, None))
    });
    let wares: Vec<Ware> = wares.collect();
    for (n, ware) in wares.iter().enumerate() {
        let (entry, ware) = (Rc::clone(&stage.entry), ware.clone());
        stage
            .sim
            .spawn(n as u64, async move { entry.put_on_sale(&ware).await });
    }
    settle(&stage.sim).unwrap();
    wares
}

fn told(what: &str, cost: Cost) {
    let Cost {
        requests,
        written,
        read,
    } = cost;
    runs::say(&format!(
        "a purchase with {what}: {requests:.2} requests, {written:.2} rows written, {read:.2} read"
    ));
}

fn flat(what: &str, a: f64, b: f64, most: f64) {
    assert!(b <= a * most, "{what} grows from {a:.2} to {b:.2}");
}

#[test]
fn a_purchase_costs_the_same_with_ten_times_the_accounts() {
    let counts = if runs::soak() {
        [20_000, 200_000]
    } else {
        [1_000, 10_000]
    };
    let [few, many] = counts.map(|count| {
        let stage = Stage::of(1, false);
        let wares = sellers(&stage, 20);
        let people = crowd("buyer", count);
        let cost = buying(&stage, &people, 1, 500, |n| wares[n as usize % 20].clone());
        told(&format!("{count} accounts"), cost);
        stage.end();
        cost
    });
    flat("requests", few.requests, many.requests, 1.05);
    flat("rows written", few.written, many.written, 1.05);
    flat("rows read", few.read, many.read, 1.05);
}

/// The first `n` shares of a popularity that falls as 1 / rank.
fn zipf(n: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let shares = (1..=n).map(|rank| {
        sum += 1.0 / rank as f64;
        sum
    });
    shares.collect()
}

#[test]
fn a_purchase_costs_no_more_with_a_hundred_times_the_sellers() {
    let [few, many] = [100, 10_000].map(|count| {
        let stage = Stage::of(2, false);
        let wares = sellers(&stage, count);
        let people = crowd("buyer", if runs::soak() { 40_000 } else { 1_000 });
        let shares = zipf(wares.len());
        let (mut rng, mut last, mut owned) = (Rng::of(count), 0, Vec::new());
        let cost = buying(&stage, &people, 5, 200, |n| {
            if n / 5 != last {
                (last, owned) = (n / 5, Vec::new());
            }
            loop {
                let at = rng.unit() * shares[shares.len() - 1];
                let rank = shares
                    .partition_point(|share| *share < at)
                    .min(wares.len() - 1);
                if !owned.contains(&rank) {
                    owned.push(rank);
                    return wares[rank].clone();
                }
            }
        });
        told(&format!("{count} sellers by Zipf's law"), cost);
        stage.end();
        cost
    });
    // A seller of one work a week has every sale brought home alone: that is the most it can cost.
    assert!(many.requests < 12.0, "{few:?} {many:?}");
    assert!(many.written < 25.0, "{few:?} {many:?}");
}

#[test]
fn a_purchase_costs_the_same_after_a_long_history() {
    let stage = Stage::of(3, false);
    let ware = Ware::of("song", Person::of("seller"), terms(PRICE, None, None));
    stage.sell(&ware);
    let lines = if runs::soak() { 50_000 } else { 5_000 };
    let old = Person::of("old");
    stage.welcome(&old, PRICE);
    let (entry, funded) = (Rc::clone(&stage.entry), old.clone());
    stage.wait(async move {
        for n in 0..lines {
            entry.fund(&funded, &format!("line {n}"), 1).await.unwrap();
        }
    });
    let many = crowd("buyer", lines);
    let early = buying(&stage, &many[..100], 1, 5, |_| ware.clone());
    // Below what spreads a work's sales over more inboxes.
    buying(&stage, &many[100..], 1, 40, |_| ware.clone());
    let late = buying(&stage, &crowd("late", 100), 1, 5, |_| ware.clone());
    let of_old = buying(&stage, &[old], 1, 5, |_| ware.clone());
    told("no sales before it", early);
    told(&format!("{lines} sales before it"), late);
    told(&format!("{lines} lines of its own before it"), of_old);
    flat("requests", early.requests, late.requests, 1.1);
    flat("rows written", early.written, late.written, 1.1);
    flat("rows read", early.read, late.read, 1.2);
    ending::everything(&stage.sim).unwrap();
    stage.end();
}

/// Rows that a limited work reads for a purchase, `sold` copies having gone before.
fn of_limited(sold: u64) -> Cost {
    let stage = Stage::of(4, false);
    let ware = Ware::of(
        "print",
        Person::of("seller"),
        terms(PRICE, Some(1_000_000), None),
    );
    stage.sell(&ware);
    let work = stage.sim.object(Sort::Work, ware.work.as_str());
    let mut rng = Rng::of(sold);
    for _ in 0..sold {
        let order = satchel_wire::order::new_id(&ware.work, rng.bytes()).unwrap();
        let columns = vec![Value::Int(2), Value::from("somebody"), Value::Int(0)];
        work.write(&STOCK, &book::order_key(&order).unwrap(), Some(columns));
    }
    work.close(None);
    work.harden(work.committed.get());
    let cost = buying(&stage, &crowd("buyer", 20), 1, 1, |_| {
        // Each finds it evicted, as a work is that sells once in a while.
        work.life.borrow_mut().take();
        ware.clone()
    });
    stage.end();
    cost
}

#[test]
fn what_a_limited_edition_reads_is_told() {
    for sold in [10, 10_000] {
        told(
            &format!("{sold} copies of a limited work sold before"),
            of_limited(sold),
        );
    }
}

/// Accounts that are done leave memory.
fn retire(stage: &Stage, people: &[Person]) {
    let [mut kept, mut funded, mut sold] = stage.sim.retired.get();
    for person in people {
        let account = stage.sim.object(Sort::Account, person.account.as_str());
        {
            let data = account.data();
            let head = data.get(&HEAD, ONE).unwrap();
            kept += int(head, 3) - int(head, 1);
            for row in data.all(&TRANSFERS).values() {
                let row = TransferRow::of((**row).clone()).unwrap();
                match row.kind {
                    Kind::Fund => funded += row.msat.get(),
                    Kind::Purchase if is_posted(row.state) => sold += 1,
                    _ => {}
                }
            }
        }
        account.retire();
    }
    stage.sim.retired.set([kept, funded, sold]);
}

#[test]
fn a_work_that_sells_two_thousand_a_second_keeps_no_object_busy() {
    let crowds = if runs::soak() { 50 } else { 1 };
    let stage = Stage::of(5, false);
    let ware = Ware::of("hit", Person::of("star"), terms(PRICE, None, None));
    stage.sell(&ware);
    // It becomes known: a hundred in a second, then eight hundred; each time the entry learns of it
    // within 20 s.
    for (name, count) in [("early", 100), ("next", 800)] {
        buying(&stage, &crowd(name, count), 1, count, |_| ware.clone());
        let sim = Rc::clone(&stage.sim);
        stage.wait(async move { sim.pause(21_000).await });
    }
    let mut first = None;
    for n in 0..crowds {
        let people = crowd(&format!("crowd {n}"), 20_000);
        let cost = buying(&stage, &people, 1, 2_000, |_| ware.clone());
        let busiest = busiest(&stage);
        told(
            &format!("{} buyers of one work at 2,000 a second", (n + 1) * 20_000),
            cost,
        );
        runs::say(&format!(
            "  its busiest object: {:?} {} with {} requests a second",
            busiest.sort,
            crate::engine::short(&busiest.name),
            busiest.busiest.get()
        ));
        assert!(busiest.busiest.get() <= 200, "{} is too busy", busiest.name);
        let first = first.get_or_insert(cost);
        flat("requests", first.requests, cost.requests, 1.05);
        flat("rows written", first.written, cost.written, 1.05);
        flat("rows read", first.read, cost.read, 1.05);
        ending::everything(&stage.sim).unwrap();
        retire(&stage, &people);
    }
    stage.end();
}

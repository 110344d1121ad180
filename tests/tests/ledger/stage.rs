//! Chosen scenes, one trouble each: a crash at every gap, a partner that is down for long, more slots
//! between a delivery and its retry, a thousand claims on a hundred copies.

use std::{cell::RefCell, rc::Rc};

use satchel_ledger_worker::{
    book,
    rows::{CREDITS, HEAD, Kind, ONE, STOCK, State, TRANSFERS, TransferRow},
};
use satchel_wire::{
    ErrorCode,
    api::{Done, OrderStatus},
    internal::{Sending, Spread},
    order::Order,
};

use crate::{
    checks::{Held, Verdict, blob, int, must},
    ending,
    engine::Sim,
    runs::{self, Life, heal, settle},
    shop::{
        Entry, Person, Ware, config, delegation, msat, new_order, sign_order, sign_refund, terms,
    },
    tables::Sort,
    trouble::{Faults, Plant},
};

/// A simulator and an entry to it.
pub struct Stage {
    pub sim: Rc<Sim>,
    pub entry: Rc<Entry>,
}

impl Stage {
    pub fn of(seed: u64, trace: bool) -> Self {
        let sim = Sim::new(seed, config(), Plant::None, trace);
        let entry = Entry::of(&sim);
        Self { sim, entry }
    }

    /// Lets time pass until it is done.
    pub fn wait<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let slot: Rc<RefCell<Option<T>>> = Rc::default();
        let filled = Rc::clone(&slot);
        self.sim.spawn(0, async move {
            let done = future.await;
            *filled.borrow_mut() = Some(done);
        });
        while self.sim.found().is_none() {
            self.sim.run(self.sim.now() + 20);
            if let Some(done) = slot.borrow_mut().take() {
                return done;
            }
        }
        panic!("{}", self.sim.found().unwrap());
    }

    pub fn sell(&self, ware: &Ware) {
        let name = Rc::from(ware.work.as_str());
        let limits = (ware.terms.limit, ware.terms.giveaway);
        self.sim.limits.borrow_mut().insert(name, limits);
        let (entry, ware) = (Rc::clone(&self.entry), ware.clone());
        self.wait(async move { entry.put_on_sale(&ware).await });
    }

    pub fn welcome(&self, person: &Person, amount: u64) {
        let (entry, person) = (Rc::clone(&self.entry), person.clone());
        self.wait(async move { welcome(&entry, &person, amount).await });
    }

    pub fn end(&self) {
        self.sim.end();
    }

    fn head(&self, person: &Person, at: usize) -> u64 {
        let account = self.sim.known(Sort::Account, person.account.as_str());
        account.map_or(0, |account| {
            let data = account.data();
            data.get(&HEAD, ONE).map_or(0, |row| int(row, at))
        })
    }
}

/// Gives somebody a key and money.
pub async fn welcome(entry: &Entry, person: &Person, amount: u64) {
    let grant = delegation(&entry.sim, person, 0, 0, None);
    while entry.delegate(&grant).await.is_err() {
        entry.sim.pause(1_000).await;
    }
    while amount > 0 && entry.fund(person, "first", amount).await.is_err() {
        entry.sim.pause(1_000).await;
    }
}

/// Sends the same order until it is decided.
async fn insist(entry: &Entry, buyer: &Person, order: &Order) -> Result<(), ErrorCode> {
    let token = sign_order(buyer, 0, order);
    loop {
        match entry.order(&token).await {
            Ok(_) => return Ok(()),
            Err(error)
                if matches!(error.code, ErrorCode::Unavailable | ErrorCode::OrderPending) =>
            {
                entry.sim.pause(500 + entry.sim.below(1_000)).await;
            }
            Err(error) => return Err(error.code),
        }
    }
}

/// A purchase, one of a limited edition, a free copy, a refund, a correction: with a crash before the
/// `gap`th event, if there is one. Gives how many events there were.
fn all_kinds(gap: Option<u64>) -> Result<u64, String> {
    let stage = Stage::of(1, false);
    let (buyer, seller) = (Person::of("buyer"), Person::of("seller"));
    let wares = [
        Ware::of("song", seller.clone(), terms(1_000, None, None)),
        Ware::of("print", seller.clone(), terms(2_000, Some(1), None)),
        Ware::of("leaflet", seller.clone(), terms(300, None, Some(1))),
    ];
    for ware in &wares {
        stage.sell(ware);
    }
    stage.welcome(&buyer, 10_000);
    stage.welcome(&seller, 500);
    settle(&stage.sim)?;
    let began = stage.sim.counts.get().events;
    stage.sim.gap.set(gap.map(|gap| began + gap));
    let (entry, sim) = (Rc::clone(&stage.entry), Rc::clone(&stage.sim));
    let (giver, taker) = (seller.clone(), buyer.clone());
    stage.sim.spawn(0, async move {
        let mut handle = String::new();
        for (ware, price) in wares.iter().zip([1_000, 2_000, 0]) {
            let order = new_order(&sim, &taker, 0, ware, price);
            insist(&entry, &taker, &order).await.unwrap();
            if price == 1_000 {
                let token = sign_order(&taker, 0, &order);
                while handle.is_empty() {
                    if let Ok(posted) = entry.order(&token).await {
                        handle = posted.transfer.handle;
                    }
                }
            }
        }
        // The fee comes back as far as its account has it: the sales are to have come home.
        sim.pause(60_000).await;
        let token = sign_refund(&sim, &giver, &handle, 1, 400);
        loop {
            match entry.refund(&token).await {
                Ok(out) if out.status == OrderStatus::Posted => break,
                _ => sim.pause(700).await,
            }
        }
        let sending = Sending {
            id: "cor_1".into(),
            from: giver.account.to_string(),
            to: taker.account.to_string(),
            msat: msat(50),
            time: 0,
            sale: None,
            reason: Some("because".into()),
            parts: None,
            told: None,
            fee_due: None,
            fee_back: None,
            left: None,
        };
        let from = sending.from.clone();
        while entry
            .tell::<Done>(Sort::Account, &from, "/send", &sending)
            .await
            .is_err()
        {
            sim.pause(700).await;
        }
    });
    settle(&stage.sim)?;
    ending::everything(&stage.sim)?;
    let events = stage.sim.counts.get().events - began;
    // 10,000 − 1,000 − 2,000 + 400 + 50; 500 + 950 + 1,900 − 400 + 20 − 50.
    let balance = |person| stage.head(person, 3) - stage.head(person, 1);
    must!(
        balance(&buyer) == 7_450,
        "the buyer has {}",
        balance(&buyer)
    );
    must!(
        balance(&seller) == 2_920,
        "the seller has {}",
        balance(&seller)
    );
    stage.end();
    Ok(events)
}

#[test]
fn a_crash_at_any_gap_changes_nothing_in_the_end() {
    let events = all_kinds(None).unwrap();
    let found = runs::seeds("a crash at every gap", events, |gap, _| Life {
        operations: 5,
        wrong: all_kinds(Some(gap - 1)).err(),
        ..Life::default()
    });
    assert_eq!(found, None, "the seed is the gap");
}

#[test]
fn more_slots_between_a_delivery_and_its_retry_credit_once() {
    for slots in [8, 64] {
        let stage = Stage::of(u64::from(slots), false);
        let (buyer, seller) = (Person::of("buyer"), Person::of("seller"));
        let ware = Ware::of("song", seller, terms(1_000, None, None));
        stage.sell(&ware);
        stage.welcome(&buyer, 5_000);
        // Deliveries arrive from now on, and no answer does.
        stage.sim.faults.set(Faults {
            lost_answer: 10_000,
            ..Faults::default()
        });
        let order = new_order(&stage.sim, &buyer, 0, &ware, 1_000);
        let token = sign_order(&buyer, 0, &order);
        // Its own answer would be lost as well: the account is asked without the entry's look at the work.
        let (entry, again) = (Rc::clone(&stage.entry), token.clone());
        stage.sim.faults.set(Faults::default());
        stage
            .wait(async move { entry.order(&again).await })
            .unwrap();
        stage.sim.faults.set(Faults {
            lost_answer: 10_000,
            ..Faults::default()
        });
        stage.sim.run(stage.sim.now() + 20_000);
        heal(&stage.sim);
        let (entry, work) = (Rc::clone(&stage.entry), ware.work.clone());
        let spread = Spread { slots };
        stage.entry.forget(&ware.work);
        stage.wait(async move {
            let told = entry.tell::<Done>(Sort::Work, work.as_str(), "/spread", &spread);
            told.await.unwrap();
            entry.order(&token).await.unwrap();
        });
        settle(&stage.sim).unwrap();
        ending::everything(&stage.sim).unwrap();
        let inboxes = stage.sim.objects();
        let credits: usize = inboxes
            .iter()
            .filter(|object| object.sort == Sort::Inbox)
            .map(|inbox| inbox.data().all(&CREDITS).len())
            .sum();
        assert_eq!(credits, 1);
        stage.end();
    }
}

/// Everything that waits anywhere: outboxes, and batches on their way home.
fn waits(sim: &Sim) -> usize {
    let waits = |object: &crate::object::Object| match object.sort {
        Sort::Account => {
            let data = object.data();
            data.get(&HEAD, ONE).map_or(0, |row| blob(row, 7).len())
        }
        Sort::Inbox => usize::from(Held::of(&object.data()).waits()),
        Sort::Work | Sort::Directory | Sort::Shop => 0,
    };
    sim.objects().iter().map(|object| waits(object)).sum()
}

fn down_for_ten_minutes(who: &str) -> Verdict {
    let stage = Stage::of(3, false);
    let sim = &stage.sim;
    let seller = Person::of("seller");
    let buyers: Vec<Person> = (0..8).map(|n| Person::of(&format!("buyer {n}"))).collect();
    let song = Ware::of("song", seller.clone(), terms(1_000, None, None));
    let print = Ware::of("print", seller.clone(), terms(2_000, Some(100), None));
    stage.sell(&song);
    stage.sell(&print);
    for buyer in &buyers {
        stage.welcome(buyer, 10_000);
    }
    settle(sim)?;
    let (entry, warm, one) = (Rc::clone(&stage.entry), print.clone(), buyers[0].clone());
    stage.wait(async move {
        // The entry has looked the limited work up, so that orders for it come while it is down.
        let order = new_order(&entry.sim, &one, 0, &warm, 2_000);
        insist(&entry, &one, &order).await.unwrap();
    });
    let first = new_order(sim, &buyers[0], 0, &song, 1_000);
    let home = seller.account.as_str();
    let inbox = book::inbox_name(&seller.account, sim.now() / 1_000, &first.order, 1);
    let shard = satchel_ledger_worker::directory::shard(home);
    let down = match who {
        "inbox" => sim.object(Sort::Inbox, &inbox),
        "seller" => sim.object(Sort::Account, home),
        "fees" => sim.object(Sort::Account, &book::fees_of(home)),
        "directory" => sim.object(Sort::Directory, &shard),
        _ => sim.object(Sort::Work, print.work.as_str()),
    };
    let back = sim.now() + 600_000;
    for (n, buyer) in buyers.iter().enumerate() {
        let entry = Rc::clone(&stage.entry);
        let (song, print, buyer) = (song.clone(), print.clone(), buyer.clone());
        sim.spawn(n as u64 * 20, async move {
            let order = new_order(&entry.sim, &buyer, 0, &song, 1_000);
            insist(&entry, &buyer, &order).await.unwrap();
            let order = new_order(&entry.sim, &buyer, 0, &print, 2_000);
            let _ = insist(&entry, &buyer, &order).await;
        });
    }
    sim.run(sim.now() + 30);
    down.down_until.set(back);
    while sim.now() < back {
        sim.run(sim.now() + 5_000);
        for account in sim.objects().iter().filter(|one| one.sort == Sort::Account) {
            let waits = account
                .data()
                .get(&HEAD, ONE)
                .is_some_and(|row| !blob(row, 7).is_empty());
            let armed = account.alarm().is_some() || account.ringing.get().is_some();
            must!(armed || !waits, "{} waits without an alarm", account.name);
        }
        must!(sim.found().is_none(), "{:?}", sim.found());
    }
    must!(
        waits(sim) > 0,
        "nothing waits for the {who}: it proves nothing"
    );
    sim.run(back + 60_000);
    must!(
        waits(sim) == 0,
        "{} waits a minute after its return",
        waits(sim)
    );
    settle(sim)?;
    ending::everything(sim)?;
    let sold = sim
        .objects()
        .iter()
        .filter(|object| object.sort == Sort::Account)
        .fold(0, |sum, one| {
            let data = one.data();
            let rows = data
                .all(&TRANSFERS)
                .values()
                .map(|row| TransferRow::of((**row).clone()).unwrap());
            sum + rows
                .filter(|row| row.kind == Kind::Purchase && row.state == State::Posted)
                .count()
        });
    must!(sold >= 8, "{sold} sales");
    stage.end();
    Ok(())
}

#[test]
fn a_partner_that_is_down_for_ten_minutes_loses_nothing_and_drains_within_a_minute() {
    for who in ["inbox", "seller", "fees", "directory", "work"] {
        if let Err(what) = down_for_ten_minutes(who) {
            panic!("{who}: {what}");
        }
    }
    runs::say("down for ten minutes: inbox, seller, fees, directory, work: drained within 60 s");
}

/// A thousand people want one of a hundred copies at once.
fn rush(seed: u64, trace: bool) -> Life {
    const PEOPLE: usize = 1_000;
    const COPIES: u32 = 100;
    let stage = Stage::of(seed, trace);
    let sim = &stage.sim;
    let free = seed.is_multiple_of(2);
    let offer = if free {
        terms(700, None, Some(COPIES))
    } else {
        terms(700, Some(COPIES), None)
    };
    let ware = Ware::of("print", Person::of("seller"), offer);
    stage.sell(&ware);
    let people: Rc<Vec<Person>> = Rc::new(
        (0..PEOPLE)
            .map(|n| Person::of(&format!("claimer {n}")))
            .collect(),
    );
    let price = if free { 0 } else { 700 };
    for n in 0..PEOPLE {
        let (entry, people) = (Rc::clone(&stage.entry), Rc::clone(&people));
        sim.spawn(
            n as u64,
            async move { welcome(&entry, &people[n], price).await },
        );
    }
    let wrong = |what: String| Life {
        counts: sim.counts.get(),
        operations: PEOPLE as u64,
        wrong: Some(what),
        ..Life::default()
    };
    if let Err(what) = settle(sim) {
        return wrong(what);
    }
    if seed % 4 > 1 {
        sim.faults.set(Faults {
            refused_commit: 100,
            lost_answer: 50,
            lost_request: 50,
            duplicate: 500,
            ..Faults::default()
        });
    }
    let granted: Rc<RefCell<Vec<Result<(), ErrorCode>>>> = Rc::default();
    for n in 0..PEOPLE {
        let (entry, people) = (Rc::clone(&stage.entry), Rc::clone(&people));
        let (ware, granted) = (ware.clone(), Rc::clone(&granted));
        sim.spawn(sim.below(200), async move {
            let order = new_order(&entry.sim, &people[n], 0, &ware, price);
            let done = insist(&entry, &people[n], &order).await;
            granted.borrow_mut().push(done);
        });
    }
    let verdict = (|| {
        settle(sim)?;
        ending::everything(sim)?;
        let granted = granted.borrow();
        let won = granted.iter().filter(|done| done.is_ok()).count();
        let sold_out = granted
            .iter()
            .filter(|done| **done == Err(ErrorCode::SoldOut))
            .count();
        must!(
            won == COPIES as usize && won + sold_out == PEOPLE,
            "{won} won, {sold_out} were told that it is sold out"
        );
        let work = sim.known(Sort::Work, ware.work.as_str()).unwrap();
        let sold = work
            .data()
            .all(&STOCK)
            .values()
            .filter(|row| int(row, 0) & 3 == 2)
            .count();
        must!(sold == won, "{sold} copies are sold");
        let poorer = people.iter().filter(|one| stage.head(one, 1) > 0).count();
        must!(free || poorer == won, "{poorer} have paid");
        Ok(())
    })();
    let life = Life {
        counts: sim.counts.get(),
        operations: PEOPLE as u64,
        wrong: verdict.err(),
        ..Life::default()
    };
    stage.end();
    life
}

#[test]
fn a_thousand_claims_on_a_hundred_copies_give_exactly_a_hundred() {
    let found = runs::seeds("1,000 claims on 100 copies", 50, rush);
    assert_eq!(found, None);
}

//! Scenes that need patience: batches of many months folded into one line a page, storage that refuses
//! for longer than the runtime tries an alarm, amounts at the end of their range.

use std::rc::Rc;

use satchel_ledger_worker::rows::{HEAD, INBOXES, Kind, ONE, TRANSFERS};
use satchel_wire::{
    ErrorCode,
    api::Done,
    internal::{Fold, Sending},
};

use crate::{
    checks::{blob, int},
    ending,
    runs::{self, heal, settle},
    shop::{Person, Ware, msat, new_order, sign_order, terms},
    stage::Stage,
    tables::Sort,
    trouble::Faults,
};

#[test]
fn old_batches_are_one_line_a_page_and_still_come_in_once() {
    let stage = Stage::of(11, false);
    let seller = Person::of("seller");
    let name = seller.account.to_string();
    let fold = |number: u64| Fold {
        account: seller.account.to_string(),
        inbox: format!("{}/1/0", seller.account),
        number,
        msat: msat(number),
        count: 2,
    };
    stage.sim.faults.set(Faults {
        crash_at_commit: 50,
        lost_answer: 200,
        lost_request: 200,
        refused_commit: 100,
        evicted: 200,
        ..Faults::default()
    });
    // More than the pages that are kept as they are.
    let batches = 64 * 66 + 7;
    let entry = Rc::clone(&stage.entry);
    let to = name.clone();
    let all: Vec<Fold> = (1..=batches).map(fold).collect();
    stage.wait(async move {
        for (n, batch) in all.iter().enumerate() {
            while entry
                .tell::<Done>(Sort::Account, &to, "/fold", batch)
                .await
                .is_err()
            {}
            if n % 50 == 0 {
                let old = &all[n / 2];
                let _ = entry.tell::<Done>(Sort::Account, &to, "/fold", old).await;
            }
        }
    });
    heal(&stage.sim);
    settle(&stage.sim).unwrap();
    let account = stage.sim.object(Sort::Account, &name);
    let sum = batches * (batches + 1) / 2;
    {
        let data = account.data();
        let head = data.get(&HEAD, ONE).unwrap();
        assert_eq!((int(head, 3), int(head, 6)), (sum, batches));
        let inbox = data.all(&INBOXES).values().next().unwrap();
        assert_eq!((int(inbox, 0), int(inbox, 1)), (batches, sum));
        let rows = data.all(&TRANSFERS).values();
        let left = rows.filter(|row| int(row, 0) == Kind::Fold as u64).count();
        assert!(left < batches as usize, "nothing was folded");
    }
    ending::journal(&stage.sim, &account).unwrap();
    stage.end();
}

/// The account's own storage refuses every write for ten minutes: its alarm throws until the runtime
/// forgets it. The next request of any kind that writes brings it back.
#[test]
fn storage_that_refuses_for_ten_minutes_loses_nothing() {
    let stage = Stage::of(12, false);
    let sim = &stage.sim;
    let buyer = Person::of("buyer");
    let ware = Ware::of("song", Person::of("seller"), terms(1_000, None, None));
    stage.sell(&ware);
    stage.welcome(&buyer, 5_000);
    let order = new_order(sim, &buyer, 0, &ware, 1_000);
    let (entry, token) = (Rc::clone(&stage.entry), sign_order(&buyer, 0, &order));
    sim.spawn(0, async move {
        let _ = entry.order(&token).await;
    });
    let account = sim.object(Sort::Account, buyer.account.as_str());
    let waits = || {
        let data = account.data();
        data.get(&HEAD, ONE)
            .is_some_and(|row| !blob(row, 7).is_empty())
    };
    while !waits() {
        sim.run(sim.now() + 1);
    }
    sim.faults.set(Faults {
        refused_commit: 10_000,
        ..Faults::default()
    });
    sim.run(sim.now() + 600_000);
    heal(sim);
    sim.run(sim.now() + 60_000);
    let forgotten = account.alarm().is_none() && account.ringing.get().is_none();
    runs::say(&format!(
        "storage that refuses for ten minutes: alarm forgotten: {forgotten}, waits: {}",
        waits()
    ));
    let (entry, who) = (Rc::clone(&stage.entry), buyer.clone());
    stage
        .wait(async move { entry.fund(&who, "later", 1).await })
        .unwrap();
    sim.run(sim.now() + 60_000);
    assert!(!waits(), "a sale is stuck");
    settle(sim).unwrap();
    ending::everything(sim).unwrap();
    stage.end();
}

/// A credit that would leave the range is refused whole.
#[test]
fn a_credit_beyond_the_range_changes_nothing() {
    let stage = Stage::of(13, false);
    let (rich, other) = (Person::of("rich"), Person::of("other"));
    stage.welcome(&rich, (1 << 53) - 2);
    stage.welcome(&other, 1_000);
    let sending = Sending {
        id: "cor_1".into(),
        from: other.account.to_string(),
        to: rich.account.to_string(),
        msat: msat(2),
        time: 0,
        sale: None,
        reason: Some("because".into()),
        parts: None,
        told: None,
        fee_due: None,
        fee_back: None,
        left: None,
    };
    let entry = Rc::clone(&stage.entry);
    let refused = stage.wait(async move {
        let from = sending.from.clone();
        let sent = entry.tell::<Done>(Sort::Account, &from, "/send", &sending);
        sent.await.unwrap_err()
    });
    assert_eq!(refused.code, ErrorCode::Unavailable);
    let account = stage.sim.object(Sort::Account, rich.account.as_str());
    assert_eq!(
        account.data().get(&HEAD, ONE).map(|row| int(row, 3)),
        Some((1 << 53) - 2)
    );
    stage.end();
}

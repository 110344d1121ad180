//! Rights are to the work: whoever bought one version has receipts for those that follow.

use std::rc::Rc;

use satchel_wire::internal::{Offered, Posted};

use crate::{
    ending,
    runs::settle,
    shop::{Person, Ware, new_order, sign_order, terms},
    stage::Stage,
    tables::Sort,
};

fn ordered(stage: &Stage, buyer: &Person, ware: &Ware) -> Posted {
    stage.entry.forget(&ware.work);
    let order = new_order(&stage.sim, buyer, 0, ware, 1_000);
    let (entry, token) = (Rc::clone(&stage.entry), sign_order(buyer, 0, &order));
    stage.wait(async move { entry.order(&token).await.unwrap() })
}

#[test]
fn an_owner_has_a_receipt_for_a_newer_version_and_for_a_work_off_sale() {
    let stage = Stage::of(1, false);
    let (buyer, friend) = (Person::of("buyer"), Person::of("friend"));
    let song = Ware::of("song", Person::of("seller"), terms(1_000, None, None));
    let song = song.with(&friend, 2_500);
    stage.sell(&song);
    stage.welcome(&buyer, 1_000);
    let first = ordered(&stage, &buyer, &song);
    assert!(!first.owned);

    let mut next = song.clone();
    next.version = 2;
    let (entry, new) = (Rc::clone(&stage.entry), next.clone());
    stage.wait(async move { entry.publish(&new).await.unwrap() });
    let offered = serde_json::to_vec(&Offered { on_sale: false }).unwrap();
    for off_sale in [false, true] {
        if off_sale {
            let (entry, work) = (Rc::clone(&stage.entry), song.work.to_string());
            let body = offered.clone();
            stage.wait(async move {
                let done = entry.ask(Sort::Work, &work, "/offered", &body).await;
                done.unwrap()
            });
        }
        for (ware, version) in [(&song, 1), (&next, 2)] {
            let again = ordered(&stage, &buyer, ware);
            let (now, paid) = (&again.transfer, &first.transfer);
            assert!(again.owned);
            assert_eq!(now.agreement.version, version);
            assert_eq!(now.manifest_digest == paid.manifest_digest, version == 1);
            assert_eq!(now.agreement.msat, paid.agreement.msat);
            assert_eq!(now.handle, paid.handle);
        }
    }
    settle(&stage.sim).unwrap();
    ending::everything(&stage.sim).unwrap();
    stage.end();
}

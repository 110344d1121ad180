//! Grants of sites: so much per purchase and per day, whatever the clock does, and what an account's keys see.

use std::rc::Rc;

use satchel_wire::{ErrorCode, Result, internal::Posted};

use crate::{
    shop::{Entry, Person, Ware, delegation, msat, new_order, sign_order, terms},
    stage::Stage,
    tables::Sort,
};

const DAY_MS: u64 = 86_400_000;
/// The key of the site.
const SITE: u32 = 1;

async fn grant(
    entry: &Entry,
    who: &Person,
    max_order: u64,
    max_day: u64,
    backup: Option<&str>,
) -> Result<()> {
    let mut grant = delegation(&entry.sim, who, SITE, 0, None);
    grant.scope = vec![satchel_wire::delegation::Scope::Spend];
    grant.max_order_msat = Some(msat(max_order));
    grant.max_day_msat = Some(msat(max_day));
    grant.backup = backup.map(Into::into);
    entry.delegate(&grant).await
}

async fn buy(entry: &Entry, who: &Person, key: u32, ware: &Ware) -> Result<Posted> {
    let order = new_order(&entry.sim, who, key, ware, ware.terms.usd_micros);
    entry.order(&sign_order(who, key, &order)).await
}

async fn keys(entry: &Entry, who: &Person, key: u32) -> Result<serde_json::Value> {
    let path = format!("/delegations/{}/0", who.jkt(key));
    let told = entry
        .ask(Sort::Account, who.account.as_str(), &path, b"")
        .await?;
    Ok(serde_json::from_slice(&told).unwrap())
}

/// A site's spending as its own key is told.
async fn spent(entry: &Entry, who: &Person) -> (u64, u64) {
    let seen = keys(entry, who, SITE).await.unwrap();
    let spent = &seen["keys"][0]["spent"];
    (
        spent["total"].as_u64().unwrap(),
        spent["day"].as_u64().unwrap(),
    )
}

#[test]
fn a_site_spends_no_more_than_its_share_of_a_day_and_again_on_the_next() {
    let stage = Stage::of(21, false);
    let (seller, buyer) = (Person::of("seller"), Person::of("buyer"));
    let wares: Vec<Ware> = (0..8)
        .map(|n| {
            Ware::of(
                &format!("song {n}"),
                seller.clone(),
                terms(1_000, None, None),
            )
        })
        .collect();
    let dear = Ware::of("film", seller, terms(1_500, None, None));
    for ware in wares.iter().chain([&dear]) {
        stage.sell(ware);
    }
    stage.welcome(&buyer, 100_000);
    let entry = Rc::clone(&stage.entry);
    stage.wait(async move {
        // The clock starts anywhere in a day: to the beginning of the next.
        entry
            .sim
            .pause(DAY_MS - entry.sim.now() % DAY_MS + 1_000)
            .await;
        grant(&entry, &buyer, 1_200, 2_500, None).await.unwrap();
        let refused =
            |answer: Result<Posted>| assert_eq!(answer.unwrap_err().code, ErrorCode::CapExceeded);
        refused(buy(&entry, &buyer, SITE, &dear).await);
        buy(&entry, &buyer, SITE, &wares[0]).await.unwrap();
        buy(&entry, &buyer, SITE, &wares[1]).await.unwrap();
        refused(buy(&entry, &buyer, SITE, &wares[2]).await);
        assert!(
            buy(&entry, &buyer, SITE, &wares[1]).await.unwrap().owned,
            "what is owned costs nothing"
        );
        assert_eq!(spent(&entry, &buyer).await, (2_000, 2_000));
        // The wallet's own key has no cap, and what it spends is not the site's.
        buy(&entry, &buyer, 0, &wares[3]).await.unwrap();
        assert_eq!(spent(&entry, &buyer).await, (2_000, 2_000));

        entry.sim.pause(DAY_MS).await;
        assert_eq!(spent(&entry, &buyer).await, (2_000, 0));
        buy(&entry, &buyer, SITE, &wares[2]).await.unwrap();
        buy(&entry, &buyer, SITE, &wares[4]).await.unwrap();
        refused(buy(&entry, &buyer, SITE, &wares[5]).await);
        assert_eq!(spent(&entry, &buyer).await, (4_000, 2_000));

        // A new grant begins at nothing; one without scope is the end of it, whatever older grant comes back.
        entry.sim.pause(2_000).await;
        grant(&entry, &buyer, 1_200, 2_500, None).await.unwrap();
        assert_eq!(spent(&entry, &buyer).await, (0, 0));
        let mut end = delegation(&entry.sim, &buyer, SITE, 0, None);
        let mut older = end.clone();
        older.iat -= 1;
        end.scope = Vec::new();
        entry.delegate(&end).await.unwrap();
        assert_eq!(
            buy(&entry, &buyer, SITE, &wares[5]).await.unwrap_err().code,
            ErrorCode::ScopeMissing
        );
        assert_eq!(
            entry.delegate(&older).await.unwrap_err().code,
            ErrorCode::DelegationExpired
        );
    });
    stage.end();
}

#[test]
fn a_copy_that_was_not_to_be_had_is_not_counted() {
    let stage = Stage::of(22, false);
    let (seller, buyer, other) = (
        Person::of("seller"),
        Person::of("buyer"),
        Person::of("other"),
    );
    let rare = Ware::of("print", seller, terms(1_000, Some(1), None));
    stage.sell(&rare);
    stage.welcome(&buyer, 100_000);
    stage.welcome(&other, 100_000);
    let entry = Rc::clone(&stage.entry);
    stage.wait(async move {
        grant(&entry, &buyer, 1_200, 1_200, None).await.unwrap();
        buy(&entry, &other, 0, &rare).await.unwrap();
        let answer = buy(&entry, &buyer, SITE, &rare).await;
        assert_eq!(answer.unwrap_err().code, ErrorCode::SoldOut);
        assert_eq!(spent(&entry, &buyer).await, (0, 0));
    });
    stage.end();
}

#[test]
fn a_key_sees_itself_and_all_others_only_if_it_may_read() {
    let stage = Stage::of(23, false);
    let buyer = Person::of("buyer");
    stage.welcome(&buyer, 1_000);
    let entry = Rc::clone(&stage.entry);
    stage.wait(async move {
        grant(&entry, &buyer, 5, 6, Some("c2VhbGVk")).await.unwrap();
        let own = keys(&entry, &buyer, SITE).await.unwrap();
        let own = own["keys"].as_array().unwrap().clone();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0]["allows"]["backup"], "c2VhbGVk");
        assert_eq!(own[0]["allows"]["max_day"], 6);
        let all = keys(&entry, &buyer, 0).await.unwrap();
        assert_eq!(all["keys"].as_array().unwrap().len(), 2);
        let nobody = keys(&entry, &buyer, 7).await;
        assert_eq!(nobody.unwrap_err().code, ErrorCode::WrongKey);
        entry.sign_out(&buyer, 1).await.unwrap();
        let ended = keys(&entry, &buyer, SITE).await;
        assert_eq!(ended.unwrap_err().code, ErrorCode::DelegationExpired);
    });
    stage.end();
}

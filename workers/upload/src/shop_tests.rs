//! What a shop does with what it is told.

use satchel_crypto::b32;
use satchel_domain::{
    id::{OrderId, RefundId},
    money::Msat,
    work::WorkState,
};

use super::*;
use crate::shop_rows::memory::Memory;

pub(crate) const NOW_S: u64 = 1_795_614_301;
const CREATOR: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn id(n: u64) -> String {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    b32::encode(&bytes)
}

pub(crate) fn work(n: u8) -> WorkId {
    WorkId::parse(&format!("wrk_{}", b32::encode(&[n; 32]))).unwrap()
}

pub(crate) fn sale(n: u64, of: u8, time: u64) -> ShopSale {
    ShopSale {
        order: OrderId::parse(&format!("ord_{}", id(n))).unwrap(),
        handle: format!("pur_{n}"),
        work: work(of),
        version: 1,
        usd_micros: 250_000,
        msat: Msat::new(250_000).unwrap(),
        fee_msat: Msat::new(12_500).unwrap(),
        time,
        free: false,
    }
}

fn refund(n: u64, order: u64, msat: u64) -> ShopRefund {
    ShopRefund {
        order: OrderId::parse(&format!("ord_{}", id(order))).unwrap(),
        refund: RefundId::parse(&format!("rfd_{}", id(n))).unwrap(),
        work: work(1),
        msat: Msat::new(msat).unwrap(),
        time: NOW_S,
    }
}

pub(crate) fn batch(
    source: &str,
    number: u64,
    sales: Vec<ShopSale>,
    refunds: Vec<ShopRefund>,
) -> Feed {
    Feed {
        source: source.to_owned(),
        number,
        sales,
        refunds,
        plays: None,
    }
}

pub(crate) fn news(of: u8, title: &str, state: WorkState) -> Told {
    Told {
        work: work(of),
        nonce: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        kind: Some(EventKind::WorkPublished),
        news: WorkNews {
            work: work(of),
            title: title.to_owned(),
            version: 1,
            state,
        },
    }
}

#[test]
fn a_batch_counts_once_whoever_sends_it_again() {
    let tables = Memory::default();
    let sales = batch(
        "inbox/1",
        1,
        vec![sale(1, 1, NOW_S), sale(2, 2, NOW_S)],
        vec![],
    );
    assert!(feed(&tables, &sales, NOW_S).unwrap());
    let after_one = tables.all();
    assert!(!feed(&tables, &sales, NOW_S).unwrap());
    assert_eq!(tables.all(), after_one);
    // Another source with an order that is known: of the batch only what is new counts.
    let again = batch(
        "inbox/2",
        9,
        vec![sale(2, 2, NOW_S), sale(3, 2, NOW_S)],
        vec![],
    );
    assert!(feed(&tables, &again, NOW_S).unwrap());
    let head = head(&tables).unwrap();
    assert_eq!(
        (head.n, head.totals.sold, head.totals.gross_msat),
        (3, 3, 750_000)
    );
    // An older number of a known source was taken before.
    let old = batch("inbox/2", 8, vec![sale(4, 2, NOW_S)], vec![]);
    assert!(!feed(&tables, &old, NOW_S).unwrap());
}

#[test]
fn a_batch_that_is_none_changes_nothing() {
    let tables = Memory::default();
    let many = (0..=MAX_TOLD as u64).map(|n| sale(n, 1, NOW_S)).collect();
    for bad in [
        batch(&"x".repeat(201), 1, vec![], vec![]),
        batch("x", 1, many, vec![]),
    ] {
        assert_eq!(
            feed(&tables, &bad, NOW_S).unwrap_err().code,
            ErrorCode::Malformed
        );
    }
    assert!(tables.all().is_empty());
}

#[test]
fn sales_are_listed_newest_first_page_by_page_and_by_work() {
    let tables = Memory::default();
    for number in 1..=3 {
        let sales =
            (0..40).map(|n| sale(number * 100 + n, u8::try_from(n % 2).unwrap(), NOW_S + n));
        feed(&tables, &batch("x", number, sales.collect(), vec![]), NOW_S).unwrap();
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = sales(&tables, after, ALL).unwrap();
        assert!(page.sales.len() <= SALES_PAGE);
        seen.extend(page.sales.iter().map(|sale| sale.n));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<_>>());
    let of_one = sales(&tables, None, work(1).as_str()).unwrap();
    assert!(of_one.sales.iter().all(|sale| sale.sale.work == work(1)));
    assert_eq!(of_one.sales.len(), SALES_PAGE);
    let rest = sales(&tables, of_one.next, work(1).as_str()).unwrap();
    assert_eq!((rest.sales.len(), rest.next), (10, None));
    for after in [Some(0), Some(1)] {
        assert_eq!(sales(&tables, after, ALL).unwrap().sales, []);
    }
}

#[test]
fn a_refund_shows_at_its_sale_even_if_it_is_told_first() {
    let tables = Memory::default();
    feed(
        &tables,
        &batch("a", 1, vec![], vec![refund(1, 7, 100)]),
        NOW_S,
    )
    .unwrap();
    feed(
        &tables,
        &batch("b", 1, vec![sale(7, 1, NOW_S)], vec![]),
        NOW_S,
    )
    .unwrap();
    // The same refund again, in another batch, and a second one.
    let more = vec![refund(1, 7, 100), refund(2, 7, 50)];
    feed(&tables, &batch("a", 2, vec![], more), NOW_S).unwrap();
    let page = sales(&tables, None, ALL).unwrap();
    let [of] = &page.sales[..] else { panic!() };
    assert_eq!((of.refunded_msat, of.refunds), (150, 2));
    let sums = head(&tables).unwrap().totals;
    assert_eq!((sums.sold, sums.refunded_msat), (1, 150));
}

#[test]
fn statistics_are_by_day_and_work() {
    let tables = Memory::default();
    let day = 86_400;
    let mut free = sale(3, 2, NOW_S);
    (free.free, free.usd_micros, free.msat, free.fee_msat) = (true, 0, Msat::ZERO, Msat::ZERO);
    let told = vec![sale(1, 1, NOW_S - 2 * day), sale(2, 1, NOW_S), free];
    feed(&tables, &batch("x", 1, told, vec![refund(1, 2, 99)]), NOW_S).unwrap();
    let seen = Views {
        views: [
            (work(1).to_string(), 5),
            (work(2).to_string(), 9_999),
            (work(9).to_string(), 5),
        ]
        .into(),
    };
    views(&tables, &seen, NOW_S).unwrap();
    let of = |work: &str, days| stats(&tables, work, days, NOW_S).unwrap();
    let all = of(ALL, 7);
    assert_eq!(
        (all.from.as_str(), all.to.as_str()),
        ("2026-11-19", "2026-11-25")
    );
    let days: Vec<&str> = all.days.iter().map(|day| day.day.as_str()).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-25"]);
    let today = &all.days[1].totals;
    assert_eq!((today.sold, today.given, today.refunded_msat), (1, 1, 99));
    // A work that is not on the shelf has no views, and a batch counts only so many.
    assert_eq!(today.views, 5 + VIEWS);
    assert_eq!(of(work(2).as_str(), 7).days[0].totals.given, 1);
    assert_eq!(of(ALL, 1).days.len(), 1);
    for days in [0, DAYS_ASKED + 1] {
        assert_eq!(
            stats(&tables, ALL, days, NOW_S).unwrap_err().code,
            ErrorCode::Malformed
        );
    }
}

#[test]
fn plays_are_counted_once_and_are_no_events() {
    let tables = Memory::default();
    let mut played = batch("plays/x", 1, vec![], vec![]);
    played.plays = Some(vec![Played {
        work: work(1),
        plays: 3,
        seconds: 500,
        time: NOW_S,
    }]);
    assert!(feed(&tables, &played, NOW_S).unwrap());
    assert!(!feed(&tables, &played, NOW_S).unwrap());
    let head = head(&tables).unwrap();
    assert_eq!(
        (head.n, head.totals.plays, head.totals.played_s),
        (0, 3, 500)
    );
    played.plays = Some(vec![played.plays.unwrap()[0].clone(); MAX_TOLD + 1]);
    played.number = 2;
    assert!(feed(&tables, &played, NOW_S).is_err());
}

#[test]
fn days_long_past_become_months_and_no_sale_is_lost() {
    let tables = Memory::default();
    let day = 86_400;
    for n in 0..1_500 {
        let time = NOW_S - (1_500 - n) * day;
        feed(
            &tables,
            &batch("x", n + 1, vec![sale(n, 1, time)], vec![]),
            time,
        )
        .unwrap();
    }
    let all = stats(&tables, work(1).as_str(), DAYS_ASKED, NOW_S).unwrap();
    assert!(
        all.days.len() <= usize::try_from(DAYS_KEPT).unwrap() + 1,
        "{}",
        all.days.len()
    );
    assert!((30..50).contains(&all.months.len()), "{}", all.months.len());
    let sold: u64 = all
        .days
        .iter()
        .chain(&all.months)
        .map(|day| day.totals.sold)
        .sum();
    assert_eq!(sold, 1_500);
    // What was asked for in days only is not mixed with months.
    assert!(stats(&tables, ALL, 365, NOW_S).unwrap().months.is_empty());
}

#[test]
fn old_events_go_and_sums_stay() {
    let tables = Memory::default();
    let head_row = Head {
        n: EVENTS_KEPT,
        ..Head::default()
    };
    write(&tables, &HEAD, ONE, &head_row).unwrap();
    for n in [1, 2] {
        let event = ShopEvent {
            n,
            kind: EventKind::SaleCreated,
            time: 1,
            sale: Some(sale(n, 1, 1)),
            refund: None,
            work: None,
        };
        write(&tables, &EVENTS, &newest(n), &event).unwrap();
        let known = Known {
            n: Some(n),
            ..Known::default()
        };
        write(
            &tables,
            &KNOWN,
            sale(n, 1, 1).order.as_str().as_bytes(),
            &known,
        )
        .unwrap();
    }
    feed(
        &tables,
        &batch("x", 1, vec![sale(3, 1, NOW_S)], vec![]),
        NOW_S,
    )
    .unwrap();
    assert_eq!(event(&tables, 1).unwrap(), None);
    assert!(event(&tables, 2).unwrap().is_some());
    // Two orders and a work are known by id.
    assert_eq!(tables.count(&KNOWN), 3);
    assert_eq!(head(&tables).unwrap().gone, 1);
}

#[test]
fn works_are_listed_newest_first_and_a_deleted_one_comes_back() {
    let tables = Memory::default();
    for n in 0..60 {
        assert!(told(&tables, &news(n, "Tide", WorkState::Published), NOW_S).unwrap());
    }
    // Told again after a lost answer: no news.
    assert!(!told(&tables, &news(3, "Tide", WorkState::Published), NOW_S).unwrap());
    assert!(told(&tables, &news(3, "Ebb", WorkState::Published), NOW_S).unwrap());
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let out = page(&tables, CREATOR, after).unwrap();
        seen.extend(out.works.iter().map(|shown| shown.work.clone()));
        let Some(next) = out.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, (0..60).rev().map(work).collect::<Vec<_>>());
    hide(&tables, work(59).as_str(), true).unwrap();
    assert!(page(&tables, CREATOR, None).unwrap().works[0].hidden);
    hide(&tables, work(59).as_str(), false).unwrap();
    assert!(!page(&tables, CREATOR, None).unwrap().works[0].hidden);
    let unknown = hide(&tables, work(99).as_str(), true).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UnknownWork);
}

#[test]
fn a_registration_is_no_event_and_a_sale_may_come_before_it() {
    let tables = Memory::default();
    feed(
        &tables,
        &batch("x", 1, vec![sale(1, 1, NOW_S)], vec![]),
        NOW_S,
    )
    .unwrap();
    let mut registered = news(1, "Tide", WorkState::Draft);
    registered.kind = None;
    assert!(!told(&tables, &registered, NOW_S).unwrap());
    let out = page(&tables, CREATOR, None).unwrap();
    assert_eq!(
        (out.works.len(), out.works[0].totals.sold, out.n),
        (1, 1, 1)
    );
    assert!(out.works[0].work_nonce.is_some());
}

#[test]
fn who_waits_for_events_gets_each_once_in_order() {
    let tables = Memory::default();
    let begin = events(&tables, None).unwrap();
    assert_eq!((begin.events.len(), begin.next), (0, 0));
    told(&tables, &news(1, "Tide", WorkState::Published), NOW_S).unwrap();
    feed(
        &tables,
        &batch("x", 1, vec![sale(1, 1, NOW_S), sale(2, 1, NOW_S)], vec![]),
        NOW_S,
    )
    .unwrap();
    let first = events(&tables, Some(begin.next)).unwrap();
    let numbers: Vec<u64> = first.events.iter().map(|event| event.n).collect();
    assert_eq!((numbers, first.next), (vec![1, 2, 3], 3));
    assert!(events(&tables, Some(3)).unwrap().events.is_empty());
    assert_eq!(events(&tables, Some(2)).unwrap().events.len(), 1);
    // A cursor from nowhere.
    assert_eq!(events(&tables, Some(1_000)).unwrap().next, 3);
}

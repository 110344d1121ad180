//! Who is told what, and when.

use satchel_domain::work::WorkState;

use super::*;
use crate::{
    hook_url::Rules,
    shop::{
        feed,
        tests::{NOW_S, batch, news, sale},
        told,
    },
    shop_rows::memory::Memory,
};

const CREATOR: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NOW_MS: u64 = NOW_S * 1_000;

fn asked(events: Option<Vec<EventKind>>) -> WebhookIn {
    WebhookIn {
        url: "https://shop.example.org/hook".into(),
        events,
    }
}

fn make(tables: &Memory, n: u8) -> WebhookOut {
    create(tables, CREATOR, &asked(None), &[n; 40], NOW_S).unwrap()
}

fn sell(tables: &Memory, number: u64, from: u64, count: u64) {
    let sales = (from..from + count).map(|n| sale(n, 1, NOW_S)).collect();
    feed(tables, &batch("x", number, sales, vec![]), NOW_S).unwrap();
}

fn answered(letter: &Letter, status: u16) -> Outcome {
    Outcome {
        hook: letter.hook.clone(),
        seq: letter.seq,
        status,
        ms: 12,
        error: (status == 0).then(|| "network".to_owned()),
    }
}

/// Sends everything that is due, answered so; gives what was sent.
fn send(tables: &Memory, now_ms: u64, status: u16) -> Vec<Letter> {
    let mut all = Vec::new();
    loop {
        tables.wake.set(None);
        let letters = due(tables, now_ms).unwrap();
        if letters.is_empty() && tables.wake.get().is_none_or(|at| at > now_ms) {
            return all;
        }
        for letter in &letters {
            settle(tables, &answered(letter, status), now_ms).unwrap();
        }
        all.extend(letters);
    }
}

fn header<'a>(letter: &'a Letter, name: &str) -> &'a str {
    &letter
        .headers
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

/// The published example of the convention's libraries.
#[test]
fn signatures_are_those_of_the_convention() {
    let key = b64::encode(&b64::decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
    let body = "{\"test\": 2432232314}";
    assert_eq!(
        sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap(),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    assert_eq!(secret(&[255; 24]), format!("whsec_{}", "/".repeat(32)));
}

#[test]
fn what_happens_is_told_once_and_what_was_before_is_not() {
    let tables = Memory::default();
    sell(&tables, 1, 1, 3);
    make(&tables, 1);
    assert_eq!(send(&tables, NOW_MS, 200), []);
    sell(&tables, 2, 10, 2);
    let letters = send(&tables, NOW_MS, 204);
    assert_eq!(letters.len(), 2);
    let body: serde_json::Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!(body["type"], "sale.created");
    assert_eq!(body["timestamp"], "2026-11-25T13:45:01Z");
    assert_eq!(body["data"]["creator"], CREATOR);
    assert_eq!(body["data"]["sale"]["handle"], "pur_10");
    assert_eq!(header(&letters[0], "webhook-timestamp"), NOW_S.to_string());
    assert_eq!(send(&tables, NOW_MS + 10_000_000, 200), []);
    let log = deliveries(&tables, &letters[0].hook).unwrap().deliveries;
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|line| line.state == DeliveryState::Delivered
        && line.status == Some(204)
        && line.ms == Some(12)
        && line.tries == 1));
}

#[test]
fn only_the_events_that_were_asked_for_are_told() {
    let tables = Memory::default();
    let only = Some(vec![EventKind::WorkPublished]);
    create(&tables, CREATOR, &asked(only), &[1; 40], NOW_S).unwrap();
    for number in 1..=4 {
        sell(&tables, number, number * 1_000, 500);
    }
    told(&tables, &news(1, "Tide", WorkState::Published), NOW_S).unwrap();
    let letters = send(&tables, NOW_MS, 200);
    assert_eq!(letters.len(), 1);
    assert!(letters[0].body.contains("work.published"));
}

#[test]
fn what_fails_is_tried_again_after_the_documented_pauses_with_the_same_id() {
    let tables = Memory::default();
    let hook = make(&tables, 1);
    sell(&tables, 1, 1, 1);
    let (mut now, mut ids, mut waited) = (NOW_MS, Vec::new(), 0);
    for pause in PAUSES_S {
        let letters = send(&tables, now, 500);
        assert_eq!(letters.len(), 1, "after {waited} s");
        ids.push(header(&letters[0], "webhook-id").to_owned());
        let line = &deliveries(&tables, &hook.id).unwrap().deliveries[0];
        assert_eq!(
            (line.state, line.next_try),
            (DeliveryState::Waiting, Some(now / 1_000 + pause))
        );
        assert_eq!(send(&tables, now + pause * 1_000 - 1, 500), [], "too early");
        now += pause * 1_000;
        waited += pause;
    }
    assert!(
        (86_400..=2 * 86_400).contains(&waited),
        "about a day and more: {waited} s"
    );
    // The last try: nothing was taken all the while, so it is switched off, visibly.
    assert_eq!(send(&tables, now, 0).len(), 1);
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let state = &hooks(&tables).unwrap().webhooks[0];
    assert_eq!(
        (state.state, state.failing_since),
        (HookState::Disabled, Some(NOW_S))
    );
    let line = &deliveries(&tables, &hook.id).unwrap().deliveries[0];
    assert_eq!((line.state, line.tries), (DeliveryState::Failed, 12));
    assert_eq!(line.error.as_deref(), Some("network"));
    // Sales go on; nothing is sent until it is switched on, and then everything.
    sell(&tables, 2, 2, 5);
    assert_eq!(send(&tables, now, 200), []);
    assert_eq!(
        test(&tables, &hook.id, now).unwrap_err().code,
        ErrorCode::WebhookDisabled
    );
    enable(&tables, &hook.id, now).unwrap();
    let letters = send(&tables, now, 200);
    assert_eq!(letters.len(), 6);
    assert_eq!(
        header(&letters[0], "webhook-id"),
        ids[0],
        "the one that failed is told again"
    );
    assert_eq!(hooks(&tables).unwrap().webhooks[0].failing_since, None);
}

#[test]
fn one_message_that_fails_holds_up_no_other() {
    let tables = Memory::default();
    let hook = make(&tables, 1);
    sell(&tables, 1, 1, 100);
    // The first is refused for ever, the others are taken.
    let (mut now, mut taken, mut refused) = (NOW_MS, 0, 0);
    for _ in 0..=PAUSES_S.len() {
        loop {
            let letters = due(&tables, now).unwrap();
            if letters.is_empty() {
                break;
            }
            for letter in &letters {
                let poison = letter.seq == 1;
                refused += u32::from(poison);
                taken += u32::from(!poison);
                let status = if poison { 400 } else { 200 };
                settle(&tables, &answered(letter, status), now).unwrap();
            }
        }
        now += 86_400_000;
        sell(&tables, now, now, 1);
    }
    assert_eq!((refused, taken), (12, 99 + 11));
    assert_eq!(hooks(&tables).unwrap().webhooks[0].state, HookState::Active);
    assert_eq!(hooks(&tables).unwrap().webhooks[0].id, hook.id);
}

#[test]
fn while_a_server_is_down_nothing_piles_up_and_nothing_is_lost() {
    let tables = Memory::default();
    let hook = make(&tables, 1);
    sell(&tables, 1, 1, 400);
    let first = due(&tables, NOW_MS).unwrap();
    assert_eq!(first.len(), AT_ONCE);
    assert_eq!(tables.count(&DELIVERIES), IN_HAND);
    for letter in &first {
        settle(&tables, &answered(letter, 503), NOW_MS).unwrap();
    }
    for number in 2..20 {
        sell(&tables, number, number * 1_000, 500);
    }
    // Half an hour, all of it failing: the same messages again and again.
    let end = NOW_MS + 1_800_000;
    let mut now = NOW_MS;
    while now < end {
        send(&tables, now, 503);
        assert!(tables.count(&DELIVERIES) <= IN_HAND);
        now += 60_000;
    }
    // It is back: everything within what an hour of alarms would do.
    let mut told = 0;
    for _ in 0..70 {
        told += send(&tables, now, 200).len();
        now += 60_000;
    }
    assert_eq!(told, 400 + 18 * 500);
    assert!(tables.count(&DELIVERIES) <= usize::try_from(LOG).unwrap());
    assert_eq!(hooks(&tables).unwrap().webhooks[0].waiting, 0);
    assert_eq!(deliveries(&tables, &hook.id).unwrap().deliveries.len(), 100);
}

#[test]
fn a_server_that_says_it_is_gone_is_told_nothing_more() {
    let tables = Memory::default();
    make(&tables, 1);
    sell(&tables, 1, 1, 20);
    let letters = due(&tables, NOW_MS).unwrap();
    settle(&tables, &answered(&letters[0], 410), NOW_MS).unwrap();
    // Answers that were under way change nothing any more.
    for letter in &letters[1..] {
        settle(&tables, &answered(letter, 200), NOW_MS).unwrap();
    }
    assert_eq!(
        hooks(&tables).unwrap().webhooks[0].state,
        HookState::Disabled
    );
    assert_eq!(send(&tables, NOW_MS + 86_400_000, 200), []);
}

#[test]
fn one_that_dies_while_sending_sends_again() {
    let tables = Memory::default();
    make(&tables, 1);
    sell(&tables, 1, 1, 1);
    let letters = due(&tables, NOW_MS).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(due(&tables, NOW_MS + LEASE_MS - 1).unwrap(), []);
    assert!(tables.wake.get().is_some_and(|at| at <= NOW_MS + LEASE_MS));
    let again = due(&tables, NOW_MS + LEASE_MS).unwrap();
    assert_eq!(
        header(&again[0], "webhook-id"),
        header(&letters[0], "webhook-id")
    );
}

#[test]
fn tests_and_repetitions_are_deliveries_of_their_own() {
    let tables = Memory::default();
    let hook = make(&tables, 1);
    sell(&tables, 1, 1, 1);
    let sent = send(&tables, NOW_MS, 200);
    let asked = test(&tables, &hook.id, NOW_MS).unwrap();
    assert_eq!(
        (asked.kind, asked.state),
        (EventKind::Test, DeliveryState::Waiting)
    );
    resend(&tables, &hook.id, 1, NOW_MS).unwrap();
    let more = send(&tables, NOW_MS, 200);
    assert_eq!(more.len(), 2);
    assert!(more[0].body.contains("webhook.test"));
    assert_eq!(more[1].body, sent[0].body);
    assert_eq!(
        header(&more[1], "webhook-id"),
        header(&sent[0], "webhook-id")
    );
    assert_ne!(
        header(&more[0], "webhook-id"),
        header(&sent[0], "webhook-id")
    );
    let code = |seq| resend(&tables, &hook.id, seq, NOW_MS).unwrap_err().code;
    assert_eq!(code(9), ErrorCode::UnknownWebhook);
    // A person who presses on and on is told to wait.
    let refused = (0..100).find_map(|_| test(&tables, &hook.id, NOW_MS).err());
    assert_eq!(refused.unwrap().code, ErrorCode::TooMany);
}

#[test]
fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let tables = Memory::default();
    let hook = make(&tables, 1);
    let fresh = rotate(&tables, &hook.id, &[2; 40], NOW_S).unwrap();
    assert_ne!(hook.secret, fresh.secret);
    let signatures = |now_ms: u64| {
        test(&tables, &hook.id, now_ms).unwrap();
        let letters = send(&tables, now_ms, 200);
        header(&letters[0], "webhook-signature").split(' ').count()
    };
    assert_eq!(signatures(NOW_MS), 2);
    assert_eq!(signatures(NOW_MS + OVERLAP_S * 1_000), 1);
    // Secrets are told when they are made and never again.
    assert!(
        hooks(&tables)
            .unwrap()
            .webhooks
            .iter()
            .all(|hook| hook.secret.is_none())
    );
}

#[test]
fn there_are_five_at_most_and_a_deleted_one_leaves_nothing() {
    let tables = Memory::default();
    let made: Vec<WebhookOut> = (0..5).map(|n| make(&tables, n)).collect();
    let sixth = create(&tables, CREATOR, &asked(None), &[9; 40], NOW_S).unwrap_err();
    assert_eq!(sixth.code, ErrorCode::WebhookLimit);
    sell(&tables, 1, 1, 3);
    send(&tables, NOW_MS, 200);
    for hook in &made {
        assert_eq!(deliveries(&tables, &hook.id).unwrap().deliveries.len(), 3);
        remove(&tables, &hook.id).unwrap();
        assert_eq!(
            remove(&tables, &hook.id).unwrap_err().code,
            ErrorCode::UnknownWebhook
        );
    }
    assert_eq!((tables.count(&HOOKS), tables.count(&DELIVERIES)), (0, 0));
}

#[test]
fn events_and_addresses_are_checked_before_anything_is_made() {
    let rules = Rules {
        loopback: false,
        ours: &[],
    };
    let code = |asked: &WebhookIn| check(asked, &rules).map_err(|error| error.code);
    assert_eq!(code(&asked(None)), Ok(()));
    assert_eq!(code(&asked(Some(vec![]))), Err(ErrorCode::Malformed));
    assert_eq!(
        code(&asked(Some(vec![EventKind::Test]))),
        Err(ErrorCode::Malformed)
    );
    assert_eq!(
        code(&asked(Some(vec![EventKind::SaleCreated; 6]))),
        Err(ErrorCode::Malformed)
    );
    let private = WebhookIn {
        url: "https://10.0.0.1/".into(),
        events: None,
    };
    assert_eq!(code(&private), Err(ErrorCode::WebhookRefused));
}

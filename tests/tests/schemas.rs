//! Every example in `schemas/` is read by the Rust type and written back the same; every
//! counterexample is refused by it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{fs, path::Path};

use satchel_json::{FromJson, from_slice};
use satchel_wire::{
    api::{
        AccountOut, OrderOut, OrderPendingOut, PurchasesOut, QuoteOut, Record, RefundOut,
        TransfersOut,
    },
    command::{Command, Cover, Publish, Register, SetState, Update},
    delegation::Delegation,
    error::Problem,
    operator::Operator,
    order::Order,
    receipt::Receipt,
    refund::Refund,
    shop::ShopSales,
    shopfront::{DeliveriesOut, EventsOut, SalesOut, ShopOut, StatsOut, WebhookIn, WebhookOut},
    signout::SignOut,
};
use serde::Serialize;
use serde_json::Value;

fn files(name: &str, kind: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas")
        .join(name)
        .join(kind);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (
            format!("{name}/{kind}/{}", entry.file_name().display()),
            text,
        )
    };
    entries.map(|entry| read(entry.unwrap())).collect()
}

fn agree<T: FromJson + Serialize>(name: &str) {
    agree_as::<T>(name, |_| true);
}

/// `fits` is what the type's reader leaves to whoever verifies the document.
fn agree_as<T: FromJson + Serialize>(name: &str, fits: fn(&T) -> bool) {
    let examples = files(name, "examples");
    assert!(!examples.is_empty());
    for (file, text) in examples {
        let typed: T = from_slice(text.as_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(fits(&typed), "{file}");
        let back = serde_json::to_value(&typed).unwrap();
        // What is signed, digested or compared is written by our writer.
        assert_eq!(
            satchel_json::to_string(&typed).unwrap(),
            serde_json::to_string(&typed).unwrap(),
            "{file}"
        );
        assert_eq!(
            back,
            serde_json::from_str::<Value>(&text).unwrap(),
            "{file}"
        );
    }
    for (file, text) in files(name, "counterexamples") {
        assert!(
            !from_slice::<T>(text.as_bytes()).is_ok_and(|typed| fits(&typed)),
            "{file} was accepted"
        );
    }
}

#[test]
fn orders_agree() {
    agree::<Order>("order");
}

#[test]
fn receipts_agree() {
    agree::<Receipt>("receipt");
}

#[test]
fn delegations_agree() {
    agree_as::<Delegation>("delegation", |delegation| delegation.check().is_ok());
}

#[test]
fn records_agree() {
    agree::<Record>("record");
}

#[test]
fn quotes_agree() {
    agree::<QuoteOut>("quote");
}

#[test]
fn creators_commands_agree() {
    agree::<Command<Register>>("command_register");
    agree::<Command<Publish>>("command_publish");
    agree::<Command<Update>>("command_update");
    agree::<Command<SetState>>("command_set_state");
    agree::<Command<Cover>>("command_cover");
}

#[test]
fn what_a_shop_is_told_agrees() {
    agree::<ShopSales>("shop_sales");
}

#[test]
fn what_a_shop_answers_agrees() {
    agree::<ShopOut>("shop");
    agree::<SalesOut>("shop_page");
    agree::<StatsOut>("shop_stats");
    agree::<EventsOut>("shop_events");
    agree::<WebhookOut>("webhook");
    agree::<WebhookIn>("webhook_new");
    agree::<DeliveriesOut>("webhook_deliveries");
}

#[test]
fn order_answers_agree() {
    agree::<OrderOut>("order_answer");
    agree::<OrderPendingOut>("order_pending");
}

#[test]
fn refunds_agree() {
    agree::<Refund>("refund");
    agree::<RefundOut>("refund_answer");
}

#[test]
fn sign_outs_agree() {
    agree::<SignOut>("sign_out");
}

#[test]
fn accounts_and_their_lists_agree() {
    agree::<AccountOut>("account");
    agree::<PurchasesOut>("purchases");
    agree::<TransfersOut>("transfers");
}

#[test]
fn operators_commands_agree() {
    agree::<Operator>("operator");
}

#[test]
fn problems_agree() {
    agree::<Problem>("problem");
}

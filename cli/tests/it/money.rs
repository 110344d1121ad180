//! Undecided orders, counted copies, statements, signing out, refunds.

use satchel_wire::ErrorCode;
use serde_json::{Value, json};

use crate::{
    buy::{OPEN, shop, wallet, with},
    support::*,
};

const WALLET: [&str; 2] = ["--wallet", "wallet"];

fn run(folder: &Folder, args: &[&str]) -> Ran {
    folder.satchel(&[&["wallet"], args, &WALLET[..]].concat())
}

#[test]
fn an_order_that_is_not_decided_is_sent_again_and_paid_once() {
    let (mock, folder) = shop();
    let before = mock.state().balance;
    mock.state().pending = 2;
    let bought = folder.satchel(&with(&OPEN, &["--json"])).json();
    assert_eq!(bought["paid"], true);
    assert_eq!(mock.asked("/v1/orders"), 3);
    assert_eq!(mock.state().balance, before - 50_000_000);
}

#[test]
fn what_is_sold_out_costs_nothing_and_leaves_no_order() {
    let (mock, folder) = shop();
    mock.state().refuse_orders = Some(ErrorCode::SoldOut);
    let err = folder.satchel(&OPEN).fails(5);
    assert!(
        err.contains("(sold_out)") && err.contains("Nothing was paid"),
        "{err}"
    );
    assert_eq!(wallet(&folder)["orders"], json!({}));
    mock.state().refuse_orders = None;
    folder.satchel(&OPEN).ok();
}

#[test]
fn a_copy_of_a_giveaway_is_free() {
    let (mock, folder) = shop();
    let before = mock.state().balance;
    mock.state().giveaway = true;
    folder.satchel(&with(&OPEN, &["--max-price", "0"])).ok();
    assert_eq!(mock.state().balance, before);
}

fn line(number: u64, kind: &str, credit: u64, debit: u64, balance: u64) -> Value {
    json!({
        "line": number, "time": 1_700_000_000 + number, "kind": kind, "credit_msat": credit,
        "debit_msat": debit, "balance_msat": balance, "count": 1, "a_member_of_later_days": 1,
    })
}

#[test]
fn a_statement_has_every_line_for_people_programs_and_spreadsheets() {
    let (mock, folder) = shop();
    let mut bought = line(2, "purchase", 0, 50_000, 450_000);
    bought["title"] = "Ti\u{202e}de".into();
    mock.state().lines = vec![
        line(1, "test_money", 500_000, 0, 500_000),
        bought,
        line(3, "sales", 100_000, 0, 550_000),
    ];
    let table = run(&folder, &["statement"]).ok();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert!(rows[1].starts_with("2023-11-14 22:13:21"), "{table}");
    assert!(rows[2].contains("-0.5 Bits") && rows[2].contains("4.5 Bits"));
    assert!(rows[2].ends_with("purchase “Ti\u{fffd}de”"), "{table}");
    let document = run(&folder, &["statement", "--json"]).json();
    let lines = document["transfers"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[2]["line"]), (3, &json!(3)));
    let csv = run(&folder, &["statement", "--csv", "-o", "all.csv"]).ok();
    assert_eq!(csv, "");
    let csv = String::from_utf8(folder.read("all.csv")).unwrap();
    assert_eq!(csv, "line\r\n1\r\n2\r\n3\r\n");
}

#[test]
fn signing_out_ends_every_delegation_and_this_file_comes_back_by_itself() {
    let (mock, folder) = shop();
    let said = run(&folder, &["sign-out-everywhere", "--json"]).json();
    assert_eq!((&said["epoch"], mock.state().epoch), (&json!(1), 1));
    assert!(mock.state().delegated.is_empty());
    run(&folder, &["balance"]).ok();
    // And from another device.
    mock.state().epoch = 7;
    mock.state().delegated.clear();
    run(&folder, &["balance"]).ok();
    folder.satchel(&OPEN).ok();
}

#[test]
fn a_refund_is_of_an_amount_or_of_all_that_is_left() {
    let (mock, folder) = shop();
    mock.state().left = 50_000_000;
    mock.state().pending = 1;
    let part = run(&folder, &["refund", "pur_abc", "0.20", "--json"]).json();
    assert_eq!(part["msat"], 20_000_000);
    let said = run(&folder, &["refund", "pur_abc", "--all", "--seq", "2"]).ok();
    assert!(said.contains("300 Bits, TEST MONEY"), "{said}");
    {
        let refunds = &mock.state().refunds;
        let made: Vec<_> = refunds.iter().map(|r| (&r["seq"], &r["msat"])).collect();
        assert_eq!(
            made,
            [
                (&json!(1), &json!(20_000_000)),
                (&json!(2), &json!(30_000_000))
            ]
        );
        assert_eq!(refunds[0]["purchase"], "pur_abc");
    }
    let err = run(&folder, &["refund", "pur_abc", "--all", "--seq", "3"]).fails(5);
    assert!(err.contains("(refund_exceeds)"), "{err}");
    run(&folder, &["refund", "pur_abc"]).fails(2);
    run(&folder, &["refund", "pur_abc", "1", "--all"]).fails(2);
    run(&folder, &["refund", "pur_abc", "1", "--seq", "0"]).fails(2);
}

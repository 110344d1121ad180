//! The operator's commands arrive signed and mean what was typed.

use satchel_crypto::{Key32, ed25519::SigningKey};

use serde_json::{Value, json};

use crate::{mock::Mock, support::*};

#[test]
fn operators_commands_are_signed_with_the_key_file() {
    let (mock, folder) = (Mock::start(), Folder::new());
    folder.satchel(&["key", "operator.key"]).ok();
    let seed = String::from_utf8(folder.read("operator.key")).unwrap();
    let seed = Key32::from_b64(seed.trim()).unwrap();
    mock.state().operator = Some(SigningKey::from_seed(&seed));
    let work = format!("wrk_{}", "a".repeat(52));
    let run = |args: &[&str]| {
        let base = ["--key", "operator.key", "--issuer", &mock.origin];
        folder.run(
            env!("CARGO_BIN_EXE_satchel-ops"),
            &[&base[..], args].concat(),
        )
    };
    run(&[
        "set-rate",
        "--usd-per-btc",
        "65000.5",
        "--source",
        "test",
        "--max-age",
        "60",
    ])
    .ok();
    run(&["take-down", &work]).ok();
    assert_eq!(run(&["reinstate", &work, "--json"]).json()["done"], true);
    let commands = mock.state().commands.clone();
    assert_eq!(commands[0]["cmd"], "set_rate");
    assert_eq!(commands[0]["usd_micros_per_btc"], 65_000_500_000_u64);
    assert_eq!(commands[0]["max_age_s"], 60);
    assert_eq!(
        (&commands[1]["cmd"], &commands[1]["work"]),
        (&"take_down".into(), &work.into())
    );
    assert_eq!(commands[2]["cmd"], "reinstate");
    run(&["take-down", "wrk_x"]).fails(2);
    run(&["set-rate", "--usd-per-btc", "1e5", "--source", "test"]).fails(2);
}

/// An operator's folder: its key is the one the issuer knows.
fn operator() -> (Mock, Folder) {
    let (mock, folder) = (Mock::start(), Folder::new());
    folder.satchel(&["key", "operator.key"]).ok();
    let seed = String::from_utf8(folder.read("operator.key")).unwrap();
    let seed = Key32::from_b64(seed.trim()).unwrap();
    mock.state().operator = Some(SigningKey::from_seed(&seed));
    (mock, folder)
}

fn ops(mock: &Mock, folder: &Folder, args: &[&str]) -> Ran {
    let base = ["--key", "operator.key", "--issuer", &mock.origin];
    folder.run(
        env!("CARGO_BIN_EXE_satchel-ops"),
        &[&base[..], args].concat(),
    )
}

#[test]
fn a_correction_has_an_id_it_can_be_sent_again_with() {
    let (mock, folder) = operator();
    let account = "A".repeat(43);
    let correct = [
        "correct",
        "--from",
        "fees",
        "--to",
        &account,
        "--msat",
        "250",
        "--reason",
        "booked twice",
    ];
    let first = ops(&mock, &folder, &correct);
    first.ok();
    let said = first.stderr();
    let id = said.trim().strip_prefix("correction ").unwrap();
    ops(&mock, &folder, &[&correct[..], &["--id", id]].concat()).ok();
    {
        let commands = &mock.state().commands;
        assert_eq!(commands[0]["cmd"], "correct");
        assert_eq!(
            (&commands[0]["msat"], &commands[0]["to"]),
            (&json!(250), &json!(account))
        );
        assert_eq!(commands[0]["id"], commands[1]["id"]);
    }
    ops(&mock, &folder, &[&correct[..], &["--msat", "0"]].concat()).fails(2);
}

fn book(credit: u64, debit: u64, more: &Value) -> Value {
    let sum = |name: &str, credit: u64, debit: u64| json!({"name": name, "credit": credit, "debit": debit, "count": 1});
    let kind = if debit > 0 { "test_money" } else { "sales" };
    let mut book = json!({
        "balances": {"debits_pending": 0, "debits_posted": debit, "credits_pending": 0, "credits_posted": credit},
        "lines": 2, "upto": 2, "balance": credit - debit,
        "kinds": [sum(kind, credit, 0), sum("purchase", 0, debit)],
        "sold": [], "sent": [], "received": [], "under_way": [], "inboxes": [],
    });
    for (name, list) in more.as_object().unwrap() {
        let [inbox, credit, debit] = [0, 1, 2].map(|i| list[i].clone());
        book[name] = json!([{"name": inbox, "credit": credit, "debit": debit, "count": 1}]);
    }
    book
}

#[test]
fn an_audit_reads_everything_and_names_what_is_wrong() {
    let (mock, folder) = operator();
    {
        let books = &mut mock.state().books;
        let mut add = |name: &str, book: Value| books.insert(name.to_owned(), book);
        add(
            "buyer",
            book(1_000, 300, &json!({"sold": ["seller/0/0", 0, 300]})),
        );
        add(
            "seller",
            book(285, 0, &json!({"inboxes": ["seller/0/0", 285, 0]})),
        );
        add(
            "fees-7",
            book(15, 0, &json!({"inboxes": ["seller/0/0", 15, 0]})),
        );
        add(
            "seller/0/0",
            json!({
                "by_cut": 300, "all": 300, "count": 1, "next": null, "folded": 300, "waiting": 0,
                "folding_net": 0, "folding_fee": 0, "folded_net": 285,
            }),
        );
    }
    let said = ops(&mock, &folder, &["audit"]).ok();
    assert!(said.contains("all is accounted for"), "{said}");
    let report = ops(&mock, &folder, &["audit", "--json", "--age", "5"]).json();
    assert_eq!(
        (&report["ok"], &report["issued_msat"]),
        (&json!(true), &json!(1_000))
    );
    assert_eq!(
        (&report["accounts"], &report["inboxes"]),
        (&json!(3), &json!(1))
    );
    let directory = |command: &&Value| command["cmd"] == "audit_directory";
    assert_eq!(mock.state().commands.iter().filter(directory).count(), 256);

    mock.state().books.get_mut("seller/0/0").unwrap()["by_cut"] = json!(299);
    let wrong = ops(&mock, &folder, &["audit"]);
    let err = wrong.fails(1);
    assert!(
        err.contains("seller/0/0") && err.contains("(books_wrong)"),
        "{err}"
    );
    assert!(wrong.stdout().contains("WRONG"), "{}", wrong.stdout());
    let wrong = ops(&mock, &folder, &["audit", "--json"]);
    wrong.fails(1);
    let report: Value = serde_json::from_str(&wrong.stdout()).unwrap();
    assert_eq!(report["findings"][0]["msat"], -1);
}

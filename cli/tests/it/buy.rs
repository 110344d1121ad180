//! Buying and opening over the API, and everything a buyer is protected from.

use satchel_wire::ErrorCode;
use serde_json::{Value, json};

use crate::{mock::Mock, support::*};

const SONG: &[u8] = b"a song worth half a dollar";

/// An issuer that sells `song.satchel`, and a wallet with five dollars of test money.
pub(crate) fn shop() -> (Mock, Folder) {
    let (mock, folder) = (Mock::start(), Folder::new());
    folder.write("song.mp3", SONG);
    folder.satchel(&["key", "creator.key"]).ok();
    let packed = folder
        .satchel(&[
            "pack",
            "song.mp3",
            "-o",
            "song.satchel",
            "--title",
            "Tide",
            "--price",
            "0.50",
            "--issuer",
            &mock.origin,
            "--key",
            "creator.key",
            "--json",
        ])
        .json();
    let info = folder.satchel(&["info", "song.satchel", "--json"]).json();
    let manifest = &info["manifest"];
    let key: Value = serde_json::from_slice(&folder.read("song.satchel.key")).unwrap();
    let content_key = key["content_key"].as_str().unwrap().to_owned();
    {
        let mut state = mock.state();
        state.content_key = content_key;
        state.record = json!({
            "work": packed["work"], "state": "published", "creator": manifest["creator"],
            "title": "Tide", "version": 1, "ledger": "test", "a_member_of_later_days": [],
            "versions": [{
                "version": 1, "manifest_digest": packed["manifest_digest"],
                "size": info["file_size"], "name": "song.mp3", "media_type": "audio/mpeg",
                "use": "download", "url": format!("{}/f/x", mock.origin), "signer": info["signer"],
            }],
        });
    }
    folder
        .satchel(&["wallet", "new", "wallet", "--issuer", &mock.origin])
        .ok();
    let credited = folder
        .satchel(&["wallet", "test-money", "--usd", "5", "--wallet", "wallet"])
        .ok();
    assert!(credited.contains("TEST MONEY"), "{credited}");
    (mock, folder)
}

pub(crate) const OPEN: [&str; 7] = [
    "open",
    "song.satchel",
    "-o",
    "out",
    "--wallet",
    "wallet",
    "--yes",
];

pub(crate) fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

pub(crate) fn wallet(folder: &Folder) -> Value {
    serde_json::from_slice(&folder.read("wallet")).unwrap()
}

#[test]
fn work_is_bought_once_and_opens_again_without_charge() {
    let (mock, folder) = shop();
    let said = folder
        .satchel(&with(&OPEN, &["--max-price", "0.50", "--json"]))
        .json();
    assert_eq!(folder.read("out"), SONG);
    assert_eq!(
        (&said["paid"], &said["usd_micros"]),
        (&json!(true), &json!(500_000))
    );
    assert_eq!(
        (&said["msat"], &said["ledger"]),
        (&json!(50_000_000), &json!("test"))
    );
    assert_eq!(mock.state().balance, 450_000_000);

    let again = folder.satchel(&with(&OPEN, &["--force", "--json"])).json();
    assert_eq!(
        (&again["paid"], &again["order"]),
        (&json!(false), &said["order"])
    );
    let text = folder.satchel(&with(&OPEN, &["--force"])).ok();
    assert!(text.contains("owned already, nothing was paid"), "{text}");
    assert_eq!((mock.asked("/v1/orders"), mock.asked("/v1/quotes")), (1, 1));
    let balance = folder
        .satchel(&["wallet", "balance", "--wallet", "wallet"])
        .ok();
    assert_eq!(balance, "balance   4,500 Bits, TEST MONEY\n");
}

#[test]
fn buy_is_open_that_pays() {
    let (mock, folder) = shop();
    let buy = with(&["buy"], &OPEN[1..]);
    let said = folder.satchel(&with(&buy, &["--json"])).json();
    assert_eq!(
        (&said["paid"], &said["usd_micros"]),
        (&json!(true), &json!(500_000))
    );
    assert_eq!(folder.read("out"), SONG);
    // What is owned is not bought twice, whatever the command is called.
    let text = folder.satchel(&with(&buy, &["--force"])).ok();
    assert!(text.contains("owned already, nothing was paid"), "{text}");
    let text = folder.satchel(&with(&OPEN, &["--force"])).ok();
    assert!(text.contains("owned already"), "{text}");
    assert_eq!(mock.asked("/v1/orders"), 1);
    let key = ["--force", "--key-file", "song.satchel.key"];
    folder
        .satchel(&with(&["buy", "song.satchel", "-o", "out"], &key))
        .fails(2);
    folder
        .satchel(&with(&["open", "song.satchel", "-o", "out"], &key))
        .ok();
}

#[test]
fn text_for_people_names_price_money_and_order() {
    let (_mock, folder) = shop();
    let text = folder.satchel(&OPEN).ok();
    assert!(text.contains("opened out (26 bytes): paid $0.50 (500 Bits, TEST MONEY), order ord_"));
}

#[test]
fn lost_answer_is_asked_for_again_and_never_paid_twice() {
    let (mock, folder) = shop();
    mock.state().hang_up_on_orders = 1;
    let said = folder.satchel(&with(&OPEN, &["--json"])).json();
    assert_eq!(said["paid"], true);
    assert_eq!(folder.read("out"), SONG);
    assert_eq!(
        (mock.asked("/v1/orders"), mock.state().orders.len()),
        (2, 1)
    );
    assert_eq!(mock.state().balance, 450_000_000);
}

#[test]
fn order_is_on_disk_before_it_is_sent_and_the_next_run_sends_the_same() {
    let (mock, folder) = shop();
    // The order arrives, and then nothing is heard for as long as the program is patient.
    mock.state().refuse_orders = Some(ErrorCode::Unavailable);
    let err = folder.satchel(&OPEN).fails(6);
    assert!(
        err.contains("(unavailable)") && err.contains("never paid twice"),
        "{err}"
    );
    let orders = wallet(&folder)["orders"].as_object().unwrap().clone();
    assert_eq!(orders.len(), 1);
    mock.state().refuse_orders = None;
    // It would be paid now, so the price agreed to now counts.
    folder
        .satchel(&with(&OPEN, &["--max-price", "0.49"]))
        .fails(4);
    let said = folder.satchel(&with(&OPEN, &["--json"])).json();
    assert_eq!(said["order"], *orders.keys().next().unwrap());
    assert_eq!(
        (mock.asked("/v1/quotes"), mock.state().orders.len()),
        (1, 1)
    );
}

#[test]
fn order_that_came_too_late_is_replaced_by_a_new_one() {
    let (mock, folder) = shop();
    mock.state().refuse_orders = Some(ErrorCode::Unavailable);
    folder.satchel(&OPEN).fails(6);
    mock.state().refuse_orders = Some(ErrorCode::QuoteExpired);
    folder.satchel(&OPEN).fails(5);
    assert_eq!(wallet(&folder)["orders"], json!({}));
    mock.state().refuse_orders = None;
    assert_eq!(
        folder.satchel(&with(&OPEN, &["--json"])).json()["paid"],
        true
    );
}

#[test]
fn refused_order_leaves_no_trace() {
    let (mock, folder) = shop();
    mock.state().balance = 1;
    let err = folder.satchel(&OPEN).fails(5);
    assert!(
        err.contains("(insufficient_balance)") && err.contains("Add money"),
        "{err}"
    );
    assert_eq!(wallet(&folder)["orders"], json!({}));
    assert!(!folder.has("out"));
}

#[test]
fn no_more_is_paid_than_was_agreed_to() {
    let (mock, folder) = shop();
    let err = folder
        .satchel(&with(&OPEN, &["--max-price", "0.49"]))
        .fails(4);
    assert!(
        err.contains("(price_too_high)") && err.contains("$0.50"),
        "{err}"
    );
    // --yes alone means the price on the file.
    mock.state().price = 500_001;
    folder.satchel(&OPEN).fails(4);
    // Nobody to ask, and nobody said yes.
    let err = folder.satchel(&OPEN[..6]).fails(4);
    assert!(err.contains("(not_confirmed)"), "{err}");
    assert_eq!(mock.asked("/v1/orders"), 0);
    folder.satchel(&with(&OPEN, &["--max-price", "0.6"])).ok();
}

#[test]
fn issuer_the_wallet_does_not_know_is_not_even_asked() {
    let (mock, folder) = shop();
    let elsewhere = [
        "wallet",
        "new",
        "other",
        "--issuer",
        "https://other.example",
    ];
    folder.satchel(&elsewhere).ok();
    let before = mock.state().log.len();
    let args = [
        "open",
        "song.satchel",
        "-o",
        "out",
        "--wallet",
        "other",
        "--yes",
    ];
    let err = folder.satchel(&args).fails(4);
    assert!(
        err.contains(&mock.origin) && err.contains("--trust"),
        "{err}"
    );
    assert_eq!(mock.state().log.len(), before);
    // With --trust it is asked, and known from then on.
    folder.satchel(&with(&args, &["--trust"])).ok();
    folder.satchel(&with(&args, &["--force"])).ok();
}

#[test]
fn file_the_issuer_does_not_have_on_record_is_not_paid_for() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 5] = [
        ("another manifest", |v| {
            v["versions"][0]["manifest_digest"] = "A".repeat(43).into();
        }),
        ("another creator", |v| {
            v["versions"][0]["signer"] = "A".repeat(43).into();
        }),
        ("another creator", |v| {
            v["creator"]["x"] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into();
        }),
        ("another size", |v| v["versions"][0]["size"] = 1.into()),
        ("no such version", |v| {
            v["versions"][0]["version"] = 2.into();
        }),
    ];
    let (mock, folder) = shop();
    let record = mock.state().record.clone();
    for (what, change) in changes {
        change(&mut mock.state().record);
        let err = folder.satchel(&OPEN).fails(3);
        assert!(
            err.contains("(record_mismatch)") && err.contains(what),
            "{what}: {err}"
        );
        mock.state().record = record.clone();
    }
    assert_eq!((mock.asked("/v1/quotes"), mock.asked("/v1/orders")), (0, 0));
}

#[test]
fn old_version_is_not_paid_for_at_the_price_of_the_new() {
    let (mock, folder) = shop();
    mock.state().record["version"] = 2.into();
    let err = folder.satchel(&OPEN).fails(3);
    assert!(err.contains("(old_version)"), "{err}");
    assert_eq!(mock.asked("/v1/quotes"), 0);
}

#[test]
fn damaged_file_is_not_paid_for() {
    let (mock, folder) = shop();
    let mut bytes = folder.read("song.satchel");
    *bytes.last_mut().unwrap() ^= 1;
    folder.write("song.satchel", &bytes);
    let before = mock.state().log.len();
    folder.satchel(&OPEN).fails(3);
    assert_eq!(mock.state().log.len(), before);
}

#[test]
fn stream_by_the_issuers_record_is_not_bought_here() {
    let (mock, folder) = shop();
    mock.state().record["versions"][0]["use"] = "stream".into();
    folder.satchel(&OPEN).fails(7);
    assert_eq!(mock.asked("/v1/quotes"), 0);
}

#[test]
fn receipt_nobody_published_the_key_of_is_not_believed() {
    let (mock, folder) = shop();
    mock.state().forge_receipts = true;
    let err = folder.satchel(&OPEN).fails(5);
    assert!(err.contains("(receipt_invalid)"), "{err}");
    // The order stays: it may well have been paid, and an honest answer may come.
    assert_eq!(wallet(&folder)["orders"].as_object().unwrap().len(), 1);
    assert_eq!(mock.asked("/v1/keys"), 0);
}

#[test]
fn key_that_is_not_the_committed_one_opens_nothing() {
    let (mock, folder) = shop();
    mock.state().content_key = "A".repeat(43);
    let err = folder.satchel(&OPEN).fails(3);
    assert!(err.contains("(key_commitment)"), "{err}");
    assert!(!folder.has("out"));
    // The receipt is kept: the right key still comes without another payment.
    let key: Value = serde_json::from_slice(&folder.read("song.satchel.key")).unwrap();
    key["content_key"]
        .as_str()
        .unwrap()
        .clone_into(&mut mock.state().content_key);
    assert_eq!(
        folder.satchel(&with(&OPEN, &["--json"])).json()["paid"],
        false
    );
}

#[test]
fn refunded_work_can_be_bought_again() {
    let (mock, folder) = shop();
    let first = folder.satchel(&with(&OPEN, &["--json"])).json();
    let receipts: Vec<String> = mock
        .state()
        .orders
        .values()
        .map(|(_, r)| r.clone())
        .collect();
    mock.state().refunded.extend(receipts);
    let second = folder.satchel(&with(&OPEN, &["--force", "--json"])).json();
    assert_eq!(second["paid"], true);
    assert_ne!(second["order"], first["order"]);
    let third = folder.satchel(&with(&OPEN, &["--force", "--json"])).json();
    assert_eq!(
        (&third["paid"], &third["order"]),
        (&json!(false), &second["order"])
    );
}

#[test]
fn device_the_issuer_forgot_is_made_known_again() {
    let (mock, folder) = shop();
    mock.state().delegated.clear();
    folder.satchel(&OPEN).ok();
    mock.state().delegated.clear();
    folder
        .satchel(&["wallet", "balance", "--wallet", "wallet"])
        .ok();
    assert_eq!(mock.state().delegated.len(), 1);
}

#[test]
fn proofs_name_the_issuer_wherever_they_are_sent() {
    let (mock, folder) = shop();
    let port = mock.origin.rsplit(':').next().unwrap().to_owned();
    // The mock compares htu with its own origin; only the way there differs.
    let base = format!("http://127.0.0.1:{port}/");
    folder.satchel(&with(&OPEN, &["--issuer-base", &base])).ok();
    let base = format!("http://wallet.localhost:{port}");
    let args = [
        "wallet",
        "balance",
        "--wallet",
        "wallet",
        "--issuer-base",
        &base,
    ];
    folder.satchel(&args).ok();
}

#[test]
fn nothing_secret_goes_over_plain_http() {
    let (_mock, folder) = shop();
    let err = folder
        .satchel(&with(&OPEN, &["--issuer-base", "http://example.com"]))
        .fails(4);
    assert!(err.contains("not encrypted"), "{err}");
}

#[test]
fn issuer_that_does_not_answer_is_told_from_one_that_refuses() {
    let folder = Folder::new();
    // A port nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://localhost:{}", free.local_addr().unwrap().port());
    drop(free);
    folder
        .satchel(&["wallet", "new", "wallet", "--issuer", &origin])
        .ok();
    let err = folder
        .satchel(&["wallet", "balance", "--wallet", "wallet"])
        .fails(6);
    assert!(
        err.contains("is not answering") && err.contains("Nothing is lost"),
        "{err}"
    );
}

#[test]
fn two_commands_do_not_use_a_wallet_at_once() {
    let (_mock, folder) = shop();
    let lock = std::fs::File::options()
        .write(true)
        .open(folder.path("wallet.lock"))
        .unwrap();
    lock.lock().unwrap();
    let err = folder.satchel(&OPEN).fails(1);
    assert!(err.contains("another satchel command"), "{err}");
    drop(lock);
    folder.satchel(&OPEN).ok();
}

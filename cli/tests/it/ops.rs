//! The operator's commands arrive signed and mean what was typed.

use satchel_crypto::{Key32, ed25519::SigningKey};

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

//! What the workers of the version before said to each other, as `e2e/mixed.test.mjs` recorded it: this
//! version reads all of it, and writes at least the members that the other one knows.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::{collections::BTreeMap, fs, path::Path};

use satchel_json::{FromJson, from_slice};
use satchel_wire::{
    api::{Done, OrderIn, Record},
    error::Problem,
    internal::{
        Entitlement, Posted, PublishWork, RateRecord, RegisterWork, Registered, VersionKeys,
        WorkSnapshot,
    },
};
use serde::Serialize;
use serde_json::Value;

/// What was asked, if it had a body, and answered.
fn recorded() -> BTreeMap<String, (Option<Value>, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("mixed");
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = fs::read_to_string(path).unwrap();
            let said: Value = serde_json::from_str(&text).unwrap();
            all.insert(name, (said.get("body").cloned(), said["answer"].clone()));
        }
    }
    all
}

/// Whether all that `old` says is in `new`; a member that is not there says as much as null.
fn keeps(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old.iter().all(|(name, value)| {
            new.get(name)
                .map_or(value.is_null(), |other| keeps(value, other))
        }),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| keeps(old, new))
        }
        _ => old == new,
    }
}

fn reads<T: FromJson + Serialize>(name: &str, old: &Value) {
    let text = serde_json::to_vec(old).unwrap();
    let read: T = from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let new = serde_json::to_value(&read).unwrap();
    assert!(keeps(old, &new), "{name}: {old} became {new}");
}

#[test]
fn what_the_version_before_asked_and_answered_is_read_and_kept() {
    let recorded = recorded();
    for (name, (body, answer)) in &recorded {
        let asked = || body.as_ref().unwrap_or_else(|| panic!("{name}: no body"));
        match name.as_str() {
            "orders-posted" | "orders-replayed" | "orders-owned" => {
                reads::<OrderIn>(name, asked());
                reads::<Posted>(name, answer);
            }
            "works-register" => {
                reads::<RegisterWork>(name, asked());
                reads::<Registered>(name, answer);
            }
            "works-intake" => {
                reads::<VersionKeys>(name, asked());
                reads::<Done>(name, answer);
            }
            "works-publish" => {
                reads::<PublishWork>(name, asked());
                reads::<Record>(name, answer);
            }
            "works-read" => reads::<WorkSnapshot>(name, answer),
            "entitlements" => reads::<Entitlement>(name, answer),
            "rate" => reads::<RateRecord>(name, answer),
            refusal => {
                let code = refusal.rsplit('-').next().unwrap();
                assert_eq!(answer["code"], code, "{name}");
                reads::<Problem>(name, answer);
            }
        }
    }
    let found: Vec<&str> = recorded.keys().map(String::as_str).collect();
    let all = [
        "entitlements",
        "orders-insufficient_balance",
        "orders-own_work",
        "orders-owned",
        "orders-posted",
        "orders-replayed",
        "rate",
        "works-intake",
        "works-publish",
        "works-read",
        "works-register",
    ];
    assert_eq!(found, all, "every question between workers is recorded");
}

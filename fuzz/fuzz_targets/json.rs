//! Our reader and writer of JSON against serde_json: what ours accepts, the other reads as the same
//! value; what ours writes, the other writes.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use satchel_json::Value;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Colour {
    DarkRed,
    Blue,
}
satchel_json::read_names!(Colour { DarkRed = "dark_red", Blue = "blue" });

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    a: u64,
    b: Option<String>,
}
satchel_json::read!(Inner { a, b });

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    inner: Option<Inner>,
    list: Vec<u8>,
    #[serde(rename = "use")]
    colour: Colour,
    #[serde(default)]
    map: BTreeMap<String, bool>,
}
satchel_json::read!(Document { inner, list, colour = "use", map });

fuzz_target!(|text: &[u8]| {
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match Value::parse(text) {
        Ok(ours) => {
            let theirs = theirs.expect("ours accepts it");
            let written = satchel_json::to_vec(&ours).unwrap();
            assert_eq!(written, serde_json::to_vec(&ours).unwrap());
            assert_eq!(Value::parse(&written).as_ref(), Ok(&ours));
            assert_eq!(ours.clone().into_owned(), ours);
            // A member given twice is refused by whoever reads the object, not by the tree.
            if !has_doubles(&ours) {
                assert_eq!(serde_json::to_value(&ours).unwrap(), theirs);
            }
        }
        Err(_) => assert!(theirs.is_err() || may_hold_a_fraction(text)),
    }
    if let Ok(ours) = satchel_json::from_slice::<Document>(text) {
        assert_eq!(serde_json::from_slice::<Document>(text).unwrap(), ours);
        let written = satchel_json::to_vec(&ours).unwrap();
        assert_eq!(written, serde_json::to_vec(&ours).unwrap());
        assert_eq!(satchel_json::from_slice::<Document>(&written), Ok(ours));
    }
});

fn has_doubles(value: &Value<'_>) -> bool {
    match value {
        Value::List(items) => items.iter().any(has_doubles),
        Value::Object(members) => {
            let names: BTreeSet<_> = members.iter().map(|(name, _)| name).collect();
            names.len() < members.len() || members.iter().any(|(_, value)| has_doubles(value))
        }
        _ => false,
    }
}

/// Ours refuses every number that is not whole, and those that fit no integer.
fn may_hold_a_fraction(text: &[u8]) -> bool {
    let digits = text.split(|byte| !byte.is_ascii_digit());
    let has = |sign: &[u8]| text.windows(sign.len()).any(|part| part == sign);
    [&b"."[..], b"e", b"E", b"-0"].into_iter().any(has)
        || digits.into_iter().any(|run| run.len() >= 19)
}

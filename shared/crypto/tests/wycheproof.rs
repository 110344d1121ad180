//! C2SP's vectors of Cobblestone-256, natively. `tests/wasm` runs the same check in workerd.

#[path = "../../../tests/wasm/src/cobblestone.rs"]
mod cobblestone;

#[test]
fn wycheproof_vectors_of_cobblestone_256_agree() {
    assert_eq!(cobblestone::disagreements(), (35, Vec::new()));
}

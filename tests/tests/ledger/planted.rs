//! Bugs planted in what surrounds the ledger's core: a simulator that does not find them finds nothing.

use crate::{
    runs::{self, life},
    trouble::Plant,
};

/// Seeds within which a planted bug must show.
const SEEDS: u64 = 200;

fn is_found(name: &str, plant: Plant, operations: u64) {
    let found = runs::seeds(name, SEEDS, |seed, trace| {
        life(seed, operations, plant, trace)
    });
    let (seed, what) = found.unwrap_or_else(|| panic!("{name} was not found in {SEEDS} seeds"));
    runs::say(&format!("{name} shows in seed {seed}: {what}"));
}

#[test]
fn a_crash_between_debit_and_outbox_is_found() {
    is_found("planted: torn commit", Plant::TornCommit, 200);
}

#[test]
fn an_inbox_that_forgets_ids_is_found() {
    is_found("planted: forgotten ids", Plant::ForgetsIds, 100);
}

#[test]
fn a_work_that_frees_by_its_clock_is_found() {
    is_found("planted: freed by the clock", Plant::FreesByClock, 200);
}

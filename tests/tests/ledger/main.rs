//! The ledger's core in a simulator: made-up time, messages, alarms, storage, and everything that can
//! go wrong with them, drawn from a seed. `SATCHEL_SOAK=1` runs the full counts (10,000 seeds of
//! 1,000 operations; else 1,000 of 100), `SATCHEL_SEED=n` one seed with a trace.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    unreachable_pub,
    reason = "a test may panic, its numbers are small, and it is read by nobody else"
)]

mod checks;
mod costs;
mod ending;
mod engine;
mod events;
mod grants;
mod heard;
mod host;
mod last;
mod long;
mod object;
mod people;
mod planted;
mod rights;
mod rng;
mod runs;
mod shop;
mod stage;
mod store;
mod tables;
mod trouble;

use runs::seeds;
use trouble::Plant;

#[test]
fn whatever_goes_wrong_every_millisatoshi_is_accounted_for() {
    let (count, operations) = if runs::soak() {
        (10_000, 1_000)
    } else {
        (1_000, 100)
    };
    let found = seeds("honest", count, |seed, trace| {
        runs::life(seed, operations, Plant::None, trace)
    });
    if let Some((seed, what)) = found {
        let soak = if runs::soak() { "SATCHEL_SOAK=1 " } else { "" };
        panic!(
            "seed {seed}: {what}\nreplay: {soak}SATCHEL_SEED={seed} cargo test -p satchel-tests --test ledger whatever"
        );
    }
}

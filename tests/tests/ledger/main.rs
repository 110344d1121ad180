//! The ledger's core in a simulator: made-up time, messages, alarms, storage, and everything that can
//! go wrong with them, drawn from a seed. `SATCHEL_SOAK=1` runs the full counts, `SATCHEL_SEED=n` one
//! seed with a trace.

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
mod ending;
mod engine;
mod host;
mod object;
mod people;
mod planted;
mod rng;
mod runs;
mod shop;
mod stage;
mod store;
mod tables;

use engine::Plant;
use runs::seeds;

#[test]
fn whatever_goes_wrong_every_millisatoshi_is_accounted_for() {
    let size = if runs::soak() {
        (10_000, 1_000)
    } else {
        (1_000, 60)
    };
    let found = seeds("honest", size.0, |seed, trace| {
        runs::life(seed, size.1, Plant::None, trace)
    });
    if let Some((seed, what)) = found {
        panic!(
            "seed {seed}: {what}\nreplay: SATCHEL_SEED={seed} cargo test -p satchel-tests --test ledger whatever"
        );
    }
}

//! Tests of the whole format: round trips, tampering, and the vectors other implementations share.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, as it should"
)]

mod damaged;
mod plan;
mod range;
mod round_trip;
mod support;
mod tamper;
mod vectors;

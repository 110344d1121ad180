//! The commands as a user runs them: alone, against an issuer in this process, and with what the
//! JavaScript SDK packs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, as it should"
)]

mod buy;
mod damaged;
mod local;
mod mock;
mod money;
mod ops;
mod preview;
mod sdk;
mod special;
mod stream;
mod support;
mod versions;

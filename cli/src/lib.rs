//! The `satchel` and `satchel-ops` commands.
//!
//! Everything that touches the machine (files, terminal, clock, randomness, network) is here;
//! what a satchel is and what documents say is in `satchel-format` and `satchel-wire`. Opening a
//! bought work uses the public API (docs/API.md) and nothing else.
//!
//! # Exit codes
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | the machine refused: a file can't be read or written |
//! | 2 | the command was given wrongly |
//! | 3 | the file is not a satchel, is damaged, or is not what its issuer has on record |
//! | 4 | not done, for the buyer's protection: issuer not trusted, price too high, not confirmed |
//! | 5 | the issuer refused; its stable error code stands in brackets |
//! | 6 | the issuer did not answer; nothing is lost, run the same command again |
//! | 7 | streaming only: this work can be played, not opened |
#![forbid(unsafe_code)]

pub mod answers;
pub mod args;
pub mod audit;
pub mod buy;
pub mod clock;
pub mod fail;
pub mod file;
pub mod http;
pub mod info;
pub mod issuer;
pub mod keyfile;
pub mod lanes;
pub mod magnet;
pub mod money;
pub mod open;
pub mod ops;
pub mod out;
pub mod pack;
pub mod preview;
pub mod say;
pub mod statement;
pub mod stream;
pub mod wallet;
pub mod wallet_commands;

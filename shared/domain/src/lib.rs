//! The rules of Satchel: money, ids, terms, the ledger's decisions, the streaming allowance.
//!
//! In scope: everything that can be decided from values at hand. Out of scope: I/O, clocks,
//! randomness, JSON and cryptography. Callers pass the time in and store what comes out.
#![forbid(unsafe_code)]

pub mod allowance;
pub mod id;
pub mod ledger;
pub mod money;
pub mod splits;
pub mod terms;
pub mod work;

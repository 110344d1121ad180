//! What crosses a wire: errors, signed documents, and the JSON of every request and answer.
//!
//! In scope: shapes, signatures, bindings between documents. Out of scope: HTTP itself and storage.
//! Every type refuses unknown and duplicate members. The public shapes are documented in docs/API.md.
#![forbid(unsafe_code)]

pub mod api;
pub mod audit;
pub mod capability;
pub mod command;
pub mod delegation;
pub mod error;
pub mod internal;
pub mod jose;
pub mod listing;
pub mod operator;
pub mod order;
pub mod paid;
pub mod proof;
pub mod quote;
pub mod receipt;
pub mod refund;
pub mod shop;
pub mod shopfront;
pub mod signout;
pub mod streaming;

pub use error::{ApiError, ErrorCode, Result};

//! Every cryptographic primitive Satchel uses, each behind one small module.
//!
//! In scope: SHA-256, HMAC-SHA-256, HKDF-SHA-256, AES-256-GCM key wrapping, Cobblestone-256,
//! Ed25519, compact JWS, canonical base64url and base32. Out of scope: randomness and time, which
//! callers pass in, so that everything here is a pure function and runs the same natively and in
//! WebAssembly.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod aead;
pub mod b32;
pub mod b64;
pub mod cobblestone;
pub mod ed25519;
pub mod handle;
pub mod hash;
pub mod jws;
pub mod key;
pub mod wrap;

pub use hash::{hkdf_sha256, hmac_sha256, hmac_verify, sha256};
pub use key::Key32;

//! The two things that are different in every run: the time and randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::fail::{Exit, Failure, Result};

/// Unix seconds.
#[must_use]
pub fn now_s() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program runs natively, where it works"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// `N` bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Failure::new(
            Exit::Machine,
            format!("no randomness: {error}"),
        )),
    }
}

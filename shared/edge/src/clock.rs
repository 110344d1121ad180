//! Time and randomness enter here and nowhere else.

use satchel_wire::{ErrorCode, Result};

/// Milliseconds since 1970. Stands still while a request computes.
#[must_use]
pub fn now_ms() -> u64 {
    worker::Date::now().as_millis()
}

/// Seconds since 1970.
#[must_use]
pub fn now_s() -> u64 {
    now_ms().checked_div(1000).unwrap_or(0)
}

/// `N` random bytes of the runtime's generator.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| ErrorCode::Internal)?;
    Ok(bytes)
}

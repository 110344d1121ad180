//! How many windows of a streamed work a purchase may have opened by now.
//!
//! A token bucket of distinct windows: a few at once so that playing and seeking start quickly,
//! then twice as fast as real time. Windows already released are free again. It is shared by all
//! sessions and receipts of a purchase, so that more devices do not open more.

use serde::Serialize;

/// Windows that may be opened at once.
pub const BURST_WINDOWS: u64 = 3;
/// Windows earned per window length of elapsed time.
pub const WINDOWS_PER_LENGTH: u64 = 2;

/// The state of a purchase's allowance, as told to players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Allowance {
    /// Distinct windows released so far.
    pub released: u64,
    /// Distinct windows allowed at this moment.
    pub limit: u64,
    /// Milliseconds until one more is allowed; `None` where the limit isn't reached.
    pub next_at_ms: Option<u64>,
}
satchel_json::read!(Allowance {
    released,
    limit,
    next_at_ms
});

impl Allowance {
    /// The allowance `elapsed_ms` after the purchase was first played.
    #[must_use]
    pub fn at(elapsed_ms: u64, window_ms: u64, released: u64) -> Self {
        let length = window_ms.max(1);
        let earned = elapsed_ms
            .saturating_mul(WINDOWS_PER_LENGTH)
            .checked_div(length)
            .unwrap_or(0);
        let limit = BURST_WINDOWS.saturating_add(earned);
        let next_at_ms = (released >= limit).then(|| {
            let needed = released.saturating_add(1).saturating_sub(BURST_WINDOWS);
            let at = needed.saturating_mul(length).div_ceil(WINDOWS_PER_LENGTH);
            at.saturating_sub(elapsed_ms)
        });
        Self {
            released,
            limit,
            next_at_ms,
        }
    }

    /// Whether one more window may be released.
    #[must_use]
    pub fn allows_one_more(&self) -> bool {
        self.released < self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_windows_at_once_then_twice_real_time() {
        assert!(Allowance::at(0, 10_000, 2).allows_one_more());
        let full = Allowance::at(0, 10_000, 3);
        assert!(!full.allows_one_more());
        assert_eq!(full.next_at_ms, Some(5_000));
        assert!(!Allowance::at(4_999, 10_000, 3).allows_one_more());
        assert!(Allowance::at(5_000, 10_000, 3).allows_one_more());
        assert_eq!(Allowance::at(60_000, 10_000, 0).limit, 15);
    }

    #[test]
    fn the_wait_told_is_the_wait_that_works() {
        for released in 3..50 {
            for elapsed in [0, 1, 777, 9_999] {
                let a = Allowance::at(elapsed, 10_000, released);
                let Some(wait) = a.next_at_ms else {
                    assert!(a.allows_one_more());
                    continue;
                };
                assert!(Allowance::at(elapsed + wait, 10_000, released).allows_one_more());
                assert!(!Allowance::at(elapsed + wait - 1, 10_000, released).allows_one_more());
            }
        }
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let _ = Allowance::at(u64::MAX, 0, u64::MAX);
        let _ = Allowance::at(0, u64::MAX, u64::MAX);
    }
}

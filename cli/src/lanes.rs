//! Many segments at once: as many as there are cores, within a bound on memory.

use std::{num::NonZero, thread};

use crate::fail::Result;

/// Most bytes of plaintext held at once; ciphertext takes as many again.
const MEMORY_BYTES: u64 = 8 << 20;

/// How many segments of at most `segment_bytes` to work on at once: 1 to the number of cores.
#[must_use]
pub fn lanes(segment_bytes: u64) -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let fit = MEMORY_BYTES
        .checked_div(segment_bytes.max(1))
        .and_then(|fit| usize::try_from(fit).ok());
    fit.unwrap_or(1).clamp(1, cores)
}

/// Does `work` on all items at once; the results in order. One item needs no thread.
pub fn all<T: Send, O: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    let work = &work;
    if items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    thread::scope(|scope| {
        let running: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        running
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(result) => result,
                // A panic is a bug, and goes on to whoever reports those.
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_bounds_the_number_of_segments_at_once() {
        assert_eq!(lanes(u64::MAX), 1);
        assert_eq!(lanes(MEMORY_BYTES), 1);
        assert!(lanes(1) >= 1);
    }

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let squares = all((0..20_u64).collect(), |n| Ok(n * n)).unwrap();
        assert_eq!(squares, (0..20).map(|n| n * n).collect::<Vec<_>>());
    }
}

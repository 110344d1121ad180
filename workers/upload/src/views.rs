//! Views on their way to the shops: counted in the isolate, told in batches. A view says nothing of who
//! looked, and costs a look into a table of bounded size; what it is worth is bounded too.

use std::collections::BTreeMap;

use satchel_domain::id::WorkId;

use crate::shop::{VIEWED, VIEWS};

/// Views gather this long, milliseconds.
pub(crate) const GATHER_MS: u32 = 5_000;
/// Should the request be gone that was to tell them: the next one takes over after this.
const LOST_MS: u64 = 20_000;
/// Largest body of a beacon, bytes.
pub(crate) const BEACON_BYTES: usize = 64;

/// Views that were not told yet.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    by_work: BTreeMap<String, u64>,
    /// When somebody undertook to tell them.
    since_ms: Option<u64>,
}

impl Gathered {
    /// Counts a view; gives whether the caller is to tell all of them in a while.
    pub(crate) fn add(&mut self, work: &WorkId, now_ms: u64) -> bool {
        // Of works beyond that many nothing is counted: somebody invents them.
        let full = self.by_work.len() >= VIEWED;
        match self.by_work.get_mut(work.as_str()) {
            Some(count) => *count = count.saturating_add(1).min(VIEWS),
            None if full => {}
            None => {
                self.by_work.insert(work.as_str().to_owned(), 1);
            }
        }
        let alone = self
            .since_ms
            .is_none_or(|since| now_ms.saturating_sub(since) > LOST_MS);
        if alone {
            self.since_ms = Some(now_ms);
        }
        alone
    }

    /// All of them, to be told now.
    pub(crate) fn take(&mut self) -> BTreeMap<String, u64> {
        self.since_ms = None;
        std::mem::take(&mut self.by_work)
    }
}

#[cfg(test)]
mod tests {
    use satchel_crypto::b32;

    use super::*;

    fn work(n: u16) -> WorkId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        WorkId::parse(&format!("wrk_{}", b32::encode(&bytes))).unwrap()
    }

    #[test]
    fn one_request_tells_what_many_have_counted() {
        let mut gathered = Gathered::default();
        assert!(gathered.add(&work(1), 1_000));
        assert!(!gathered.add(&work(1), 1_001));
        assert!(!gathered.add(&work(2), 6_000));
        let told = gathered.take();
        assert_eq!(told.into_values().collect::<Vec<_>>(), [2, 1]);
        // The next view needs somebody to tell it again.
        assert!(gathered.add(&work(1), 6_001));
    }

    #[test]
    fn who_was_to_tell_and_vanished_is_replaced() {
        let mut gathered = Gathered::default();
        assert!(gathered.add(&work(1), 1_000));
        assert!(!gathered.add(&work(1), 20_000));
        assert!(gathered.add(&work(1), 22_000));
    }

    #[test]
    fn memory_and_counts_are_bounded() {
        let mut gathered = Gathered::default();
        for n in 0..2_000 {
            gathered.add(&work(n), 1_000);
        }
        for _ in 0..5_000 {
            gathered.add(&work(7), 1_000);
        }
        let told = gathered.take();
        assert_eq!(told.len(), VIEWED);
        assert_eq!(told.get(work(7).as_str()), Some(&VIEWS));
    }
}

//! A small cache in an isolate's memory. Memory may vanish at any time: only for what can be
//! fetched again.

use std::{cell::RefCell, collections::BTreeMap};

/// Values that are good for a while, at most `capacity` of them.
#[derive(Debug)]
pub struct TtlCache<V> {
    entries: RefCell<BTreeMap<String, (u64, V)>>,
    life_ms: u64,
    capacity: usize,
}

impl<V: Clone> TtlCache<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(life_ms: u64, capacity: usize) -> Self {
        Self {
            entries: RefCell::new(BTreeMap::new()),
            life_ms,
            capacity,
        }
    }

    /// The value, if it was put in less than its life ago.
    #[must_use]
    pub fn get(&self, key: &str, now_ms: u64) -> Option<V> {
        let entries = self.entries.borrow();
        let (at, value) = entries.get(key)?;
        (now_ms.saturating_sub(*at) < self.life_ms).then(|| value.clone())
    }

    /// Puts a value in. A full cache is emptied first: simpler than choosing, and rare.
    pub fn put(&self, key: &str, value: V, now_ms: u64) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= self.capacity {
            entries.clear();
        }
        entries.insert(key.to_owned(), (now_ms, value));
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        self.entries.borrow_mut().remove(key);
    }
}

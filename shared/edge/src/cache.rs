//! A small cache in an isolate's memory. Memory may vanish at any time: only for what can be
//! fetched again.

use std::cell::RefCell;

/// A key, and since when which value.
type Entry<V> = (String, Box<(u64, V)>);

/// Values that are good for a while, at most `capacity` of them.
#[derive(Debug)]
pub struct TtlCache<V> {
    // In order of their keys. Boxed: those behind a new one are moved.
    entries: RefCell<Vec<Entry<V>>>,
    life_ms: u64,
    capacity: usize,
}

impl<V: Clone> TtlCache<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(life_ms: u64, capacity: usize) -> Self {
        Self {
            entries: RefCell::new(Vec::new()),
            life_ms,
            capacity,
        }
    }

    /// The value, if it was put in less than its life ago.
    #[must_use]
    pub fn get(&self, key: &str, now_ms: u64) -> Option<V> {
        let entries = self.entries.borrow();
        let place = find(&entries, key).ok()?;
        let (_, entry) = entries.get(place)?;
        let (at, value) = &**entry;
        (now_ms.saturating_sub(*at) < self.life_ms).then(|| value.clone())
    }

    /// Puts a value in. A full cache is emptied first: simpler than choosing, and rare.
    pub fn put(&self, key: &str, value: V, now_ms: u64) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= self.capacity {
            entries.clear();
        }
        let entry = (key.to_owned(), Box::new((now_ms, value)));
        let place = match find(&entries, key) {
            Ok(place) => {
                entries.remove(place);
                place
            }
            Err(place) => place,
        };
        entries.insert(place, entry);
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        let mut entries = self.entries.borrow_mut();
        if let Ok(place) = find(&entries, key) {
            entries.remove(place);
        }
    }
}

fn find<V>(entries: &[Entry<V>], key: &str) -> Result<usize, usize> {
    entries.binary_search_by(|(known, _)| known.as_str().cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_there_for_its_life_and_no_longer() {
        let cache = TtlCache::new(10, 3);
        for (key, value) in [("b", 1), ("a", 2), ("c", 3)] {
            cache.put(key, value, 100);
        }
        assert_eq!(
            [cache.get("a", 109), cache.get("b", 109)],
            [Some(2), Some(1)]
        );
        assert_eq!([cache.get("c", 110), cache.get("d", 100)], [None, None]);
        cache.forget("b");
        cache.forget("d");
        assert_eq!([cache.get("b", 100), cache.get("c", 100)], [None, Some(3)]);
        cache.put("c", 4, 101);
        assert_eq!(cache.get("c", 110), Some(4));
        // A full cache is emptied.
        cache.put("b", 5, 101);
        cache.put("e", 6, 101);
        assert_eq!([cache.get("a", 101), cache.get("e", 101)], [None, Some(6)]);
    }
}

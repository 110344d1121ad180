//! How often and how long a work was played, by all who bought it. Pure.
//!
//! Batches come under random names, so that one that is sent twice counts once and nobody can tell
//! from which purchase it came.

use satchel_domain::id::WorkId;
use serde::Serialize;

use crate::playback::Batch;

/// Batches remembered: one that is sent again after more than these counts twice, which is a few
/// minutes of a busy work's day.
const MAX_REMEMBERED: usize = 512;

/// A work's counter.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plays {
    /// The work, once something was counted.
    work: Option<WorkId>,
    /// All plays.
    begun: u64,
    /// All seconds.
    seconds: u64,
    /// Names of the last batches.
    seen: Vec<String>,
    /// What the shop has been told.
    told: Told,
    /// The report on its way.
    sending: Option<Report>,
}
satchel_json::read!(Plays {
    work,
    begun,
    seconds,
    seen,
    told,
    sending,
    ..
});

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
struct Told {
    number: u64,
    begun: u64,
    seconds: u64,
}
satchel_json::read!(Told {
    number,
    begun,
    seconds,
    ..
});

/// What is told next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// The work.
    pub(crate) work: WorkId,
    /// From 1 without gaps.
    pub(crate) number: u64,
    /// More plays.
    pub(crate) plays: u64,
    /// More seconds.
    pub(crate) seconds: u64,
}
satchel_json::read!(Report {
    work,
    number,
    plays,
    seconds,
    ..
});

impl Plays {
    /// Counts a batch; `false` where it was counted before.
    pub(crate) fn count(&mut self, batch: Batch) -> bool {
        if self.seen.contains(&batch.name) {
            return false;
        }
        self.seen.push(batch.name);
        let more = self.seen.len().saturating_sub(MAX_REMEMBERED);
        self.seen.drain(..more);
        self.work = Some(batch.work);
        self.begun = self.begun.saturating_add(batch.plays);
        self.seconds = self.seconds.saturating_add(batch.seconds);
        true
    }

    /// What to tell the shop: the same until it has arrived.
    pub(crate) fn report(&mut self) -> Option<Report> {
        let (plays, seconds) = (
            self.begun.saturating_sub(self.told.begun),
            self.seconds.saturating_sub(self.told.seconds),
        );
        if self.sending.is_none() && (plays, seconds) != (0, 0) {
            self.sending = Some(Report {
                work: self.work.clone()?,
                number: self.told.number.saturating_add(1),
                plays,
                seconds,
            });
        }
        self.sending.clone()
    }

    /// It has arrived.
    pub(crate) fn reported(&mut self, report: &Report) {
        if self.sending.as_ref() != Some(report) {
            return;
        }
        self.sending = None;
        self.told = Told {
            number: report.number,
            begun: self.told.begun.saturating_add(report.plays),
            seconds: self.told.seconds.saturating_add(report.seconds),
        };
    }
}

#[cfg(test)]
mod tests {
    use satchel_crypto::b32;

    use super::*;

    fn batch(name: &str, plays: u64, seconds: u64) -> Batch {
        Batch {
            name: name.into(),
            work: WorkId::parse(&format!("wrk_{}", b32::encode(&[0; 32]))).unwrap(),
            plays,
            seconds,
        }
    }

    #[test]
    fn a_batch_counts_once_and_is_reported_once() {
        let mut plays = Plays::default();
        assert_eq!(plays.report(), None);
        assert!(plays.count(batch("a", 1, 30)));
        assert!(!plays.count(batch("a", 1, 30)));
        let first = plays.report().unwrap();
        assert_eq!((first.number, first.plays, first.seconds), (1, 1, 30));
        assert!(plays.count(batch("b", 2, 10)));
        assert_eq!(plays.report(), Some(first.clone()));
        plays.reported(&first);
        plays.reported(&first);
        let next = plays.report().unwrap();
        assert_eq!((next.number, next.plays, next.seconds), (2, 2, 10));
        plays.reported(&next);
        assert_eq!(plays.report(), None);
        assert_eq!((plays.begun, plays.seconds), (3, 40));
    }

    #[test]
    fn names_are_forgotten_in_the_end() {
        let mut plays = Plays::default();
        for n in 0..2 * MAX_REMEMBERED {
            plays.count(batch(&n.to_string(), 1, 1));
        }
        assert_eq!(plays.seen.len(), MAX_REMEMBERED);
        assert!(!plays.count(batch("1023", 1, 1)));
    }
}

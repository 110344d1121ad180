//! Counted copies for people: what is free, what is left.

use satchel_wire::api::Record;

use crate::lang::Lang;

/// Copies of a work as its record counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copies {
    /// Free ones left, and how many there were.
    free: Option<(u32, u32)>,
    /// Left of all, and how many there were.
    all: Option<(u32, u32)>,
}

impl Copies {
    pub(crate) fn of(record: &Record) -> Self {
        let gone = record.stock.clone().unwrap_or_default();
        let left = |of: Option<u32>, gone: u32| of.map(|of| (of.saturating_sub(gone), of));
        let all = left(record.terms.limit, gone.sold);
        // The last copies may be fewer than were to be given away.
        let most = all.map_or(u32::MAX, |(left, _)| left);
        let free = left(record.terms.giveaway, gone.given).map(|(left, of)| (left.min(most), of));
        Self { free, all }
    }

    /// Whether the next copy is free.
    pub(crate) fn free(self) -> bool {
        self.free.is_some_and(|(left, _)| left > 0)
    }

    /// Whether there is none.
    pub(crate) fn sold_out(self) -> bool {
        self.all.is_some_and(|(left, _)| left == 0)
    }

    /// What the next copy costs, in millionths of a dollar.
    pub(crate) fn due(self, record: &Record) -> u64 {
        if self.free() {
            0
        } else {
            record.terms.usd_micros
        }
    }

    /// What is left, if that is counted; where there is room, `both` numbers.
    pub(crate) fn left(self, lang: Lang, both: bool) -> Option<String> {
        match (self.free, self.all) {
            (Some((left @ 1.., of)), _) => Some(lang.left(&left.to_string(), &of.to_string())),
            (_, Some((left, of))) if both => Some(lang.left(&left.to_string(), &of.to_string())),
            (_, Some((left, _))) => Some(lang.left_short(&left.to_string())),
            _ => None,
        }
    }
}

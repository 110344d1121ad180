//! What may go wrong, what is planted, and how often what happened.

/// How much goes wrong, each of 10,000.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub crash_at_commit: u32,
    pub refused_commit: u32,
    pub lost_request: u32,
    pub lost_answer: u32,
    pub late_request: u32,
    pub duplicate: u32,
    pub late_alarm: u32,
    pub evicted: u32,
    /// Milliseconds a clock is off at most, either way.
    pub skew_ms: u64,
    /// Alarms go off by true time, not by the object's clock.
    pub true_alarms: bool,
}

/// A bug planted in what surrounds the ledger, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plant {
    #[default]
    None,
    /// A crash can fall between the account's own row and all else of a transaction.
    TornCommit,
    /// An inbox forgets ids once their batch has come home.
    ForgetsIds,
    /// A work takes an old reservation for given up without asking.
    FreesByClock,
}

/// Where a crash falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before the transaction ran.
    Before,
    /// After it ran, before it was durable.
    Volatile,
    /// Once durable, before anybody was told.
    Durable,
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub events: u64,
    pub requests: u64,
    pub commits: u64,
    pub crashes: u64,
    pub dropped: u64,
    pub duplicates: u64,
    pub late: u64,
    pub evictions: u64,
    pub undone: u64,
    pub alarms: u64,
    pub alarms_set: u64,
}

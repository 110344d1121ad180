//! Between the workers of streaming: windows for paths, and what was played.

use satchel_domain::id::{SessionId, WorkId};
use serde::Serialize;

/// `POST /internal/windows` of stream: the hls worker asks for a window of a session by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathWindow {
    /// The session.
    pub session: SessionId,
    /// The purchase, opaque.
    pub handle: String,
    /// Which window.
    pub window: u32,
    /// `read_ms` of the last answer for this session, if it is known.
    pub read_ms: Option<u64>,
}
satchel_json::read!(PathWindow {
    session,
    handle,
    window,
    read_ms,
    ..
});

/// Answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathKey {
    /// 32 bytes, base64url.
    pub key: String,
    /// When the entitlement was read, Unix milliseconds.
    pub read_ms: u64,
}
satchel_json::read!(PathKey { key, read_ms, .. });

/// Plays and seconds of a work, in the batch that its creator's shop is sent
/// (`POST /internal/shops/{creator}/sales`). Nothing in it tells who played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlayCount {
    /// The work.
    pub work: WorkId,
    /// How often it was begun.
    pub plays: u64,
    /// How many seconds of it were played.
    pub seconds: u64,
    /// Unix seconds of the counting.
    pub time: u64,
}
satchel_json::read!(PlayCount {
    work,
    plays,
    seconds,
    time,
    ..
});

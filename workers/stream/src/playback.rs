//! The streaming state of one purchase: its sessions, and which windows were released.
//!
//! Pure: the object reads the state, decides here, and writes it back in one statement where the
//! answer is not an error. All sessions and receipts of a purchase share it, so that more devices
//! open no more.

use satchel_domain::{
    allowance::Allowance,
    id::{SessionId, Thumbprint, WorkId},
};
use satchel_json::Value;
use satchel_wire::{ApiError, ErrorCode, Result};
use serde::Serialize;

use crate::remembered::{Released, Seen};

/// Sessions of a purchase at the same time.
pub(crate) const MAX_SESSIONS: usize = 3;
/// Ended sessions that are still told why.
const MAX_ENDED: usize = 12;
/// How long plays are counted before the work's counter is told.
const COUNT_EVERY_MS: u64 = 120_000;
/// A copy of the entitlement older than this releases nothing.
pub(crate) const SOURCE_LIFE_MS: u64 = 20_000;

/// What the entitlement says, as far as windows need it, and when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Source {
    /// The work.
    pub(crate) work: WorkId,
    /// The version bought.
    pub(crate) version: u32,
    /// The window root, wrapped.
    pub(crate) wrapped_root: String,
    /// How many windows there are at most.
    pub(crate) windows: u32,
    /// Milliseconds of a window.
    pub(crate) window_ms: u64,
    /// Unix milliseconds, by the clock of whoever holds it.
    pub(crate) read_ms: u64,
}
satchel_json::read!(Source {
    work,
    version,
    wrapped_root,
    windows,
    window_ms,
    read_ms,
    ..
});

/// Who asks, proven.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct By {
    /// The key.
    pub(crate) key: Thumbprint,
    /// The `jti` of its proof.
    pub(crate) proof: String,
}
satchel_json::read!(By { key, proof, .. });

/// `POST /open`: begins a session.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Open {
    /// Its id.
    pub(crate) session: SessionId,
    /// Whom it is for.
    pub(crate) by: By,
    /// Whether windows are asked for by a path alone (edge-decrypted HLS).
    pub(crate) path: bool,
    /// A window to release at once, if it may be: it saves a player a round trip.
    pub(crate) window: Option<u32>,
    /// The entitlement, just read.
    pub(crate) source: Source,
    /// Unix milliseconds by the clock that `source` was read by.
    pub(crate) asked_ms: u64,
}
satchel_json::read!(Open {
    session,
    by,
    path,
    window,
    source,
    asked_ms,
    ..
});

/// The answer to [`Open`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Opened {
    /// What may be opened.
    pub(crate) allowance: Allowance,
    /// Whether the window that was asked for may be opened.
    pub(crate) released: bool,
}
satchel_json::read!(Opened {
    allowance,
    released,
    ..
});

/// `POST /ask`: asks for a window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ask {
    /// The session.
    pub(crate) session: SessionId,
    /// Who asks; nobody of a session by path.
    pub(crate) by: Option<By>,
    /// Which window.
    pub(crate) window: u32,
    /// The entitlement, if it was just read.
    pub(crate) fresh: Option<Source>,
    /// Unix milliseconds by the clock that `fresh` was read by.
    pub(crate) asked_ms: u64,
}
satchel_json::read!(Ask {
    session,
    by,
    window,
    fresh,
    asked_ms,
    ..
});

/// The answer to [`Ask`]: the window may be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Release {
    /// From this.
    pub(crate) source: Source,
    /// What may be opened after it.
    pub(crate) allowance: Allowance,
}
satchel_json::read!(Release {
    source,
    allowance,
    ..
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Session {
    id: SessionId,
    key: Thumbprint,
    used_ms: u64,
    /// By path; absent where it began before there were such.
    path: Option<bool>,
    /// Whether it has opened a window.
    played: Option<bool>,
}
satchel_json::read!(Session {
    id,
    key,
    used_ms,
    path,
    played,
    ..
});

/// Plays and seconds that nobody was told yet.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    /// Sessions that opened a first window.
    pub(crate) plays: u64,
    /// Seconds of the windows that were opened.
    pub(crate) seconds: u64,
    /// Since when, Unix milliseconds.
    pub(crate) since_ms: u64,
}
satchel_json::read!(Counted {
    plays,
    seconds,
    since_ms,
    ..
});

/// Counts on their way, under a random name: whoever counts for the work learns no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Batch {
    /// Random, so that it counts once however often it is sent.
    pub(crate) name: String,
    /// The work.
    pub(crate) work: WorkId,
    /// Plays.
    pub(crate) plays: u64,
    /// Seconds.
    pub(crate) seconds: u64,
}
satchel_json::read!(Batch {
    name,
    work,
    plays,
    seconds,
    ..
});

/// The part of the state that is kept as JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Head {
    /// When the first window was released.
    first_ms: Option<u64>,
    /// At most [`MAX_SESSIONS`].
    sessions: Vec<Session>,
    /// Those that others took the place of, the newest last; at most [`MAX_ENDED`].
    ended: Option<Vec<SessionId>>,
    /// The newest copy of the entitlement, by the object's own clock.
    source: Option<Source>,
    /// What was counted since the last batch.
    counted: Option<Counted>,
    /// The batch on its way.
    sending: Option<Batch>,
}
satchel_json::read!(Head {
    first_ms,
    sessions,
    ended,
    source,
    counted,
    sending,
    ..
});

/// The state.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Playback {
    pub(crate) head: Head,
    pub(crate) released: Released,
    pub(crate) seen: Seen,
}

impl Playback {
    /// Begins a session; where there are too many, the one not used for longest ends.
    pub(crate) fn open(&mut self, open: Open, now_ms: u64) -> Result<Opened> {
        self.seen.insert(&open.by.key, &open.by.proof, now_ms)?;
        while self.head.sessions.len() >= MAX_SESSIONS {
            let sessions = self.head.sessions.iter().enumerate();
            let idle = sessions.min_by_key(|(_, session)| session.used_ms);
            let Some((idle, _)) = idle else { break };
            let replaced = self.head.sessions.remove(idle);
            let ended = self.head.ended.get_or_insert_default();
            ended.push(replaced.id);
            let more = ended.len().saturating_sub(MAX_ENDED);
            ended.drain(..more);
        }
        self.head.sessions.push(Session {
            id: open.session,
            key: open.by.key,
            used_ms: now_ms,
            path: Some(open.path),
            played: None,
        });
        let source = open.source.clone();
        self.adopt(open.source, open.asked_ms, now_ms);
        // One that is too early or does not exist is refused when it is asked for by itself.
        let window = open.window.filter(|_| !open.path);
        let released = window.is_some_and(|window| self.give(&source, window, now_ms).is_ok());
        if released {
            let newest = self.head.sessions.last_mut();
            let first = newest.is_some_and(|newest| newest.played.replace(true).is_none());
            self.count(first, source.window_ms, now_ms);
        }
        Ok(Opened {
            allowance: self.allowance(source.window_ms, now_ms),
            released,
        })
    }

    /// Releases a window, if there is such a one and it may be opened by now.
    fn give(&mut self, source: &Source, window: u32, now_ms: u64) -> Result<()> {
        if window >= source.windows {
            let what = format!("windows go from 0 to {}", source.windows.saturating_sub(1));
            return Err(ApiError::new(ErrorCode::NotFound, what));
        }
        if !self.released.contains(window) {
            let allowance = self.allowance(source.window_ms, now_ms);
            if !allowance.allows_one_more() {
                return Err(too_early(&allowance));
            }
            self.released.insert(window);
            self.head.first_ms.get_or_insert(now_ms);
        }
        Ok(())
    }

    /// Why a session that is not there has ended.
    fn ended(&self, session: &SessionId) -> ApiError {
        let known = self.head.ended.as_deref().unwrap_or_default();
        ended(if known.contains(session) {
            "replaced"
        } else {
            "unknown"
        })
    }

    /// Releases a window, if it may be opened by now. On an error the state must not be kept.
    pub(crate) fn ask(&mut self, ask: Ask, now_ms: u64) -> Result<Option<Release>> {
        let mut sessions = self.head.sessions.iter_mut();
        let Some(session) = sessions.find(|session| session.id == ask.session) else {
            return Err(self.ended(&ask.session));
        };
        // A session by path has no proofs, and one with proofs never goes without.
        let allowed = match &ask.by {
            Some(by) => session.key == by.key,
            None => session.path == Some(true),
        };
        if !allowed {
            return Err(ErrorCode::WrongKey.into());
        }
        session.used_ms = now_ms;
        let first = !session.played.unwrap_or_default();
        session.played = Some(true);
        if let Some(fresh) = ask.fresh {
            self.adopt(fresh, ask.asked_ms, now_ms);
        }
        let Some(source) = self.head.source.clone() else {
            return Ok(None);
        };
        if now_ms.saturating_sub(source.read_ms) > SOURCE_LIFE_MS {
            return Ok(None);
        }
        if let Some(by) = &ask.by {
            self.seen.insert(&by.key, &by.proof, now_ms)?;
        }
        self.give(&source, ask.window, now_ms)?;
        self.count(first, source.window_ms, now_ms);
        let allowance = self.allowance(source.window_ms, now_ms);
        Ok(Some(Release { source, allowance }))
    }

    /// Keeps a newer copy of the entitlement. Its age is what counts, by the clock it was read by:
    /// the clocks of two machines may differ by minutes, and none of it may lengthen its life.
    fn adopt(&mut self, mut source: Source, asked_ms: u64, now_ms: u64) {
        source.read_ms = now_ms.saturating_sub(asked_ms.saturating_sub(source.read_ms));
        let known = self.head.source.as_ref();
        if known.is_none_or(|known| known.read_ms <= source.read_ms) {
            self.head.source = Some(source);
        }
    }

    /// Time counts from the first window that was released.
    fn allowance(&self, window_ms: u64, now_ms: u64) -> Allowance {
        let elapsed_ms = self
            .head
            .first_ms
            .map_or(0, |first| now_ms.saturating_sub(first));
        Allowance::at(elapsed_ms, window_ms, self.released.count())
    }

    fn count(&mut self, first: bool, window_ms: u64, now_ms: u64) {
        let counted = self.head.counted.get_or_insert_with(|| Counted {
            since_ms: now_ms,
            ..Counted::default()
        });
        counted.plays = counted.plays.saturating_add(u64::from(first));
        let seconds = window_ms.checked_div(1000).unwrap_or_default();
        counted.seconds = counted.seconds.saturating_add(seconds);
    }

    /// When counts are to be sent, if they began this moment: told in a while, never within a request.
    pub(crate) fn just_began(&self, now_ms: u64) -> Option<u64> {
        let counted = self.head.counted.as_ref()?;
        let due = counted.since_ms.saturating_add(COUNT_EVERY_MS);
        // One whose alarm was lost is armed again by whoever plays on.
        (counted.since_ms == now_ms || due.saturating_add(COUNT_EVERY_MS) < now_ms)
            .then(|| due.max(now_ms))
    }

    /// The batch to send now; `name` names a new one.
    pub(crate) fn send(&mut self, name: String) -> Option<Batch> {
        if self.head.sending.is_none()
            && let Some(counted) = self.head.counted.take()
            && let Some(source) = &self.head.source
        {
            self.head.sending = Some(Batch {
                name,
                work: source.work.clone(),
                plays: counted.plays,
                seconds: counted.seconds,
            });
        }
        self.head.sending.clone()
    }

    /// A batch has arrived.
    pub(crate) fn sent(&mut self, batch: &Batch) {
        if self.head.sending.as_ref() == Some(batch) {
            self.head.sending = None;
        }
    }
}

/// `session_ended`, and why.
pub(crate) fn ended(why: &'static str) -> ApiError {
    ApiError::from(ErrorCode::SessionEnded).with("reason", why)
}

fn too_early(allowance: &Allowance) -> ApiError {
    let wait_s = allowance
        .next_at_ms
        .unwrap_or_default()
        .div_ceil(1000)
        .max(1);
    let members = Value::Object(vec![
        ("released".into(), allowance.released.into()),
        ("limit".into(), allowance.limit.into()),
        ("next_at_ms".into(), allowance.next_at_ms.into()),
    ]);
    ApiError::from(ErrorCode::WindowLimit)
        .retry_after(wait_s)
        .with("allowance", members)
}

#[cfg(test)]
#[path = "playback_tests.rs"]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests;

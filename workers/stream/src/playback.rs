//! The streaming state of one purchase: its sessions, and which windows were released.
//!
//! Pure: the object reads the state, decides here, and writes it back in one statement where the
//! answer is not an error. All sessions and receipts of a purchase share it, so that more devices
//! open no more.

use satchel_crypto::hash::sha256_parts;
use satchel_domain::{
    allowance::Allowance,
    id::{SessionId, Thumbprint, WorkId},
};
use satchel_json::Value;
use satchel_wire::{ApiError, ErrorCode, Result};
use serde::Serialize;

/// Sessions of a purchase at the same time.
pub(crate) const MAX_SESSIONS: usize = 3;
/// A copy of the entitlement older than this releases nothing.
pub(crate) const SOURCE_LIFE_MS: u64 = 20_000;
/// How long a proof is remembered, seconds: longer than any clock lets it be valid (2 × 300 s).
const PROOF_LIFE_S: u64 = 601;
/// Proofs remembered at once. A player makes about one in ten seconds.
const MAX_PROOFS: usize = 1_024;

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
    /// Unix milliseconds.
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

/// `POST /open`: begins a session.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Open {
    /// Its id.
    pub(crate) session: SessionId,
    /// The key it is for.
    pub(crate) key: Thumbprint,
    /// The `jti` of the proof that asked.
    pub(crate) proof: String,
    /// The entitlement, just read.
    pub(crate) source: Source,
}
satchel_json::read!(Open {
    session,
    key,
    proof,
    source,
    ..
});

/// `POST /ask`: asks for a window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ask {
    /// The session.
    pub(crate) session: SessionId,
    /// The key that asks.
    pub(crate) key: Thumbprint,
    /// The `jti` of the proof.
    pub(crate) proof: String,
    /// Which window.
    pub(crate) window: u32,
    /// The entitlement, if it was just read.
    pub(crate) fresh: Option<Source>,
}
satchel_json::read!(Ask {
    session,
    key,
    proof,
    window,
    fresh,
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
}
satchel_json::read!(Session {
    id,
    key,
    used_ms,
    ..
});

/// The part of the state that is kept as JSON.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Head {
    /// When the first window was released.
    first_ms: Option<u64>,
    /// At most [`MAX_SESSIONS`].
    sessions: Vec<Session>,
    /// The newest copy of the entitlement.
    source: Option<Source>,
}
satchel_json::read!(Head {
    first_ms,
    sessions,
    source,
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
    pub(crate) fn open(&mut self, open: Open, now_ms: u64) -> Result<Allowance> {
        self.seen.insert(&open.key, &open.proof, now_ms)?;
        let sessions = &mut self.head.sessions;
        while sessions.len() >= MAX_SESSIONS {
            let idle = sessions
                .iter()
                .enumerate()
                .min_by_key(|(_, session)| session.used_ms);
            let Some((idle, _)) = idle else { break };
            sessions.remove(idle);
        }
        sessions.push(Session {
            id: open.session,
            key: open.key,
            used_ms: now_ms,
        });
        let window_ms = open.source.window_ms;
        self.adopt(open.source);
        Ok(self.allowance(window_ms, now_ms))
    }

    /// Releases a window, if it may be opened by now. On an error the state must not be kept.
    pub(crate) fn ask(&mut self, ask: Ask, now_ms: u64) -> Result<Option<Release>> {
        let ended = ErrorCode::SessionEnded;
        let session = self
            .head
            .sessions
            .iter_mut()
            .find(|session| session.id == ask.session);
        let session = session.ok_or(ended)?;
        if session.key != ask.key {
            return Err(ErrorCode::WrongKey.into());
        }
        session.used_ms = now_ms;
        if let Some(fresh) = ask.fresh {
            self.adopt(fresh);
        }
        let source = self.head.source.clone().ok_or(ended)?;
        if now_ms.saturating_sub(source.read_ms) > SOURCE_LIFE_MS {
            return Ok(None);
        }
        if ask.window >= source.windows {
            let what = format!("windows go from 0 to {}", source.windows.saturating_sub(1));
            return Err(ApiError::new(ErrorCode::NotFound, what));
        }
        self.seen.insert(&ask.key, &ask.proof, now_ms)?;
        if !self.released.contains(ask.window) {
            let allowance = self.allowance(source.window_ms, now_ms);
            if !allowance.allows_one_more() {
                return Err(too_early(&allowance));
            }
            self.released.insert(ask.window);
            self.head.first_ms.get_or_insert(now_ms);
        }
        let allowance = self.allowance(source.window_ms, now_ms);
        Ok(Some(Release { source, allowance }))
    }

    fn adopt(&mut self, source: Source) {
        if self
            .head
            .source
            .as_ref()
            .is_none_or(|known| known.read_ms <= source.read_ms)
        {
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

/// A set of windows, one bit each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Released(Vec<u8>);

impl Released {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn place(window: u32) -> (usize, u8) {
        (
            usize::try_from(window >> 3).unwrap_or(usize::MAX),
            1 << (window & 7),
        )
    }

    fn contains(&self, window: u32) -> bool {
        let (byte, bit) = Self::place(window);
        self.0.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// The caller has compared `window` with the number of windows, which is limited.
    fn insert(&mut self, window: u32) {
        let (byte, bit) = Self::place(window);
        if self.0.len() <= byte {
            self.0.resize(byte.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(byte) {
            *bits |= bit;
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// Bytes of a remembered proof's digest. A chance meeting of two (2^-64) refuses one request.
const DIGEST_BYTES: usize = 8;
const SEEN_BYTES: usize = DIGEST_BYTES + 4;

/// Proofs seen in the last minutes, oldest first: a digest and the second it was seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen(Vec<([u8; DIGEST_BYTES], u32)>);

impl Seen {
    /// Reads what [`Seen::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let entry = |bytes: &[u8; SEEN_BYTES]| {
            let (digest, second) = bytes.split_first_chunk::<DIGEST_BYTES>()?;
            Some((*digest, u32::from_be_bytes(*second.first_chunk()?)))
        };
        Self(bytes.as_chunks().0.iter().filter_map(entry).collect())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let entries = self.0.iter();
        entries
            .flat_map(|(digest, second)| [&digest[..], &second.to_be_bytes()].concat())
            .collect()
    }

    /// Remembers a proof: `proof_invalid` where it was seen before, `too_many` where no more can be
    /// remembered (one that is forgotten too early could be used twice).
    fn insert(&mut self, key: &Thumbprint, jti: &str, now_ms: u64) -> Result<()> {
        let second = now_ms.checked_div(1000).unwrap_or_default();
        let age = |seen: u32| second.saturating_sub(u64::from(seen));
        self.0.retain(|(_, seen)| age(*seen) < PROOF_LIFE_S);
        let digest = sha256_parts(&[key.as_str().as_bytes(), b"\0", jti.as_bytes()]);
        let digest = *digest.first_chunk().ok_or(ErrorCode::Internal)?;
        if self.0.iter().any(|(seen, _)| *seen == digest) {
            return Err(ApiError::new(
                ErrorCode::ProofInvalid,
                "this proof was used before",
            ));
        }
        if self.0.len() >= MAX_PROOFS {
            let oldest = self.0.first().map_or(0, |(_, seen)| age(*seen));
            let wait_s = PROOF_LIFE_S.saturating_sub(oldest);
            return Err(ApiError::from(ErrorCode::TooMany).retry_after(wait_s));
        }
        self.0
            .push((digest, u32::try_from(second).unwrap_or(u32::MAX)));
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use satchel_crypto::{b32, b64, sha256};

    use satchel_json::FromJson as _;

    use super::*;

    const T: u64 = 1_800_000_000_000;
    const WINDOW_MS: u64 = 10_000;
    const WINDOWS: u32 = 1_000;

    fn session(n: u8) -> SessionId {
        SessionId::parse(&format!("ses_{}", b32::encode(&[n; 20]))).unwrap()
    }

    fn key(n: u8) -> Thumbprint {
        Thumbprint::parse(&b64::encode(&[n; 32])).unwrap()
    }

    fn source(read_ms: u64) -> Source {
        Source {
            work: WorkId::parse(&format!("wrk_{}", b32::encode(&[0; 32]))).unwrap(),
            version: 1,
            wrapped_root: "1.x".into(),
            windows: WINDOWS,
            window_ms: WINDOW_MS,
            read_ms,
        }
    }

    /// A playback that is asked as the object asks it: what comes with an error is not kept.
    #[derive(Default)]
    struct Object {
        state: Playback,
        proofs: u64,
    }

    impl Object {
        fn proof(&mut self) -> String {
            self.proofs += 1;
            b64::encode(&sha256(&self.proofs.to_be_bytes()))
        }

        fn keep<T>(&mut self, act: impl FnOnce(&mut Playback) -> Result<T>) -> Result<T> {
            let mut state = self.state.clone();
            let answer = act(&mut state)?;
            // As through the database.
            self.state = Playback {
                head: satchel_json::from_slice(&serde_json::to_vec(&state.head).unwrap()).unwrap(),
                released: Released::from_bytes(state.released.as_bytes().to_vec()),
                seen: Seen::from_bytes(&state.seen.to_bytes()),
            };
            assert_eq!(self.state, state);
            Ok(answer)
        }

        fn open(&mut self, n: u8, now_ms: u64) -> Result<Allowance> {
            let proof = self.proof();
            let open = Open {
                session: session(n),
                key: key(n),
                proof,
                source: source(now_ms),
            };
            self.keep(|state| state.open(open, now_ms))
        }

        /// Asks with a fresh copy of the entitlement.
        fn ask(&mut self, n: u8, window: u32, now_ms: u64) -> Result<Option<Release>> {
            let fresh = Some(source(now_ms));
            let ask = Ask {
                session: session(n),
                key: key(n),
                proof: self.proof(),
                window,
                fresh,
            };
            self.keep(|state| state.ask(ask, now_ms))
        }
    }

    fn released(answer: Result<Option<Release>>) -> u64 {
        answer.unwrap().expect("stale").allowance.released
    }

    #[test]
    fn three_windows_at_once_then_twice_real_time() {
        let mut object = Object::default();
        assert_eq!(object.open(1, T).unwrap(), Allowance::at(0, WINDOW_MS, 0));
        for window in 0..3 {
            assert_eq!(released(object.ask(1, window, T)), u64::from(window) + 1);
        }
        let error = object.ask(1, 3, T + 700).unwrap_err();
        assert_eq!(error.code, ErrorCode::WindowLimit);
        assert_eq!(error.retry_after_s, Some(5));
        let told = error.member("allowance").unwrap().clone();
        let told = Allowance::from_json(told).unwrap();
        assert_eq!(told, Allowance::at(700, WINDOW_MS, 3));
        assert_eq!(told.next_at_ms, Some(4_300));
        assert_eq!(released(object.ask(1, 3, T + 5_000)), 4);
    }

    #[test]
    fn time_counts_from_the_first_window_not_from_the_session() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        let later = T + 3_600_000;
        for window in 0..3 {
            object.ask(1, window, later).unwrap();
        }
        assert_eq!(
            object.ask(1, 3, later).unwrap_err().code,
            ErrorCode::WindowLimit
        );
    }

    #[test]
    fn windows_released_before_are_free_again() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        for window in [7, 999, 0, 7, 0, 999, 7] {
            object.ask(1, window, T).unwrap();
        }
        assert_eq!(object.state.released.count(), 3);
        assert_eq!(
            object.ask(1, 1, T).unwrap_err().code,
            ErrorCode::WindowLimit
        );
        object.open(2, T).unwrap();
        assert_eq!(released(object.ask(2, 999, T)), 3);
    }

    #[test]
    fn fifty_sessions_asking_for_everything_get_no_more_than_the_formula() {
        let mut object = Object::default();
        let mut most = 0;
        for n in 0..50 {
            let now = T + u64::from(n) * 1_500;
            object.open(n, now).unwrap();
            for window in 0..40 {
                let _ = object.ask(n, window * 20 + u32::from(n) % 20, now);
                let _ = object.ask(n.saturating_sub(1), window, now + 1);
            }
            let limit = Allowance::at(now + 1 - T, WINDOW_MS, 0).limit;
            assert!(object.state.released.count() <= limit, "session {n}");
            most = most.max(object.state.released.count());
            // Proofs are remembered for ten minutes; this test is about windows.
            object.state.seen = Seen::default();
        }
        assert_eq!(most, Allowance::at(49 * 1_500 + 1, WINDOW_MS, 0).limit);
    }

    #[test]
    fn the_session_not_used_for_longest_ends() {
        let mut object = Object::default();
        for n in 1..=3 {
            object.open(n, T + u64::from(n)).unwrap();
        }
        object.open(4, T + 4).unwrap();
        let ended = object.ask(1, 0, T + 5).unwrap_err();
        assert_eq!(ended.code, ErrorCode::SessionEnded);
        for n in [2, 3, 4] {
            object.ask(n, 0, T + 10 - u64::from(n)).unwrap();
        }
        object.open(5, T + 20).unwrap();
        assert_eq!(
            object.ask(4, 0, T + 21).unwrap_err().code,
            ErrorCode::SessionEnded
        );
        object.ask(2, 0, T + 21).unwrap();
        assert_eq!(object.state.head.sessions.len(), MAX_SESSIONS);
    }

    #[test]
    fn of_sessions_never_used_the_oldest_ends() {
        let mut object = Object::default();
        for n in 1..=4 {
            object.open(n, T).unwrap();
        }
        let left: Vec<_> = object
            .state
            .head
            .sessions
            .iter()
            .map(|s| s.id.clone())
            .collect();
        assert_eq!(left, [session(2), session(3), session(4)]);
    }

    #[test]
    fn a_replayed_proof_is_refused_as_long_as_it_could_be_valid() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        let ask = |now_ms| Ask {
            session: session(1),
            key: key(1),
            proof: "again".into(),
            window: 0,
            fresh: Some(source(now_ms)),
        };
        object.keep(|state| state.ask(ask(T), T)).unwrap();
        for now in [T, T + 1, T + 600_000] {
            let error = object.keep(|state| state.ask(ask(now), now)).unwrap_err();
            assert_eq!(error.code, ErrorCode::ProofInvalid);
        }
        let open = Open {
            session: session(2),
            key: key(1),
            proof: "again".into(),
            source: source(T),
        };
        let error = object.keep(|state| state.open(open, T)).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProofInvalid);
        object
            .keep(|state| state.ask(ask(T + 601_000), T + 601_000))
            .unwrap();
        assert_eq!(object.state.seen.0.len(), 1);
    }

    #[test]
    fn no_more_proofs_are_taken_than_can_be_remembered() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        for _ in 1..MAX_PROOFS {
            object.ask(1, 0, T + 1_000).unwrap();
        }
        let error = object.ask(1, 0, T + 2_000).unwrap_err();
        assert_eq!(
            (error.code, error.retry_after_s),
            (ErrorCode::TooMany, Some(599))
        );
        assert_eq!(object.state.seen.to_bytes().len(), MAX_PROOFS * SEEN_BYTES);
        object.ask(1, 0, T + 601_000).unwrap();
    }

    #[test]
    fn an_old_copy_of_the_entitlement_releases_nothing_and_changes_nothing() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        let ask = |object: &mut Object, now: u64, fresh: Option<Source>| {
            let proof = "same".to_owned();
            let ask = Ask {
                session: session(1),
                key: key(1),
                proof,
                window: 0,
                fresh,
            };
            object.keep(|state| state.ask(ask, now))
        };
        let late = T + SOURCE_LIFE_MS + 1;
        assert_eq!(ask(&mut object, late, None), Ok(None));
        // Another old copy does not help, and the proof is still unused.
        assert_eq!(ask(&mut object, late, Some(source(T))), Ok(None));
        assert_eq!(released(ask(&mut object, late, Some(source(late)))), 1);
        assert_eq!(object.state.head.source.as_ref().unwrap().read_ms, late);
        // An older copy that comes late does not replace a newer one.
        object.ask(1, 1, late + 5).unwrap();
        let proof = object.proof();
        let fresh = Some(source(late));
        let ask = Ask {
            session: session(1),
            key: key(1),
            proof,
            window: 2,
            fresh,
        };
        object.keep(|state| state.ask(ask, late + 6)).unwrap();
        assert_eq!(object.state.head.source.as_ref().unwrap().read_ms, late + 5);
    }

    #[test]
    fn windows_beyond_the_work_do_not_exist() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        for window in [WINDOWS, u32::MAX] {
            assert_eq!(
                object.ask(1, window, T).unwrap_err().code,
                ErrorCode::NotFound
            );
        }
        object.ask(1, WINDOWS - 1, T).unwrap();
        assert_eq!(object.state.released.as_bytes().len(), 125);
    }

    #[test]
    fn a_session_is_of_one_key() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        let fresh = Some(source(T));
        let ask = Ask {
            session: session(1),
            key: key(2),
            proof: "p".into(),
            window: 0,
            fresh,
        };
        let error = object.keep(|state| state.ask(ask, T)).unwrap_err();
        assert_eq!(error.code, ErrorCode::WrongKey);
        assert_eq!(
            object.ask(9, 0, T).unwrap_err().code,
            ErrorCode::SessionEnded
        );
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut object = Object::default();
        object.open(1, T).unwrap();
        for window in 0..3 {
            object.ask(1, window, T).unwrap();
        }
        assert_eq!(
            object.ask(1, 3, T - 60_000).unwrap_err().code,
            ErrorCode::WindowLimit
        );
        assert_eq!(
            object.ask(1, 3, 0).unwrap_err().code,
            ErrorCode::WindowLimit
        );
    }

    #[test]
    fn damaged_bytes_are_read_as_far_as_they_go() {
        assert_eq!(Seen::from_bytes(&[0; SEEN_BYTES - 1]), Seen::default());
        assert_eq!(Seen::from_bytes(&[0; SEEN_BYTES + 1]).0.len(), 1);
    }
}

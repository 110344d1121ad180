//! Tests of the streaming state of a purchase.

use satchel_crypto::{b32, b64, sha256};

use satchel_json::FromJson as _;

use super::*;
use crate::remembered::{MAX_PROOFS, SEEN_BYTES};

const T: u64 = 1_800_000_000_000;
const WINDOW_MS: u64 = 10_000;
const WINDOWS: u32 = 1_000;

fn session(n: u8) -> SessionId {
    SessionId::parse(&format!("ses_{}", b32::encode(&[n; 20]))).unwrap()
}

fn key(n: u8) -> Thumbprint {
    Thumbprint::parse(&b64::encode(&[n; 32])).unwrap()
}

fn by(n: u8, proof: impl Into<String>) -> By {
    By {
        key: key(n),
        proof: proof.into(),
    }
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
            by: by(n, proof),
            path: false,
            window: None,
            source: source(now_ms),
            asked_ms: now_ms,
        };
        self.keep(|state| state.open(open, now_ms))
            .map(|opened| opened.allowance)
    }

    /// Asks with a fresh copy of the entitlement.
    fn ask(&mut self, n: u8, window: u32, now_ms: u64) -> Result<Option<Release>> {
        let fresh = Some(source(now_ms));
        let ask = Ask {
            session: session(n),
            by: Some(by(n, self.proof())),
            window,
            fresh,
            asked_ms: now_ms,
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
        by: Some(by(1, "again")),
        window: 0,
        fresh: Some(source(now_ms)),
        asked_ms: now_ms,
    };
    object.keep(|state| state.ask(ask(T), T)).unwrap();
    for now in [T, T + 1, T + 600_000] {
        let error = object.keep(|state| state.ask(ask(now), now)).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProofReplayed);
    }
    let open = Open {
        session: session(2),
        by: by(1, "again"),
        path: false,
        window: None,
        source: source(T),
        asked_ms: T,
    };
    let error = object.keep(|state| state.open(open, T)).unwrap_err();
    assert_eq!(error.code, ErrorCode::ProofReplayed);
    object
        .keep(|state| state.ask(ask(T + 601_000), T + 601_000))
        .unwrap();
    assert_eq!(object.state.seen.to_bytes().len(), SEEN_BYTES);
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
        let ask = Ask {
            session: session(1),
            by: Some(by(1, "same")),
            window: 0,
            fresh,
            asked_ms: now,
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
        by: Some(by(1, proof)),
        window: 2,
        fresh,
        asked_ms: late + 6,
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
        by: Some(by(2, "p")),
        window: 0,
        fresh,
        asked_ms: T,
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
    assert_eq!(
        Seen::from_bytes(&[0; SEEN_BYTES + 1]).to_bytes().len(),
        SEEN_BYTES
    );
}

#[test]
fn a_session_that_was_replaced_is_told_so() {
    let mut object = Object::default();
    for n in 1..=4 {
        object.open(n, T + u64::from(n)).unwrap();
    }
    let why = |error: ApiError| error.member("reason").cloned();
    let replaced = object.ask(1, 0, T + 5).unwrap_err();
    assert_eq!(replaced.code, ErrorCode::SessionEnded);
    assert_eq!(why(replaced), Some("replaced".into()));
    let unknown = object.ask(99, 0, T + 5).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::SessionEnded);
    assert_eq!(why(unknown), Some("unknown".into()));
    for n in 5..60 {
        object.open(n, T + u64::from(n)).unwrap();
    }
    assert_eq!(object.state.head.ended.as_ref().unwrap().len(), MAX_ENDED);
}

#[test]
fn fifty_clients_that_race_never_have_more_sessions_than_allowed() {
    // Opened and asked in an order that a seed shuffles, as interleaved requests reach the object.
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut object = Object::default();
    let mut open = Vec::new();
    for step in 0..2_000 {
        let now = T + step * 10;
        let n = u8::try_from(random(50)).unwrap();
        if random(3) == 0 && !open.contains(&n) {
            object.open(n, now).unwrap();
            open.push(n);
        } else {
            let _ = object.ask(n, u32::try_from(random(1_000)).unwrap(), now);
        }
        let alive: Vec<_> = object
            .state
            .head
            .sessions
            .iter()
            .map(|s| s.id.clone())
            .collect();
        assert!(alive.len() <= MAX_SESSIONS);
        open.retain(|n| alive.contains(&session(*n)));
        let limit = Allowance::at(step * 10, WINDOW_MS, 0).limit;
        assert!(object.state.released.count() <= limit);
        object.state.seen = Seen::default();
    }
}

#[test]
fn a_clock_that_is_minutes_off_neither_lengthens_nor_ends_the_life_of_an_entitlement() {
    for skew in [-300_000_i64, -299_000, 299_000, 300_000] {
        let other = |now: u64| now.checked_add_signed(skew).unwrap();
        let mut object = Object::default();
        object.open(1, T).unwrap();
        let mut ask = |window, read: Option<u64>, now: u64| {
            let proof = object.proof();
            let ask = Ask {
                session: session(1),
                by: Some(by(1, proof)),
                window,
                fresh: read.map(|read| source(other(read))),
                asked_ms: other(now),
            };
            object.keep(|state| state.ask(ask, now))
        };
        // Read at T + 1,000 by a machine whose clock is off, asked a second later.
        assert!(
            ask(0, Some(T + 1_000), T + 2_000).unwrap().is_some(),
            "{skew}"
        );
        assert!(
            ask(1, None, T + 1_000 + SOURCE_LIFE_MS).unwrap().is_some(),
            "{skew}"
        );
        assert!(
            ask(2, None, T + 1_001 + SOURCE_LIFE_MS).unwrap().is_none(),
            "{skew}"
        );
    }
}

#[test]
fn a_session_by_path_needs_no_proof_and_others_do() {
    let mut object = Object::default();
    object.open(1, T).unwrap();
    let open = Open {
        session: session(2),
        by: by(1, "path"),
        path: true,
        window: Some(5),
        source: source(T),
        asked_ms: T,
    };
    object.keep(|state| state.open(open, T)).unwrap();
    let ask = |n: u8, window| Ask {
        session: session(n),
        by: None,
        window,
        fresh: Some(source(T)),
        asked_ms: T,
    };
    let error = object.keep(|state| state.ask(ask(1, 0), T)).unwrap_err();
    assert_eq!(error.code, ErrorCode::WrongKey);
    object.keep(|state| state.ask(ask(2, 0), T)).unwrap();
    assert_eq!(object.state.seen.to_bytes().len(), 2 * SEEN_BYTES);
}

#[test]
fn plays_and_seconds_are_counted_once_and_say_nothing_of_the_buyer() {
    let mut object = Object::default();
    assert_eq!(object.state.just_began(T), None);
    for n in 1..=2 {
        object.open(n, T).unwrap();
    }
    for (n, window) in [(1, 0), (1, 1), (2, 0), (1, 1)] {
        object.ask(n, window, T).unwrap();
    }
    assert_eq!(object.state.just_began(T), Some(T + COUNT_EVERY_MS));
    let batch = object.state.send("random".into()).unwrap();
    assert_eq!((batch.plays, batch.seconds), (2, 40));
    // What comes meanwhile goes with the next one; the same is sent again until it has arrived.
    object.ask(1, 2, T).unwrap();
    assert_eq!(object.state.send("other".into()), Some(batch.clone()));
    object.state.sent(&batch);
    let next = object.state.send("next".into()).unwrap();
    assert_eq!((next.plays, next.seconds), (0, 10));
    object.state.sent(&batch);
    assert_eq!(object.state.send("x".into()), Some(next.clone()));
    object.state.sent(&next);
    assert_eq!(object.state.send("y".into()), None);
    let told = serde_json::to_string(&batch).unwrap();
    for part in [key(1).as_str(), session(1).as_str(), "pur_", "handle"] {
        assert!(!told.contains(part), "{told}");
    }
}

#[test]
fn a_first_window_comes_with_the_session_if_it_may_be_opened() {
    let mut object = Object::default();
    let mut open = |n: u8, window, path| {
        let open = Open {
            session: session(n),
            by: by(n, format!("open {n} {window}")),
            path,
            window: Some(window),
            source: source(T),
            asked_ms: T,
        };
        let opened = object.keep(|state| state.open(open, T)).unwrap();
        (opened.released, opened.allowance.released)
    };
    assert_eq!(open(1, 0, false), (true, 1));
    assert_eq!(open(2, 0, false), (true, 1));
    assert_eq!(open(3, WINDOWS, false), (false, 1));
    assert_eq!(open(4, 1, true), (false, 1));
    assert_eq!(open(5, 1, false), (true, 2));
    assert_eq!(open(6, 2, false), (true, 3));
    assert_eq!(open(7, 3, false), (false, 3));
    let counted = object.state.head.counted.as_ref().unwrap();
    assert_eq!((counted.plays, counted.seconds), (4, 40));
}

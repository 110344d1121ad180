//! Tests of who may have which bytes.

use super::*;
use crate::fake::{self, Fake, NOW_MS, block_on};

fn get(world: &Fake, n: u32) -> Result<Part> {
    let path = path(world, &world.token(|_| ()))?;
    let front = block_on(super::front(world, &path))?;
    block_on(part(world, &path, &front, n, Kind::Open))
}

#[test]
fn a_segment_comes_with_what_opens_it() {
    let world = Fake::default();
    let film = fake::film();
    for (n, length) in [(0, 40), (1, 100), (2, 200), (3, 50)] {
        let part = get(&world, n).unwrap();
        let opens = part.opens.unwrap();
        assert_eq!(opens.length, length);
        let bytes = &film[usize::try_from(part.from).unwrap()..usize::try_from(part.to).unwrap()];
        let plain = satchel_crypto::cobblestone::open(&opens.key, &opens.context, bytes).unwrap();
        assert_eq!(plain, vec![7; length as usize]);
        assert_eq!(
            satchel_crypto::hash::sha256_parts(&[&[0], bytes]),
            opens.leaf
        );
    }
    assert_eq!(get(&world, 4).unwrap_err().code, ErrorCode::NotFound);
    // Read once, and asked once for each of three windows.
    assert_eq!((world.looks.get(), world.asks.borrow().len()), (1, 3));
}

#[test]
fn nothing_is_looked_up_for_a_path_that_is_not_ours_or_has_ended() {
    let world = Fake::default();
    let code = |token: &str| path(&world, token).unwrap_err().code;
    let good = world.token(|_| ());
    for bad in ["", ".", "x.y", &good[1..], &format!("{good}A")] {
        assert_eq!(code(bad), ErrorCode::CapabilityInvalid, "{bad}");
    }
    let elsewhere = world.token(|path| path.aud = "https://else.example".into());
    assert_eq!(code(&elsewhere), ErrorCode::CapabilityElsewhere);
    let ended = world.token(|path| path.exp = NOW_MS / 1000);
    assert_eq!(code(&ended), ErrorCode::CapabilityExpired);
    assert_eq!((world.looks.get(), world.asks.borrow().len()), (0, 0));
}

#[test]
fn a_path_for_another_file_gets_none() {
    let world = Fake::default();
    let other = satchel_domain::id::Digest::parse(&satchel_crypto::b64::encode(&[1; 32])).unwrap();
    let token = world.token(|path| path.manifest = other);
    let path = path(&world, &token).unwrap();
    let error = block_on(super::front(&world, &path)).unwrap_err();
    assert_eq!(error.code, ErrorCode::NotReady);
    assert!(world.asks.borrow().is_empty());
}

#[test]
fn what_is_remembered_is_asked_again_with_what_was_learnt() {
    let world = Fake::default();
    get(&world, 1).unwrap();
    get(&world, 1).unwrap();
    world.forget_keys();
    world.later_ms.set(20_000);
    get(&world, 1).unwrap();
    let asks = world.asks.borrow();
    let hints: Vec<_> = asks.iter().map(|ask| ask.read_ms).collect();
    assert_eq!(hints, [None, Some(NOW_MS)]);
}

#[test]
fn a_window_that_is_a_little_early_is_waited_for_and_a_longer_wait_is_told() {
    let world = Fake::default();
    world.refuses.set(Some((ErrorCode::WindowLimit, 2, 3)));
    get(&world, 2).unwrap();
    assert_eq!(world.waited_ms.get(), 6_000);
    world.forget_keys();
    world.refuses.set(Some((ErrorCode::WindowLimit, 9, 3)));
    let error = get(&world, 2).unwrap_err();
    assert_eq!(
        (error.code, error.retry_after_s),
        (ErrorCode::Unavailable, Some(3))
    );
    assert_eq!(world.waited_ms.get(), 12_000);
}

#[test]
fn takedown_refund_and_a_session_that_ended_are_told_as_they_are() {
    for code in [
        ErrorCode::WorkTakenDown,
        ErrorCode::SessionEnded,
        ErrorCode::WrongKey,
    ] {
        let world = Fake::default();
        world.refuses.set(Some((code, 1, 0)));
        assert_eq!(get(&world, 1).unwrap_err().code, code);
        // Nothing of it is remembered.
        assert!(get(&world, 1).is_ok());
    }
}

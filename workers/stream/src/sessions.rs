//! Sessions and window keys: who may play, and the key of one window after another.

use satchel_crypto::{b32, b64};
use satchel_domain::{
    id::{SessionId, Thumbprint},
    terms::Use,
    work::WorkState,
};
use satchel_format::{WindowRoot, WorkId, header};
use satchel_wire::{
    ErrorCode, Result,
    api::{SessionOut, WindowOut},
    capability::{CAPABILITY_LIFE_S, Capability},
    internal::{Entitlement, WRAP_ROOT, wrap_aad},
    proof::Proven,
    receipt::Receipt,
};

use crate::{
    playback::{Ask, By, Open, Opened, Release, Source, ended},
    receipts::Handle,
    world::World,
};

/// An entitlement read longer ago than this is read again before the object is asked, which
/// insists a little later: so one question to it is enough.
const READ_AGAIN_MS: u64 = 18_000;

/// `POST /v1/sessions`: opens a session for the purchase behind a verified receipt.
pub(crate) async fn open(
    world: &impl World,
    receipt: &Receipt,
    handle: &Handle,
    proven: Proven,
    first: Option<u32>,
) -> Result<SessionOut> {
    let key = proven.key.clone();
    let (entitlement, source) = entitled(world, receipt, handle, &proven).await?;
    drop(entitlement);
    let wish = Wish {
        path: false,
        window: first,
    };
    let (session, opened) = begin(world, handle, proven, wish, source.clone()).await?;
    let (capability, expires) = issue(world, &session, handle, key, &source)?;
    let released = first.filter(|_| opened.released);
    let key = released
        .map(|window| window_key(world, &source, window))
        .transpose()?;
    Ok(SessionOut {
        session,
        capability,
        expires,
        windows: source.windows,
        window_ms: source.window_ms,
        allowance: opened.allowance,
        key,
    })
}

/// What is asked of a new session.
pub(crate) struct Wish {
    /// Windows are asked for by a path.
    pub(crate) path: bool,
    /// The first window, at once.
    pub(crate) window: Option<u32>,
}

/// What the purchase behind a receipt entitles to, if it is the proven key's and may be streamed.
pub(crate) async fn entitled(
    world: &impl World,
    receipt: &Receipt,
    handle: &Handle,
    proven: &Proven,
) -> Result<(Entitlement, Source)> {
    same_key(&proven.key, &receipt.cnf.jkt)?;
    // The time before the question: the answer may be as old as that.
    let read_ms = world.now_ms();
    let entitlement = world.entitlement(handle).await?;
    let source = source(&entitlement, read_ms)?;
    // Receipts prove, the entitlement decides: what it is for must be what the receipt says.
    if source.work != receipt.work || source.version != receipt.version {
        return Err(ErrorCode::NotEntitled.into());
    }
    Ok((entitlement, source))
}

/// Begins a session.
pub(crate) async fn begin(
    world: &impl World,
    handle: &Handle,
    proven: Proven,
    wish: Wish,
    source: Source,
) -> Result<(SessionId, Opened)> {
    let name = format!("{}{}", SessionId::PREFIX, b32::encode(&world.random()?));
    let session = SessionId::parse(&name).map_err(|_| ErrorCode::Internal)?;
    let open = Open {
        session: session.clone(),
        by: By {
            key: proven.key,
            proof: proven.jti,
        },
        path: wish.path,
        window: wish.window,
        source,
        asked_ms: world.now_ms(),
    };
    let opened = world.open(handle, &open).await?;
    Ok((session, opened))
}

/// Reads the capability of a request for a window of `session`.
pub(crate) fn capability(
    world: &impl World,
    token: &str,
    session: &SessionId,
) -> Result<(Capability, Handle)> {
    let now_s = seconds(world.now_ms());
    let key = world.capability_key()?;
    let capability = Capability::verify(token, &key, world.issuer(), session, now_s)?;
    let handle = Handle::parse(&capability.handle).ok_or(ErrorCode::CapabilityInvalid)?;
    Ok((capability, handle))
}

/// `POST /v1/sessions/{session}/windows/{n}`: the key of one window, and the next capability.
pub(crate) async fn window(
    world: &impl World,
    capability: Capability,
    handle: &Handle,
    proven: Proven,
    window: u32,
) -> Result<WindowOut> {
    same_key(&proven.key, &capability.jkt)?;
    let key = proven.key.clone();
    let ask = Ask {
        session: capability.session.clone(),
        by: Some(By {
            key: proven.key,
            proof: proven.jti,
        }),
        window,
        fresh: None,
        asked_ms: world.now_ms(),
    };
    let Release { source, allowance } = release(world, handle, ask, capability.read_ms).await?;
    let opened = window_key(world, &source, window)?;
    // As this worker's clock says: the object's may differ, and insists by itself.
    let (capability, expires) = issue(world, &capability.session, handle, key, &source)?;
    Ok(WindowOut {
        window,
        key: opened,
        capability,
        expires,
        allowance,
    })
}

/// Asks the object for a window, with the entitlement read again where it was read (`read_ms`) long ago.
pub(crate) async fn release(
    world: &impl World,
    handle: &Handle,
    mut ask: Ask,
    read_ms: u64,
) -> Result<Release> {
    if world.now_ms().saturating_sub(read_ms) >= READ_AGAIN_MS {
        ask.fresh = Some(read_again(world, handle).await?);
        ask.asked_ms = world.now_ms();
    }
    let mut answer = world.ask(handle, &ask).await?;
    if answer.is_none() {
        ask.fresh = Some(read_again(world, handle).await?);
        ask.asked_ms = world.now_ms();
        answer = world.ask(handle, &ask).await?;
    }
    answer.ok_or_else(|| ErrorCode::Unavailable.into())
}

fn same_key(proven: &Thumbprint, bound: &Thumbprint) -> Result<()> {
    if proven == bound {
        Ok(())
    } else {
        Err(ErrorCode::WrongKey.into())
    }
}

pub(crate) fn seconds(ms: u64) -> u64 {
    ms.checked_div(1000).unwrap_or_default()
}

/// Reads the entitlement for a session that is under way: a purchase that no longer stands ends it.
async fn read_again(world: &impl World, handle: &Handle) -> Result<Source> {
    let read_ms = world.now_ms();
    let read = world.entitlement(handle).await;
    let source = read.and_then(|entitlement| source(&entitlement, read_ms));
    source.map_err(|error| match error.code {
        ErrorCode::NotEntitled => ended("purchase_ended"),
        _ => error,
    })
}

fn source(entitlement: &Entitlement, read_ms: u64) -> Result<Source> {
    if !entitlement.active {
        return Err(ErrorCode::NotEntitled.into());
    }
    if entitlement.state == WorkState::TakenDown {
        return Err(ErrorCode::WorkTakenDown.into());
    }
    if entitlement.usage != Use::Stream {
        return Err(ErrorCode::NotStreaming.into());
    }
    let keys = &entitlement.keys;
    Ok(Source {
        work: entitlement.work.clone(),
        version: entitlement.version,
        wrapped_root: keys.wrapped_root.clone().ok_or(ErrorCode::NotReady)?,
        // Every window has a segment, so this is what the format allows.
        windows: keys.windows.min(header::MAX_SEGMENTS),
        window_ms: keys.window_ms,
        read_ms,
    })
}

fn issue(
    world: &impl World,
    session: &SessionId,
    handle: &Handle,
    jkt: Thumbprint,
    source: &Source,
) -> Result<(String, u64)> {
    let exp = seconds(world.now_ms()).saturating_add(CAPABILITY_LIFE_S);
    let capability = Capability {
        aud: world.issuer().to_owned(),
        session: session.clone(),
        handle: handle.as_str().to_owned(),
        work: source.work.clone(),
        version: source.version,
        jkt,
        read_ms: source.read_ms,
        exp,
    };
    Ok((capability.issue(&world.capability_key()?)?, exp))
}

/// Derives the key of one window. The window root leaves this function no more than the content
/// key ever enters this worker.
pub(crate) fn window_key(world: &impl World, source: &Source, window: u32) -> Result<String> {
    let work = WorkId::parse(source.work.as_str())
        .map_err(|_| world.fault("a work id the format does not know"))?;
    let bound_to = wrap_aad(WRAP_ROOT, &source.work, source.version);
    let root = world
        .wrapping_keys()?
        .unwrap(&source.wrapped_root, &bound_to);
    let root = root.map_err(|_| world.fault("a window root does not unwrap"))?;
    let key = WindowRoot::from_key(root).window_key(&work, window);
    Ok(b64::encode(key.key().as_bytes()))
}

#[cfg(test)]
mod tests {
    use satchel_domain::allowance::Allowance;

    use super::*;
    use crate::fake::{self, Fake, NOW_MS, block_on};

    fn begin(world: &Fake) -> Result<SessionOut> {
        let (receipt, handle) = fake::purchase();
        block_on(open(world, &receipt, &handle, world.proven(1), None))
    }

    fn next(world: &Fake, token: &str, session: &SessionId, n: u32) -> Result<WindowOut> {
        let (capability, handle) = capability(world, token, session)?;
        block_on(window(world, capability, &handle, world.proven(1), n))
    }

    #[test]
    fn a_session_opens_one_window_after_another() {
        let world = Fake::default();
        let mut opened = begin(&world).unwrap();
        assert_eq!(opened.expires, NOW_MS / 1000 + 20);
        assert_eq!((opened.windows, opened.window_ms), (10, 10_000));
        assert_eq!(opened.allowance, Allowance::at(0, 10_000, 0));
        for n in 0..10 {
            world.at(NOW_MS + u64::from(n) * 10_000);
            let out = next(&world, &opened.capability, &opened.session, n).unwrap();
            assert_eq!(out.key, fake::window_key(n));
            assert_eq!(out.expires, world.now_ms() / 1000 + 20);
            opened.capability = out.capability;
        }
    }

    #[test]
    fn a_session_may_bring_its_first_window_with_it() {
        let world = Fake::default();
        let (receipt, handle) = fake::purchase();
        let begin =
            |window| block_on(open(&world, &receipt, &handle, world.proven(1), window)).unwrap();
        assert_eq!(begin(None).key, None);
        assert_eq!(begin(Some(4)).key, Some(fake::window_key(4)));
        assert_eq!(begin(Some(10)).key, None);
        assert_eq!(world.asks(), 0);
    }

    #[test]
    fn one_question_to_the_object_is_enough_and_the_entitlement_is_read_in_time() {
        let world = Fake::default();
        let mut opened = begin(&world).unwrap();
        assert_eq!((world.reads(), world.asks()), (1, 0));
        for n in 0..10 {
            world.at(NOW_MS + u64::from(n) * 10_000);
            let out = next(&world, &opened.capability, &opened.session, n).unwrap();
            opened.capability = out.capability;
        }
        // Read when opened, and at 20, 40, 60 and 80 seconds.
        assert_eq!((world.reads(), world.asks()), (5, 10));
    }

    #[test]
    fn an_object_with_an_older_copy_is_asked_again() {
        let world = Fake::default();
        let opened = begin(&world).unwrap();
        let key = world.capability_key().unwrap();
        // A capability that promises more than the object knows.
        let (mut promise, _) = capability(&world, &opened.capability, &opened.session).unwrap();
        (promise.read_ms, promise.exp) = (NOW_MS + 21_000, NOW_MS / 1000 + 30);
        world.at(NOW_MS + 21_000);
        let token = promise.issue(&key).unwrap();
        next(&world, &token, &opened.session, 0).unwrap();
        assert_eq!((world.reads(), world.asks()), (2, 2));
    }

    #[test]
    fn nothing_is_released_after_a_takedown_or_refund_was_read() {
        for (change, at_start, under_way) in [
            (
                fake::taken_down as fn(&mut Entitlement),
                ErrorCode::WorkTakenDown,
                ErrorCode::WorkTakenDown,
            ),
            (
                fake::refunded,
                ErrorCode::NotEntitled,
                ErrorCode::SessionEnded,
            ),
        ] {
            let world = Fake::default();
            let opened = begin(&world).unwrap();
            world.change(change);
            assert_eq!(begin(&world).unwrap_err().code, at_start);
            // Until the copy is 20 seconds old it still opens windows; never longer.
            world.at(NOW_MS + 17_999);
            let out = next(&world, &opened.capability, &opened.session, 0).unwrap();
            for late in [18_000, 20_001, 36_999] {
                world.at(NOW_MS + late);
                let error = next(&world, &out.capability, &opened.session, 1).unwrap_err();
                assert_eq!(error.code, under_way, "{late}");
            }
        }
    }

    #[test]
    fn only_stream_works_are_streamed() {
        let world = Fake::default();
        world.change(|e| e.usage = Use::Download);
        assert_eq!(begin(&world).unwrap_err().code, ErrorCode::NotStreaming);
        let world = Fake::default();
        world.change(|e| e.keys.wrapped_root = None);
        assert_eq!(begin(&world).unwrap_err().code, ErrorCode::NotReady);
    }

    #[test]
    fn a_purchase_of_something_else_entitles_to_nothing() {
        let world = Fake::default();
        let (receipt, handle) = fake::purchase();
        let work = satchel_domain::id::WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap();
        for other in [
            Receipt {
                work,
                ..receipt.clone()
            },
            Receipt {
                version: 2,
                ..receipt
            },
        ] {
            let error = block_on(open(&world, &other, &handle, world.proven(1), None)).unwrap_err();
            assert_eq!(error.code, ErrorCode::NotEntitled);
        }
    }

    #[test]
    fn a_work_withdrawn_by_its_creator_still_plays_for_its_owners() {
        let world = Fake::default();
        world.change(|e| e.state = WorkState::Unpublished);
        assert!(begin(&world).is_ok());
    }

    #[test]
    fn another_key_opens_nothing() {
        let world = Fake::default();
        let (receipt, handle) = fake::purchase();
        let error = block_on(open(&world, &receipt, &handle, world.proven(2), None)).unwrap_err();
        assert_eq!(error.code, ErrorCode::WrongKey);
        let opened = begin(&world).unwrap();
        let (allowed, handle) = capability(&world, &opened.capability, &opened.session).unwrap();
        let error = block_on(window(&world, allowed, &handle, world.proven(2), 0)).unwrap_err();
        assert_eq!(error.code, ErrorCode::WrongKey);
        assert_eq!(world.asks(), 0);
    }

    #[test]
    fn a_capability_is_for_one_session_and_twenty_seconds() {
        let world = Fake::default();
        let (a, b) = (begin(&world).unwrap(), begin(&world).unwrap());
        assert_ne!(a.session, b.session);
        let code = |token: &str| capability(&world, token, &a.session).unwrap_err().code;
        assert_eq!(code(&b.capability), ErrorCode::CapabilityElsewhere);
        for bad in [
            "",
            ".",
            "x.y",
            &a.capability[1..],
            &format!("{}A", a.capability),
        ] {
            assert_eq!(code(bad), ErrorCode::CapabilityInvalid, "{bad}");
        }
        world.at(NOW_MS + 20_000);
        assert_eq!(code(&a.capability), ErrorCode::CapabilityExpired);
    }

    #[test]
    fn a_proof_works_once() {
        let world = Fake::default();
        let opened = begin(&world).unwrap();
        let (allowed, handle) = capability(&world, &opened.capability, &opened.session).unwrap();
        let proven = world.proven(1);
        block_on(window(&world, allowed.clone(), &handle, proven.clone(), 0)).unwrap();
        let error = block_on(window(&world, allowed, &handle, proven, 0)).unwrap_err();
        assert_eq!(error.code, ErrorCode::ProofReplayed);
    }

    #[test]
    fn a_root_wrapped_for_another_version_does_not_open() {
        let world = Fake::default();
        world.change(|e| e.keys.wrapped_root = Some(fake::root_of_version(2)));
        let opened = begin(&world).unwrap();
        let error = next(&world, &opened.capability, &opened.session, 0).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
    }

    #[test]
    fn no_answer_holds_the_root_or_the_content_key() {
        let world = Fake::default();
        let opened = begin(&world).unwrap();
        let out = next(&world, &opened.capability, &opened.session, 0).unwrap();
        let told = format!(
            "{}{}{}",
            serde_json::to_string(&opened).unwrap(),
            serde_json::to_string(&out).unwrap(),
            out.capability.split('.').map(decoded).collect::<String>(),
        );
        for secret in [fake::content_key(), fake::root_key()] {
            assert!(!told.contains(&b64::encode(secret.as_bytes())));
        }
        assert!(!told.contains("wrapped"));
    }

    fn decoded(part: &str) -> String {
        String::from_utf8_lossy(&b64::decode(part).unwrap()).into_owned()
    }
}

//! Sessions by path: edge-decrypted HLS for players that cannot prove anything, where the creator
//! allows it. The hls worker asks for their windows; pace, sessions and takedown are the purchase's.

use satchel_domain::terms::Use;
use satchel_wire::{
    ErrorCode, Result,
    api::HlsOut,
    capability::{HLS_GRACE_S, HlsCapability},
    internal::Entitlement,
    proof::Proven,
    receipt::Receipt,
    streaming::{PathKey, PathWindow},
};

use crate::{
    playback::Ask,
    receipts::Handle,
    sessions::{Wish, begin, entitled, release, seconds, window_key},
    world::World,
};

/// `POST /v1/hls`: a playlist's address for the purchase behind a receipt.
pub(crate) async fn open(
    world: &impl World,
    receipt: &Receipt,
    handle: &Handle,
    proven: Proven,
) -> Result<HlsOut> {
    let (entitlement, source) = entitled(world, receipt, handle, &proven).await?;
    allowed(&entitlement)?;
    let length_s = u64::from(source.windows).saturating_mul(seconds(source.window_ms));
    let (work, version) = (source.work.clone(), source.version);
    let wish = Wish {
        path: true,
        window: None,
    };
    let (session, opened) = begin(world, handle, proven, wish, source).await?;
    let now_s = seconds(world.now_ms());
    let capability = HlsCapability {
        aud: world.issuer().to_owned(),
        session: session.clone(),
        handle: handle.as_str().to_owned(),
        work,
        version,
        manifest: entitlement.keys.manifest_digest,
        exp: now_s.saturating_add(length_s).saturating_add(HLS_GRACE_S),
    };
    let token = capability.issue(&world.hls_key()?)?;
    Ok(HlsOut {
        session,
        url: format!("{}/hls/{token}/index.m3u8", world.issuer()),
        expires: capability.exp,
        allowance: opened.allowance,
    })
}

fn allowed(entitlement: &Entitlement) -> Result<()> {
    if entitlement.usage == Use::Stream && entitlement.hls == Some(true) {
        Ok(())
    } else {
        Err(ErrorCode::HlsNotAllowed.into())
    }
}

/// `POST /internal/windows`: the key of a window for the hls worker, which has verified the path.
pub(crate) async fn window(world: &impl World, asked: PathWindow) -> Result<PathKey> {
    let handle = Handle::parse(&asked.handle).ok_or(ErrorCode::CapabilityInvalid)?;
    let ask = Ask {
        session: asked.session,
        by: None,
        window: asked.window,
        fresh: None,
        asked_ms: world.now_ms(),
    };
    // Without a hint the object is asked first: it knows how old its copy is.
    let read_ms = asked.read_ms.unwrap_or_else(|| world.now_ms());
    let released = release(world, &handle, ask, read_ms).await?;
    Ok(PathKey {
        key: window_key(world, &released.source, asked.window)?,
        read_ms: released.source.read_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake, NOW_MS, block_on};

    fn begin(world: &Fake) -> Result<HlsOut> {
        let (receipt, handle) = fake::purchase();
        block_on(open(world, &receipt, &handle, world.proven(1)))
    }

    fn verified(world: &Fake, out: &HlsOut) -> HlsCapability {
        let token = out.url.split('/').nth(4).unwrap();
        let now_s = seconds(world.now_ms());
        HlsCapability::verify(token, &world.hls_key().unwrap(), world.issuer(), now_s).unwrap()
    }

    fn ask(
        world: &Fake,
        capability: &HlsCapability,
        window: u32,
        read_ms: Option<u64>,
    ) -> Result<PathKey> {
        let asked = PathWindow {
            session: capability.session.clone(),
            handle: capability.handle.clone(),
            window,
            read_ms,
        };
        block_on(super::window(world, asked))
    }

    #[test]
    fn a_path_is_given_out_only_where_the_creator_allows_it() {
        let world = Fake::default();
        assert_eq!(begin(&world).unwrap_err().code, ErrorCode::HlsNotAllowed);
        world.change(fake::hls_allowed);
        let out = begin(&world).unwrap();
        // Ten windows of ten seconds, and an hour.
        assert_eq!(out.expires, NOW_MS / 1000 + 100 + 3_600);
        let capability = verified(&world, &out);
        assert_eq!(capability.session, out.session);
        assert_eq!(
            ask(&world, &capability, 4, None).unwrap().key,
            fake::window_key(4)
        );
        let error = begin_as_another(&world);
        assert_eq!(error, ErrorCode::WrongKey);
    }

    fn begin_as_another(world: &Fake) -> ErrorCode {
        let (receipt, handle) = fake::purchase();
        block_on(open(world, &receipt, &handle, world.proven(2)))
            .unwrap_err()
            .code
    }

    #[test]
    fn a_path_has_the_pace_and_the_end_of_every_session() {
        let world = Fake::default();
        world.change(fake::hls_allowed);
        let capability = verified(&world, &begin(&world).unwrap());
        for window in 0..3 {
            ask(&world, &capability, window, None).unwrap();
        }
        let error = ask(&world, &capability, 3, None).unwrap_err();
        assert_eq!(
            (error.code, error.retry_after_s),
            (ErrorCode::WindowLimit, Some(5))
        );
        world.at(NOW_MS + 10_000);
        let read_ms = ask(&world, &capability, 3, None).unwrap().read_ms;
        // With the hint one question is enough, also when the copy is old.
        let asks = world.asks();
        world.at(NOW_MS + 19_000);
        ask(&world, &capability, 4, Some(read_ms)).unwrap();
        assert_eq!(world.asks(), asks + 1);
        world.change(fake::taken_down);
        world.at(NOW_MS + 40_000);
        assert_eq!(
            ask(&world, &capability, 4, None).unwrap_err().code,
            ErrorCode::WorkTakenDown
        );
        world.change(fake::refunded);
        let error = ask(&world, &capability, 4, None).unwrap_err();
        assert_eq!(error.code, ErrorCode::SessionEnded);
        assert_eq!(
            error.member("reason").cloned(),
            Some("purchase_ended".into())
        );
    }
}

//! Who may have which bytes: the path first, which costs no look-up; then the file's front and the
//! window's key, both remembered here for a while.

use std::rc::Rc;

use satchel_crypto::Key32;
use satchel_format::{Front as Reading, WindowKey, WorkId, keys::segment_context};
use satchel_wire::{
    ErrorCode, Result,
    capability::HlsCapability,
    streaming::{PathKey, PathWindow},
};

use crate::{Front, route::Kind, world::World};

/// Most headers are one unit of 16 KiB; longer ones cost a second look.
const FIRST_BYTES: u64 = 16_384;
/// The longest a request is held until its window may be opened, milliseconds. Players give up on an
/// answer after about ten seconds, and take a refusal for the end.
const MOST_WAIT_MS: u64 = 7_000;

/// The verified path of a request: before this nothing was looked up.
pub(crate) fn path(world: &impl World, token: &str) -> Result<HlsCapability> {
    let now_s = world.now_ms().checked_div(1000).unwrap_or_default();
    HlsCapability::verify(token, &world.hls_key()?, world.issuer(), now_s)
}

/// Where a path's packed file lies.
fn file(path: &HlsCapability) -> String {
    format!("/f/{}/{}.satchel", path.work, path.version)
}

/// The front of a path's file: the very one the purchase speaks of.
pub(crate) async fn front(world: &impl World, path: &HlsCapability) -> Result<Front> {
    let digest = path.manifest.as_str();
    if let Some(known) = world.known_front(digest) {
        return Ok(known);
    }
    let file = file(path);
    let mut bytes = world.beginning(&file, FIRST_BYTES).await?;
    let mut read = Reading::read(&bytes);
    if let Ok(Reading::Need(more)) = read {
        bytes = world.beginning(&file, more as u64).await?;
        read = Reading::read(&bytes);
    }
    let Ok(Reading::Ready(satchel)) = read else {
        return Err(ErrorCode::NotReady.into());
    };
    if satchel_crypto::b64::encode(satchel.signed().digest()) != digest {
        return Err(ErrorCode::NotReady.into());
    }
    let front: Front = Rc::from(satchel);
    world.remember_front(digest, &front);
    Ok(front)
}

/// A segment to send: where it lies, and what opens it.
#[derive(Debug)]
pub(crate) struct Part {
    /// The packed file.
    pub(crate) file: String,
    /// Its first byte there.
    pub(crate) from: u64,
    /// The byte after its last.
    pub(crate) to: u64,
    /// What opens it; nothing of one that is sent as it is stored.
    pub(crate) opens: Option<Opens>,
    /// Of the plaintext.
    pub(crate) media_type: String,
}

/// What opens a segment.
#[derive(Debug)]
pub(crate) struct Opens {
    /// The segment's key.
    pub(crate) key: Key32,
    /// Its context.
    pub(crate) context: Vec<u8>,
    /// Bytes of the plaintext.
    pub(crate) length: u32,
    /// SHA-256 of its ciphertext, as the creator signed it.
    pub(crate) leaf: [u8; 32],
}

/// Segment `n` for a path whose session may have it now.
pub(crate) async fn part(
    world: &impl World,
    path: &HlsCapability,
    front: &Front,
    n: u32,
    kind: Kind,
) -> Result<Part> {
    let segment = front.table().get(n).ok_or(ErrorCode::NotFound)?;
    let key = window(world, path, segment.window).await?;
    part_of(path, front, n, kind, key)
}

/// Segment `n`, with the key of its window.
pub(crate) fn part_of(
    path: &HlsCapability,
    front: &Front,
    n: u32,
    kind: Kind,
    key: Key32,
) -> Result<Part> {
    let table = front.table();
    let segment = table.get(n).ok_or(ErrorCode::NotFound)?;
    let leaf = table.leaf(n).ok_or(ErrorCode::NotFound)?;
    let range = front.segment_range(n).map_err(|_| ErrorCode::NotFound)?;
    let opens = match kind {
        Kind::Sealed => None,
        Kind::Open => {
            let work = WorkId::parse(path.work.as_str()).map_err(|_| ErrorCode::Internal)?;
            let key = WindowKey::from_key(key).segment_key(&work, n);
            Some(Opens {
                key: key.key().clone(),
                context: segment_context(&work, n),
                length: segment.plain_len,
                leaf: *leaf,
            })
        }
    };
    Ok(Part {
        file: file(path),
        from: range.start,
        to: range.end,
        opens,
        media_type: front.manifest().media_type.clone(),
    })
}

/// What a window's key is remembered as.
pub(crate) fn key_name(path: &HlsCapability, window: u32) -> String {
    format!("{}/{window}", path.session.as_str())
}

/// The key of a window: remembered, or asked for, with patience where it is a little early.
async fn window(world: &impl World, path: &HlsCapability, window: u32) -> Result<Key32> {
    let session = path.session.as_str();
    let name = key_name(path, window);
    if let Some(key) = world.known_key(&name) {
        return Ok(key);
    }
    let asked = PathWindow {
        session: path.session.clone(),
        handle: path.handle.clone(),
        window,
        read_ms: world.known_read(session),
    };
    let began = world.now_ms();
    let PathKey { key, read_ms } = loop {
        let refused = match world.window(&asked).await {
            Ok(given) => break given,
            Err(refused) => refused,
        };
        if refused.code != ErrorCode::WindowLimit {
            return Err(refused);
        }
        let wait_s = refused.retry_after_s.unwrap_or(1);
        let pause = wait_s.saturating_mul(1000);
        let held = world.now_ms().saturating_sub(began);
        if held.saturating_add(pause) > MOST_WAIT_MS {
            // Players try again after a 503, and give up after a 429.
            return Err(satchel_wire::ApiError::from(ErrorCode::Unavailable).retry_after(wait_s));
        }
        world.wait(pause).await;
    };
    let key = Key32::from_b64(&key).map_err(|_| ErrorCode::Internal)?;
    world.remember_read(session, read_ms);
    world.remember_key(&name, key.clone());
    Ok(key)
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;

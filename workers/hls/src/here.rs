//! The real [`World`]: this worker's bindings, secret and clock.

use std::cell::OnceCell;

use satchel_crypto::Key32;
use satchel_edge::{Env, Settings, TtlCache, now_ms, service};
use satchel_wire::{
    ErrorCode, Result,
    streaming::{PathKey, PathWindow},
};

use crate::{Front, open, world::World};

/// Fronts are immutable; an isolate has room for a few of at most 816 KiB.
const FRONTS: usize = 24;
const FRONT_LIFE_MS: u64 = 3_600_000;
/// A key that was given out is good for this long without asking again: with the 20 s that its
/// entitlement may be old it makes the promise of 45 s.
const KEY_LIFE_MS: u64 = 20_000;
const KEYS: usize = 2_000;

/// What can't change while an isolate lives.
struct Fixed {
    issuer: String,
    key: Key32,
}

thread_local! {
    static FIXED: OnceCell<Fixed> = const { OnceCell::new() };
    static KNOWN_FRONTS: TtlCache<Front> = TtlCache::new(FRONT_LIFE_MS, FRONTS);
    static KNOWN_KEYS: TtlCache<Key32> = TtlCache::new(KEY_LIFE_MS, KEYS);
    static KNOWN_READS: TtlCache<u64> = TtlCache::new(KEY_LIFE_MS, KEYS);
}

/// This worker, during one request.
pub(crate) struct Here<'a> {
    env: &'a Env,
    issuer: String,
    key: Key32,
}

impl<'a> Here<'a> {
    pub(crate) fn of(env: &'a Env) -> Result<Self> {
        FIXED.with(|fixed| {
            if fixed.get().is_none() {
                let settings = Settings::of(env);
                let read = Fixed {
                    issuer: settings.issuer()?,
                    key: settings.key("HLS_KEY")?,
                };
                let _ = fixed.set(read);
            }
            let fixed = fixed.get().ok_or(ErrorCode::Internal)?;
            Ok(Self {
                env,
                issuer: fixed.issuer.clone(),
                key: fixed.key.clone(),
            })
        })
    }
}

impl World for Here<'_> {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn hls_key(&self) -> Result<Key32> {
        Ok(self.key.clone())
    }

    async fn wait(&self, ms: u64) {
        open::wait(ms).await;
    }

    fn known_front(&self, digest: &str) -> Option<Front> {
        KNOWN_FRONTS.with(|known| known.get(digest, now_ms()))
    }

    fn remember_front(&self, digest: &str, front: &Front) {
        KNOWN_FRONTS.with(|known| known.put(digest, Front::clone(front), now_ms()));
    }

    async fn beginning(&self, path: &str, bytes: u64) -> Result<Vec<u8>> {
        let last = bytes.saturating_sub(1);
        let piece = service(self.env, "FILES")?.bytes(path, 0, last).await?;
        Ok(piece.ok_or(ErrorCode::NotReady)?.bytes)
    }

    fn known_key(&self, name: &str) -> Option<Key32> {
        KNOWN_KEYS.with(|known| known.get(name, now_ms()))
    }

    fn remember_key(&self, name: &str, key: Key32) {
        KNOWN_KEYS.with(|known| known.put(name, key, now_ms()));
    }

    fn known_read(&self, session: &str) -> Option<u64> {
        KNOWN_READS.with(|known| known.get(session, now_ms()))
    }

    fn remember_read(&self, session: &str, read_ms: u64) {
        KNOWN_READS.with(|known| known.put(session, read_ms, now_ms()));
    }

    async fn window(&self, asked: &PathWindow) -> Result<PathKey> {
        service(self.env, "STREAM")?
            .post("/internal/windows", asked)
            .await
    }
}

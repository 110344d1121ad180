//! The real [`World`]: this worker's bindings, secrets and clock.

use std::cell::RefCell;

use satchel_crypto::{Key32, wrap::Keyring};
use satchel_edge::{Env, Settings, internal, now_ms, object, random, service};
use satchel_wire::{ApiError, Result, internal::Entitlement, receipt::Jwks};

use crate::{
    playback::{Ask, Open, Opened, Release},
    receipts::{Handle, Keys},
    world::World,
};

thread_local! {
    /// Public keys only, and never trusted for longer than `receipts` says.
    static KEYS: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// This worker, during one request.
pub(crate) struct Here<'a> {
    env: &'a Env,
    issuer: String,
}

impl<'a> Here<'a> {
    pub(crate) fn of(env: &'a Env) -> Result<Self> {
        Ok(Self {
            env,
            issuer: Settings::of(env).issuer()?,
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

    fn random(&self) -> Result<[u8; 20]> {
        random()
    }

    fn capability_key(&self) -> Result<Key32> {
        Settings::of(self.env).key("CAPABILITY_KEY")
    }

    fn hls_key(&self) -> Result<Key32> {
        Settings::of(self.env).key("HLS_KEY")
    }

    fn wrapping_keys(&self) -> Result<Keyring> {
        Settings::of(self.env).keyring("STREAM_WRAPPING_KEYS")
    }

    fn fault(&self, what: &'static str) -> ApiError {
        internal(what)
    }

    fn known_keys(&self) -> Option<Keys> {
        KEYS.with_borrow(Clone::clone)
    }

    fn remember_keys(&self, keys: Keys) {
        KEYS.set(Some(keys));
    }

    async fn fetch_keys(&self) -> Result<Jwks> {
        service(self.env, "PURCHASE")?
            .get("/.well-known/jwks.json")
            .await
    }

    async fn entitlement(&self, handle: &Handle) -> Result<Entitlement> {
        let path = format!("/internal/entitlements/{}", handle.as_str());
        service(self.env, "LEDGER")?.get(&path).await
    }

    async fn open(&self, handle: &Handle, open: &Open) -> Result<Opened> {
        object(self.env, "PLAYBACK", handle.as_str())?
            .post("/open", open)
            .await
    }

    async fn ask(&self, handle: &Handle, ask: &Ask) -> Result<Option<Release>> {
        object(self.env, "PLAYBACK", handle.as_str())?
            .post("/ask", ask)
            .await
    }
}

//! What the use cases need from outside. The real one is [`crate::here::Here`]; tests have one in
//! memory.

use satchel_crypto::{Key32, wrap::Keyring};
use satchel_wire::{ApiError, Result, internal::Entitlement, receipt::Jwks};

use crate::{
    playback::{Ask, Open, Opened, Release},
    receipts::{Handle, Keys},
};

/// Clock, randomness, secrets, the ledger, the issuer's keys, the playback objects.
pub(crate) trait World {
    /// The public origin.
    fn issuer(&self) -> &str;
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// Fresh randomness for an id.
    fn random(&self) -> Result<[u8; 20]>;
    /// What capabilities are authenticated with.
    fn capability_key(&self) -> Result<Key32>;
    /// What paths of edge-decrypted HLS are authenticated with; the hls worker holds it too.
    fn hls_key(&self) -> Result<Key32>;
    /// What window roots are wrapped with.
    fn wrapping_keys(&self) -> Result<Keyring>;
    /// Something is wrong with us, not with the request: logged.
    fn fault(&self, what: &'static str) -> ApiError;

    /// The issuer's keys, if they were fetched before.
    fn known_keys(&self) -> Option<Keys>;
    /// Keeps them for the next requests.
    fn remember_keys(&self, keys: Keys);
    /// Fetches them.
    async fn fetch_keys(&self) -> Result<Jwks>;

    /// What a purchase entitles to, read now.
    async fn entitlement(&self, handle: &Handle) -> Result<Entitlement>;
    /// Begins a session.
    async fn open(&self, handle: &Handle, open: &Open) -> Result<Opened>;
    /// Asks for a window.
    async fn ask(&self, handle: &Handle, ask: &Ask) -> Result<Option<Release>>;
}

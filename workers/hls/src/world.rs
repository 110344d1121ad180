//! What the use cases need from outside. The real one is [`crate::here::Here`]; tests have one in
//! memory.

use satchel_crypto::Key32;
use satchel_wire::{
    Result,
    streaming::{PathKey, PathWindow},
};

use crate::Front;

/// Clock, secrets, memory of this isolate, packed bytes, the keys of windows.
pub(crate) trait World {
    /// The public origin.
    fn issuer(&self) -> &str;
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// What paths are authenticated with.
    fn hls_key(&self) -> Result<Key32>;
    /// Lets time pass.
    async fn wait(&self, ms: u64);

    /// A file's front, if it was read before.
    fn known_front(&self, digest: &str) -> Option<Front>;
    /// Keeps it for the next requests.
    fn remember_front(&self, digest: &str, front: &Front);
    /// The first bytes of a packed file.
    async fn beginning(&self, path: &str, bytes: u64) -> Result<Vec<u8>>;

    /// A window's key, if it was given out for this session lately.
    fn known_key(&self, name: &str) -> Option<Key32>;
    /// Keeps it.
    fn remember_key(&self, name: &str, key: Key32);
    /// When this session's entitlement was last read, as far as is known here.
    fn known_read(&self, session: &str) -> Option<u64>;
    /// Keeps that.
    fn remember_read(&self, session: &str, read_ms: u64);
    /// Asks for a window.
    async fn window(&self, asked: &PathWindow) -> Result<PathKey>;
}

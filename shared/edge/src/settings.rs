//! Variables and secrets of a worker. A missing one is our fault, answered `internal`, its name
//! logged and never its value.

use satchel_crypto::{
    Key32,
    ed25519::{PublicKey, SigningKey},
    wrap::Keyring,
};
use satchel_wire::Result;
use worker::Env;

use crate::internal;

/// Reads a worker's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a Env);

impl<'a> Settings<'a> {
    /// Of this worker.
    #[must_use]
    pub fn of(env: &'a Env) -> Self {
        Self(env)
    }

    /// A variable that must be there.
    pub fn var(&self, name: &str) -> Result<String> {
        self.optional(name)
            .ok_or_else(|| internal(format!("{name} is not configured")))
    }

    /// A variable that may be missing.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.0
            .var(name)
            .ok()
            .map(|value| value.to_string())
            .filter(|value| !value.is_empty())
    }

    /// The public origin.
    pub fn issuer(&self) -> Result<String> {
        self.var("ISSUER")
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<u64> {
        self.var(name)?
            .parse()
            .map_err(|_| internal(format!("{name} is not a number")))
    }

    /// A 32-byte secret, base64url.
    pub fn key(&self, name: &str) -> Result<Key32> {
        Key32::from_b64(&self.var(name)?).map_err(|_| internal(format!("{name} is not a key")))
    }

    /// Versioned keys, `VERSION:KEY[,…]`.
    pub fn keyring(&self, name: &str) -> Result<Keyring> {
        Keyring::parse(&self.var(name)?).map_err(|_| internal(format!("{name} is not a keyring")))
    }

    /// An Ed25519 public key, base64url.
    pub fn public_key(&self, name: &str) -> Result<PublicKey> {
        PublicKey::from_b64(&self.var(name)?)
            .map_err(|_| internal(format!("{name} is not a public key")))
    }

    /// The current signing key of a keyring, with its version as name.
    pub fn signing_key(&self, name: &str) -> Result<(String, SigningKey)> {
        let ring = self.keyring(name)?;
        let (version, seed) = ring
            .current()
            .ok_or_else(|| internal(format!("{name} is empty")))?;
        Ok((version.to_string(), SigningKey::from_seed(seed)))
    }
}

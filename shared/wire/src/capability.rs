//! Capabilities of streaming sessions: bound to one session, one purchase, one key, some seconds.

use satchel_crypto::Key32;
use satchel_domain::id::{Digest, SessionId, Thumbprint, WorkId};
use serde::Serialize;

use crate::{
    ErrorCode, Result,
    quote::{issue_token, verify_token},
};

/// Life of a capability, seconds.
pub const CAPABILITY_LIFE_S: u64 = 20;
const MAX_TOKEN_BYTES: usize = 2048;
const PURPOSE: &[u8] = b"satchel/v1 capability\0";
const HLS_PURPOSE: &[u8] = b"satchel/v1 hls capability\0";
/// How long an HLS path outlives the work's duration, seconds: players pause, and never load a
/// playlist of a finished work again.
pub const HLS_GRACE_S: u64 = 3_600;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// The issuer.
    pub aud: String,
    /// The session, which is in the path.
    pub session: SessionId,
    /// The purchase, opaque.
    pub handle: String,
    /// The work.
    pub work: WorkId,
    /// Its version.
    pub version: u32,
    /// The key that must prove possession.
    pub jkt: Thumbprint,
    /// When the entitlement was last read, Unix milliseconds: tells the worker to read it again
    /// before it asks the playback object, which insists.
    pub read_ms: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(Capability {
    aud,
    session,
    handle,
    work,
    version,
    jkt,
    read_ms,
    exp
});

impl Capability {
    /// The token.
    pub fn issue(&self, key: &Key32) -> Result<String> {
        issue_token(key, PURPOSE, self)
    }

    /// Reads a token for `session`.
    pub fn verify(
        token: &str,
        key: &Key32,
        issuer: &str,
        session: &SessionId,
        now_s: u64,
    ) -> Result<Self> {
        let capability: Self = verify_token(key, PURPOSE, token, MAX_TOKEN_BYTES)
            .ok_or(ErrorCode::CapabilityInvalid)?;
        if capability.aud != issuer || capability.session != *session {
            return Err(ErrorCode::CapabilityElsewhere.into());
        }
        if now_s >= capability.exp {
            return Err(ErrorCode::CapabilityExpired.into());
        }
        Ok(capability)
    }
}

/// What a path of edge-decrypted HLS says: one session of one purchase, one file. Its life is the
/// work's duration and an hour; whether the session still stands is asked for each window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HlsCapability {
    /// The issuer.
    pub aud: String,
    /// The session.
    pub session: SessionId,
    /// The purchase, opaque.
    pub handle: String,
    /// The work.
    pub work: WorkId,
    /// Its version.
    pub version: u32,
    /// Its manifest.
    pub manifest: Digest,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(HlsCapability {
    aud,
    session,
    handle,
    work,
    version,
    manifest,
    exp
});

impl HlsCapability {
    /// The token.
    pub fn issue(&self, key: &Key32) -> Result<String> {
        issue_token(key, HLS_PURPOSE, self)
    }

    /// Reads the token of a path.
    pub fn verify(token: &str, key: &Key32, issuer: &str, now_s: u64) -> Result<Self> {
        let capability: Self = verify_token(key, HLS_PURPOSE, token, MAX_TOKEN_BYTES)
            .ok_or(ErrorCode::CapabilityInvalid)?;
        if capability.aud != issuer {
            return Err(ErrorCode::CapabilityElsewhere.into());
        }
        if now_s >= capability.exp {
            return Err(ErrorCode::CapabilityExpired.into());
        }
        Ok(capability)
    }
}

#[cfg(test)]
#[path = "capability_tests.rs"]
mod tests;

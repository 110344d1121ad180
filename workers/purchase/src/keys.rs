//! Taking content keys in: checked against the manifest, wrapped, never kept in the clear. Pure.

use satchel_crypto::{
    Key32,
    wrap::{Keyring, NONCE_BYTES},
};
use satchel_domain::{
    id::{Digest, WorkId},
    terms::Use,
};
use satchel_format::{keys::ContentKey, manifest::SignedManifest};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    command::{Command, Intake},
    internal::{VersionKeys, WRAP_CONTENT, WRAP_ROOT, wrap_aad},
};

/// Presentation time of a window, milliseconds (docs/FORMAT.md §2).
pub const WINDOW_MS: u64 = 10_000;
/// What counts as the length of a window of anything without a duration, milliseconds: a window is a
/// MiB of a document or picture, and nobody waits ten seconds for a page.
pub const UNTIMED_WINDOW_MS: u64 = 1_000;

/// Wrapping keys and fresh nonces.
#[derive(Debug)]
pub struct Wrapping<'a> {
    /// For content keys.
    pub content: &'a Keyring,
    /// For window roots; the stream worker holds the same.
    pub stream: &'a Keyring,
    /// Random, for the content key.
    pub content_nonce: [u8; NONCE_BYTES],
    /// Random, for the window root.
    pub root_nonce: [u8; NONCE_BYTES],
}

/// Checks a verified intake command against its manifest and wraps its key.
pub fn take_in(
    command: &Command<Intake>,
    issuer: &str,
    wrapping: &Wrapping<'_>,
) -> Result<VersionKeys> {
    let malformed = |what: &str| ApiError::new(ErrorCode::Malformed, what);
    let signed = SignedManifest::verify(&command.body.manifest)
        .map_err(|error| malformed(&format!("manifest: {error}")))?;
    let manifest = signed.manifest();
    if manifest.creator.0 != command.creator.key()?
        || manifest.work.as_str() != command.work.as_str()
        || manifest.version != u64::from(command.body.version)
        || manifest.issuer.as_str() != issuer
    {
        return Err(malformed(
            "the manifest is of another work, version, creator or issuer",
        ));
    }
    let key = ContentKey::from_key(command.body.key()?);
    key.check(&manifest.work, &manifest.key_commitment.0)
        .map_err(|_| malformed("the key is not the one the manifest commits to"))?;
    let wrap = |ring: &Keyring, secret: &Key32, purpose: &str, nonce| {
        ring.wrap(
            secret,
            &wrap_aad(purpose, &command.work, command.body.version),
            nonce,
        )
        .map_err(|_| ApiError::from(ErrorCode::Internal))
    };
    let streamed = manifest.terms.usage.as_str() == Use::Stream.as_str();
    let root = key.window_root(&manifest.work);
    let wrapped_root = streamed
        .then(|| wrap(wrapping.stream, root.key(), WRAP_ROOT, wrapping.root_nonce))
        .transpose()?;
    Ok(VersionKeys {
        version: command.body.version,
        manifest_digest: digest(signed.digest())?,
        wrapped_key: wrap(
            wrapping.content,
            key.key(),
            WRAP_CONTENT,
            wrapping.content_nonce,
        )?,
        wrapped_root,
        windows: windows(manifest.duration_ms, manifest.segments),
        window_ms: manifest
            .duration_ms
            .map_or(UNTIMED_WINDOW_MS, |_| WINDOW_MS),
    })
}

/// At most how many windows a work has: one for each 10 s begun of media and one for its head, and
/// never more than segments.
fn windows(duration_ms: Option<u64>, segments: u64) -> u32 {
    let timed = duration_ms.map_or(segments, |ms| ms.div_ceil(WINDOW_MS).saturating_add(1));
    u32::try_from(timed.min(segments)).unwrap_or(u32::MAX)
}

fn digest(bytes: &[u8]) -> Result<Digest> {
    Digest::parse(&satchel_crypto::b64::encode(bytes)).map_err(|_| ErrorCode::Internal.into())
}

/// Opens a wrapped content key for release.
pub fn release(ring: &Keyring, keys: &VersionKeys, work: &WorkId) -> Result<Key32> {
    ring.unwrap(
        &keys.wrapped_key,
        &wrap_aad(WRAP_CONTENT, work, keys.version),
    )
    .map_err(|_| ErrorCode::Internal.into())
}

//! Works: registering them, showing their record, putting a version on sale.

use satchel_crypto::b64;
use satchel_domain::{
    id::{Digest, Thumbprint, WorkId},
    terms::{Terms, Use},
};
use satchel_edge::{Piece, Platform};
use satchel_format::{FormatError, Layout, Manifest, SignedManifest, header, manifest};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Record, VersionRecord},
    command::{self, Command, Publish, Register},
    internal::{PublishWork, RegisterWork, Registered},
};

use crate::{uploads::object_key, world::World};

/// `POST /v1/works`.
pub(crate) async fn register(world: &impl World, token: &str) -> Result<Registered> {
    let command =
        command::verify::<Register>(&Platform, token, world.issuer(), world.now_s()).await?;
    let Register {
        title,
        media_type,
        terms,
        payee,
    } = command.body;
    command::check_text(&title, &media_type)?;
    check_terms(&terms)?;
    let details = RegisterWork {
        creator: command.creator,
        title,
        media_type,
        terms,
        payee,
    };
    world.register(&command.work, &details).await
}

/// `GET /v1/works/{work}`.
pub(crate) async fn record(world: &impl World, work: &WorkId) -> Result<Record> {
    Ok(world.snapshot(work).await?.record)
}

/// `POST /v1/works/{work}/publish`. The ledger refuses where the key was not taken in.
pub(crate) async fn publish(world: &impl World, work: &WorkId, token: &str) -> Result<Record> {
    let command =
        command::verify::<Publish>(&Platform, token, world.issuer(), world.now_s()).await?;
    if command.work != *work {
        return Err(malformed("the command is for another work"));
    }
    check_terms(&command.body.terms)?;
    let signed = SignedManifest::verify(&command.body.manifest).map_err(format_error)?;
    check_manifest(signed.manifest(), &command, world.issuer())?;
    let key = object_key(work, command.body.version);
    let last = last_manifest_byte(&signed);
    let front = world.packed(&key, last).await?.ok_or(ErrorCode::NotReady)?;
    check_front(&front, &signed)?;
    let version = version_record(
        &signed,
        &command,
        format!("{}/f/{key}", world.issuer()),
        &front,
    )?;
    let title = signed.manifest().title.clone();
    world
        .publish(
            work,
            &PublishWork {
                version,
                title,
                terms: command.body.terms,
            },
        )
        .await
}

fn malformed(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Malformed, what)
}

fn not_ready(what: &str) -> ApiError {
    ApiError::new(ErrorCode::NotReady, what)
}

fn check_terms(terms: &Terms) -> Result<()> {
    terms
        .check()
        .map_err(|_| malformed("prices go from $0.0001 to $10,000"))
}

fn format_error(error: FormatError) -> ApiError {
    let code = match error {
        FormatError::Signature => ErrorCode::BadSignature,
        FormatError::WorkId => ErrorCode::WrongKey,
        _ => ErrorCode::Malformed,
    };
    ApiError::new(code, format!("manifest: {error}"))
}

/// Whether the manifest is for what the command says, by the same creator.
fn check_manifest(manifest: &Manifest, command: &Command<Publish>, issuer: &str) -> Result<()> {
    if manifest.creator.0 != command.creator.key()?
        || manifest.work.as_str() != command.work.as_str()
    {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "the manifest is another creator's or work's",
        ));
    }
    if manifest.issuer.as_str() != issuer {
        return Err(ApiError::new(
            ErrorCode::BadSignature,
            "packed for another issuer",
        ));
    }
    if manifest.version != u64::from(command.body.version) {
        return Err(malformed("the manifest is of another version"));
    }
    if usage(manifest.terms.usage) != command.body.terms.usage {
        return Err(malformed(
            "packed for another use: pack it again as a new version",
        ));
    }
    // The manifest's own limits are a little wider than what pages and headers can show.
    command::check_text(&manifest.title, &manifest.media_type)
}

fn usage(usage: manifest::Use) -> Use {
    match usage {
        manifest::Use::Download => Use::Download,
        manifest::Use::Stream => Use::Stream,
    }
}

/// Where the manifest ends in the packed file.
fn last_manifest_byte(signed: &SignedManifest) -> u64 {
    let end = header::FIXED_BYTES.saturating_add(signed.token().len());
    u64::try_from(end).unwrap_or(u64::MAX).saturating_sub(1)
}

/// Whether the stored file begins with this manifest and is as long as that says.
fn check_front(front: &Piece, signed: &SignedManifest) -> Result<()> {
    let manifest = signed.manifest();
    let layout = Layout::parse(&front.bytes).map_err(|_| not_ready("stored bytes: no satchel"))?;
    let stored = front.bytes.get(header::FIXED_BYTES..).unwrap_or_default();
    if stored != signed.token().as_bytes()
        || usize::try_from(layout.manifest_len()).ok() != Some(signed.token().len())
    {
        return Err(not_ready("stored bytes: another manifest"));
    }
    let size = layout.body_start().saturating_add(manifest.body_size);
    let fits = front.total == size
        && u64::from(layout.segments()) == manifest.segments
        && (layout.preview_len() > 0) == manifest.preview_digest.is_some();
    if fits {
        Ok(())
    } else {
        Err(not_ready("stored bytes: cut short or added to"))
    }
}

fn version_record(
    signed: &SignedManifest,
    command: &Command<Publish>,
    url: String,
    front: &Piece,
) -> Result<VersionRecord> {
    let manifest = signed.manifest();
    let internal = |_| ErrorCode::Internal;
    Ok(VersionRecord {
        version: command.body.version,
        manifest_digest: Digest::parse(&b64::encode(signed.digest())).map_err(internal)?,
        size: front.total,
        name: manifest.name.clone(),
        media_type: manifest.media_type.clone(),
        mse: manifest.mse.clone(),
        usage: usage(manifest.terms.usage),
        url,
        signer: Thumbprint::parse(&manifest.creator.0.jkt()).map_err(internal)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fake::{self, Fake, block_on};

    const BODY_BYTES: u64 = 75;

    /// A change to a good document, and the answer to what it makes of it.
    type Case = (fn(&mut Value), ErrorCode);

    fn manifest(change: impl FnOnce(&mut Value)) -> String {
        let mut members = fake::manifest();
        change(&mut members);
        fake::sign_manifest(1, &members)
    }

    /// A packed file's front, as if all of it were stored.
    fn stored(token: &str) -> (Vec<u8>, u64) {
        let layout = Layout::plan(u32::try_from(token.len()).unwrap(), 1, 0).unwrap();
        let bytes = [&layout.encode()[..], token.as_bytes()].concat();
        (bytes, u64::from(layout.header_len()) + BODY_BYTES)
    }

    fn ready(token: &str) -> Fake {
        let world = Fake::with_work(0);
        let (bytes, total) = stored(token);
        world.store(&object_key(&fake::work(), 1), bytes, total);
        world
    }

    fn publish_code(world: &Fake, command: &str) -> ErrorCode {
        block_on(publish(world, &fake::work(), command))
            .unwrap_err()
            .code
    }

    #[test]
    fn a_work_is_registered_as_its_creator_signed_it() {
        let world = Fake::empty();
        let done = block_on(register(&world, &fake::register_command(|_| ()))).unwrap();
        assert!(done.created);
        assert_eq!(world.registered().unwrap().title, "Tide");
    }

    #[test]
    fn a_registration_outside_the_limits_is_refused() {
        let cases: [Case; 10] = [
            (
                |c| c["terms"]["usd_micros"] = json!(0),
                ErrorCode::Malformed,
            ),
            (|c| c["cmd"] = json!("publish"), ErrorCode::Malformed),
            (|c| c["cmd"] = json!(1), ErrorCode::Malformed),
            (|c| c["title"] = json!(""), ErrorCode::Malformed),
            (|c| c["title"] = json!("a\nb"), ErrorCode::Malformed),
            (|c| c["media_type"] = json!("audio"), ErrorCode::Malformed),
            (|c| c["surprise"] = json!(1), ErrorCode::Malformed),
            (
                |c| c["aud"] = json!("https://else.example"),
                ErrorCode::BadSignature,
            ),
            (|c| c["exp"] = json!(fake::NOW_S), ErrorCode::BadSignature),
            (
                |c| c["work_nonce"] = json!(b64::encode(&[9; 16])),
                ErrorCode::WrongKey,
            ),
        ];
        for (change, code) in cases {
            let world = Fake::empty();
            let refused = block_on(register(&world, &fake::register_command(change))).unwrap_err();
            assert_eq!(refused.code, code);
            assert!(world.registered().is_none(), "{code:?} changed something");
        }
    }

    #[test]
    fn nonsense_is_no_command() {
        for token in ["", "x", "a.b.c", "..", &fake::upload_command(1, 1, 20_000)] {
            let refused = block_on(register(&Fake::empty(), token)).unwrap_err();
            assert!(refused.code.status() < 500, "{token}");
        }
    }

    #[test]
    fn a_version_is_published_as_its_manifest_says() {
        let token = manifest(|_| ());
        let world = ready(&token);
        block_on(publish(
            &world,
            &fake::work(),
            &fake::publish_command(&token, |_| ()),
        ))
        .unwrap();
        let published = world.published().unwrap();
        assert_eq!(published.title, "Tide");
        assert_eq!(published.version.size, 16_384 + BODY_BYTES);
        assert_eq!(published.version.name, "tide.mp3");
        assert_eq!(published.version.signer, fake::thumbprint(1));
        assert_eq!(
            published.version.url,
            format!("https://satchel.example/f/{}/1.satchel", fake::work())
        );
        let digest = satchel_crypto::sha256(token.as_bytes());
        assert_eq!(
            published.version.manifest_digest.as_str(),
            b64::encode(&digest)
        );
    }

    #[test]
    fn a_manifest_for_something_else_is_refused() {
        let cases: [Case; 6] = [
            (
                |m| m["issuer"] = json!("https://else.example"),
                ErrorCode::BadSignature,
            ),
            (|m| m["version"] = json!(2), ErrorCode::Malformed),
            (
                |m| m["terms"]["use"] = json!("stream"),
                ErrorCode::Malformed,
            ),
            (
                |m| m["media_type"] = json!("nonsense"),
                ErrorCode::Malformed,
            ),
            (|m| m["title"] = json!(""), ErrorCode::Malformed),
            (|m| m["surprise"] = json!(1), ErrorCode::Malformed),
        ];
        for (change, code) in cases {
            let token = manifest(change);
            let world = ready(&token);
            assert_eq!(
                publish_code(&world, &fake::publish_command(&token, |_| ())),
                code
            );
            assert!(world.published().is_none());
        }
        let forged = fake::sign_manifest(2, &fake::manifest());
        let world = ready(&forged);
        let command = fake::publish_command(&forged, |_| ());
        assert_eq!(publish_code(&world, &command), ErrorCode::BadSignature);
        let theirs = fake::sign_manifest(2, &fake::manifest_of(2));
        let command = fake::publish_command(&theirs, |_| ());
        assert_eq!(publish_code(&ready(&theirs), &command), ErrorCode::WrongKey);
    }

    #[test]
    fn a_command_for_another_work_or_price_is_refused() {
        let token = manifest(|_| ());
        let world = ready(&token);
        let command = fake::publish_command(&token, |_| ());
        let other = WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap();
        let refused = block_on(publish(&world, &other, &command)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Malformed);
        let free = fake::publish_command(&token, |c| c["terms"]["usd_micros"] = json!(1));
        assert_eq!(publish_code(&world, &free), ErrorCode::Malformed);
        assert!(world.published().is_none());
    }

    #[test]
    fn bytes_that_are_not_there_or_not_these_are_not_ready() {
        let token = manifest(|_| ());
        let command = fake::publish_command(&token, |_| ());
        let (bytes, total) = stored(&token);
        assert_eq!(
            publish_code(&Fake::with_work(0), &command),
            ErrorCode::NotReady
        );
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        let mut preview = bytes.clone();
        preview[23] = 1;
        let mut segments = bytes.clone();
        segments[19] = 32;
        for (bytes, total) in [
            (bytes.clone(), total - 1),
            (bytes.clone(), total + 1),
            (bytes.clone(), 0),
            (bytes[..bytes.len() - 1].to_vec(), total),
            (bytes[..20].to_vec(), 20),
            (Vec::new(), total),
            (b"SATCHEL2".to_vec(), total),
            (other, total),
            (preview, total + 1),
            (segments, total),
        ] {
            let world = Fake::with_work(0);
            world.store(&object_key(&fake::work(), 1), bytes, total);
            assert_eq!(publish_code(&world, &command), ErrorCode::NotReady);
            assert!(world.published().is_none());
        }
    }
}

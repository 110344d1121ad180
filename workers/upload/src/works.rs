//! Works: registering them, showing their record, putting a version on sale.

use satchel_crypto::b64;
use satchel_domain::{
    id::{AccountId, Digest, Thumbprint, WorkId},
    splits::{self, Split},
    terms::{Terms, Use},
    work::WorkState,
};
use satchel_edge::{Piece, Platform};
use satchel_format::{
    FormatError, Layout, Manifest, SignedManifest, header, manifest,
    preview::{PreviewType, SNIFF_BYTES},
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Preview, Record, VersionRecord},
    command::{self, Command, Publish, Register, SetState, Update},
    internal::{Offered, PublishWork, RegisterWork, Registered},
    listing::Listing,
    shopfront::EventKind,
};

use crate::{news, uploads::object_key, world::World};

/// `POST /v1/works`.
pub(crate) async fn register(world: &impl World, token: &str) -> Result<Registered> {
    let command =
        command::verify::<Register>(&Platform, token, world.issuer(), world.now_s()).await?;
    let Register {
        title,
        media_type,
        terms,
        payee,
        splits,
        listing,
    } = command.body;
    command::check_text(&title, &media_type)?;
    check_terms(&terms)?;
    check_splits(splits.as_deref(), &payee)?;
    let details = RegisterWork {
        creator: command.creator,
        title,
        media_type,
        terms,
        payee,
        splits: stored(splits),
        listing: checked(listing, &terms, world, &command.work)?,
    };
    let done = world.register(&command.work, &details).await?;
    news::tell(world, command.work_nonce, None, &done.record).await;
    Ok(done)
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
    let terms = command.body.terms;
    check_terms(&terms)?;
    let signed = SignedManifest::verify(&command.body.manifest).map_err(format_error)?;
    check_manifest(signed.manifest(), &command, world.issuer())?;
    let splits = command.body.splits.clone();
    if splits.is_some() {
        check_splits(splits.as_deref(), &world.snapshot(work).await?.payee)?;
    }
    let listing = command.body.listing.clone();
    if let Some(listing) = &listing {
        listing.check(&terms, world.issuer(), work)?;
    }
    let key = object_key(work, command.body.version);
    let last = last_manifest_byte(&signed);
    let front = world.packed(&key, 0, last).await?;
    let front = front.ok_or(ErrorCode::NotReady)?;
    let layout = check_front(&front, &signed)?;
    let url = format!("{}/f/{key}", world.issuer());
    let mut version = version_record(&signed, &command, url, &front)?;
    version.preview = preview(world, &key, &layout).await?;
    let new = PublishWork {
        version: Some(version),
        title: signed.manifest().title.clone(),
        terms,
        splits,
        listing,
    };
    let record = world.publish(work, &new).await?;
    let kind = EventKind::WorkPublished;
    news::tell(world, command.work_nonce, Some(kind), &record).await;
    Ok(record)
}

/// `POST /v1/works/{work}/update`. The ledger refuses another `use` than that of the version on sale.
pub(crate) async fn update(world: &impl World, work: &WorkId, token: &str) -> Result<Record> {
    let command =
        command::verify::<Update>(&Platform, token, world.issuer(), world.now_s()).await?;
    if command.work != *work {
        return Err(malformed("the command is for another work"));
    }
    let Update {
        title,
        terms,
        splits,
        listing,
    } = command.body;
    command::check_title(&title)?;
    check_terms(&terms)?;
    if splits.is_some() {
        check_splits(splits.as_deref(), &world.snapshot(work).await?.payee)?;
    }
    let new = PublishWork {
        version: None,
        title,
        terms,
        splits: stored(splits),
        listing: checked(listing, &terms, world, work)?,
    };
    let record = world.publish(work, &new).await?;
    let kind = EventKind::WorkUpdated;
    news::tell(world, command.work_nonce, Some(kind), &record).await;
    Ok(record)
}

/// `POST /v1/works/{work}/state`.
pub(crate) async fn set_state(world: &impl World, work: &WorkId, token: &str) -> Result<Record> {
    let command =
        command::verify::<SetState>(&Platform, token, world.issuer(), world.now_s()).await?;
    if command.work != *work {
        return Err(malformed("the command is for another work"));
    }
    let (on_sale, kind) = match command.body.state {
        WorkState::Published => (true, EventKind::WorkPublished),
        WorkState::Unpublished => (false, EventKind::WorkUnpublished),
        _ => return Err(malformed("state is published or unpublished")),
    };
    let record = world.offer(work, Offered { on_sale }).await?;
    news::tell(world, command.work_nonce, Some(kind), &record).await;
    Ok(record)
}

fn check_splits(splits: Option<&[Split]>, payee: &AccountId) -> Result<()> {
    splits::check(splits.unwrap_or_default(), payee)
        .map_err(|_| malformed("splits: at most 16 other accounts, each once, 9,999 bps together"))
}

/// An empty list is none.
fn stored(splits: Option<Vec<Split>>) -> Option<Vec<Split>> {
    splits.filter(|splits| !splits.is_empty())
}

/// A listing that may be shown; one that says nothing is none.
fn checked(
    listing: Option<Listing>,
    terms: &Terms,
    world: &impl World,
    work: &WorkId,
) -> Result<Option<Listing>> {
    if let Some(listing) = &listing {
        listing.check(terms, world.issuer(), work)?;
    }
    Ok(listing.filter(|listing| !listing.is_empty()))
}

/// Where the plain preview lies, if pages can show it: told by its first bytes.
async fn preview(world: &impl World, key: &str, layout: &Layout) -> Result<Option<Preview>> {
    let (offset, length) = (layout.preview().start, u64::from(layout.preview_len()));
    let sniffed = length.min(SNIFF_BYTES as u64);
    let Some(last) = offset.saturating_add(sniffed).checked_sub(1) else {
        return Ok(None);
    };
    if length == 0 {
        return Ok(None);
    }
    let piece = world.packed(key, offset, last).await?;
    let kind = piece.and_then(|piece| PreviewType::of(&piece.bytes));
    Ok(kind.map(|kind| Preview {
        offset,
        length,
        media_type: kind.media_type().to_owned(),
    }))
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
fn check_front(front: &Piece, signed: &SignedManifest) -> Result<Layout> {
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
        Ok(layout)
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
        preview: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fake::{self, Fake, block_on};

    const BODY_BYTES: u64 = 75;

    type Change = Box<dyn Fn(&mut Value)>;
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
        let version = published.version.unwrap();
        assert_eq!(version.size, 16_384 + BODY_BYTES);
        assert_eq!(version.name, "tide.mp3");
        assert_eq!(version.signer, fake::thumbprint(1));
        assert_eq!(
            version.url,
            format!("https://satchel.example/f/{}/1.satchel", fake::work())
        );
        let digest = satchel_crypto::sha256(token.as_bytes());
        assert_eq!(version.manifest_digest.as_str(), b64::encode(&digest));
        assert_eq!(version.preview, None);
        assert_eq!((published.splits, published.listing), (None, None));
    }

    #[test]
    fn a_preview_that_pages_can_show_is_found_in_the_packed_file() {
        let token = manifest(|m| m["preview_digest"] = json!(b64::encode(&[6; 32])));
        for (begins, shown) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Some("image/png")),
            (b"ID3\x04", Some("audio/mpeg")),
            (b"<svg>", None),
            (b"", None),
        ] {
            let preview = [begins, &[0; 100]].concat();
            let length = u32::try_from(preview.len()).unwrap();
            let layout = Layout::plan(u32::try_from(token.len()).unwrap(), 1, length).unwrap();
            let mut bytes = [&layout.encode()[..], token.as_bytes()].concat();
            bytes.resize(usize::try_from(layout.preview().start).unwrap(), 0);
            bytes.extend_from_slice(&preview);
            let world = Fake::with_work(0);
            let total = layout.body_start() + BODY_BYTES;
            world.store(&object_key(&fake::work(), 1), bytes, total);
            let command = fake::publish_command(&token, |_| ());
            block_on(publish(&world, &fake::work(), &command)).unwrap();
            let found = world.published().unwrap().version.unwrap().preview;
            assert_eq!(found.as_ref().map(|p| &p.media_type[..]), shown);
            if let Some(found) = found {
                assert_eq!((found.offset, found.length), (16_384, length.into()));
            }
        }
    }

    #[test]
    fn the_creators_shop_is_told_and_its_failure_stops_nothing() {
        let world = Fake::with_work(1);
        block_on(register(&world, &fake::register_command(|_| ()))).unwrap();
        block_on(update(&world, &fake::work(), &fake::update_command(|_| ()))).unwrap();
        let told = world.told();
        let kinds: Vec<_> = told.iter().map(|(_, told)| told.kind).collect();
        assert_eq!(kinds, [None, Some(EventKind::WorkUpdated)]);
        let (creator, last) = told.last().unwrap();
        assert_eq!(creator, fake::thumbprint(1).as_str());
        assert_eq!(last.nonce, b64::encode(&[7; 16]));
        assert_eq!((&last.news.title[..], last.news.version), ("Tide", 1));
    }

    #[test]
    fn an_update_changes_terms_splits_and_listing_and_no_version() {
        let world = Fake::with_work(1);
        block_on(update(&world, &fake::work(), &fake::update_command(|_| ()))).unwrap();
        let new = world.published().unwrap();
        assert_eq!(new.version, None);
        assert_eq!(new.title, "Ebb");
        assert_eq!(new.splits.unwrap()[0].bps, 2_500);
        assert_eq!(new.listing.unwrap().suggest, Some(vec![800_000]));
        let cleared = fake::update_command(|c| {
            c["splits"] = json!([]);
            c["listing"] = json!({});
        });
        block_on(update(&world, &fake::work(), &cleared)).unwrap();
        let new = world.published().unwrap();
        assert_eq!((new.splits, new.listing), (None, None));
    }

    #[test]
    fn an_update_outside_the_limits_is_refused() {
        let many = |n: u8| {
            let one = |i| json!({"account": fake::thumbprint(i + 10), "bps": 1});
            Value::Array((0..n).map(one).collect())
        };
        let cases: Vec<Change> = vec![
            Box::new(|c| c["terms"]["usd_micros"] = json!(1)),
            Box::new(|c| c["title"] = json!("")),
            Box::new(|c| c["title"] = json!("a\u{202e}b")),
            Box::new(|c| c["splits"][0]["bps"] = json!(0)),
            Box::new(|c| c["splits"][0]["bps"] = json!(10_000)),
            Box::new(|c| c["splits"][0]["bps"] = json!("1")),
            Box::new(|c| c["splits"][0]["account"] = json!(fake::thumbprint(3))),
            Box::new(|c| c["splits"][0]["name"] = json!("x")),
            Box::new(|c| c["splits"] = json!([c["splits"][0], c["splits"][0]])),
            Box::new(move |c| c["splits"] = many(17)),
            Box::new(|c| c["listing"]["suggest"] = json!([1])),
            Box::new(|c| c["listing"]["description"] = json!("\u{0}")),
            Box::new(|c| c["listing"]["surprise"] = json!(1)),
            Box::new(|c| c["listing"]["monetization"] = json!("http://x")),
            Box::new(|c| c["terms"]["pay_more"] = json!(false)),
        ];
        for change in cases {
            let world = Fake::with_work(1);
            let command = fake::update_command(change);
            let refused = block_on(update(&world, &fake::work(), &command)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Malformed);
            assert!(world.published().is_none());
        }
        let world = Fake::with_work(1);
        let other = WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap();
        let command = fake::update_command(|_| ());
        let refused = block_on(update(&world, &other, &command)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Malformed);
    }

    #[test]
    fn a_creator_takes_a_work_off_sale_and_puts_it_back() {
        let world = Fake::with_work(1);
        for (state, after) in [
            ("unpublished", WorkState::Unpublished),
            ("published", WorkState::Published),
        ] {
            let command = fake::state_command(state);
            let record = block_on(set_state(&world, &fake::work(), &command)).unwrap();
            assert_eq!(record.state, after);
        }
        for state in ["draft", "taken_down", "gone"] {
            let command = fake::state_command(state);
            let refused = block_on(set_state(&world, &fake::work(), &command)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Malformed);
        }
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

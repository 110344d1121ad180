//! Covers: pictures that lie beside the packed files and that anybody may see.

use satchel_domain::{id::WorkId, work::WorkState};
use satchel_edge::Platform;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::CoverOut,
    command::{self, Cover},
    listing::{MAX_COVER_BYTES, cover_key},
};

use crate::{s3::Step, uploads::check_creator, world::World};

/// `POST /v1/works/{work}/cover`: where to send a picture of this size, type and hash, which also
/// names it; so that the same picture is the same object, and none is ever replaced.
pub(crate) async fn begin(world: &impl World, work: &WorkId, token: &str) -> Result<CoverOut> {
    let now = world.now_s();
    let command = command::verify::<Cover>(&Platform, token, world.issuer(), now).await?;
    if command.work != *work {
        let what = "the command is for another work";
        return Err(ApiError::new(ErrorCode::Malformed, what));
    }
    let Cover {
        size,
        media_type,
        sha256,
    } = &command.body;
    let key = cover_key(work, sha256, media_type).ok_or_else(|| {
        let what = "a cover is image/webp, image/jpeg or image/png";
        ApiError::new(ErrorCode::Malformed, what)
    })?;
    if !(1..=MAX_COVER_BYTES).contains(size) {
        let what = format!("a cover has 1 to {MAX_COVER_BYTES} bytes");
        return Err(ApiError::new(ErrorCode::Malformed, what).with("limit", MAX_COVER_BYTES));
    }
    let record = world.snapshot(work).await?.record;
    check_creator(&record, &command.creator)?;
    if record.state == WorkState::TakenDown {
        return Err(ErrorCode::WorkTakenDown.into());
    }
    let put = Step::Put {
        media_type,
        bytes: *size,
        // S3's spelling of it.
        sha256: format!("{}=", sha256.as_str().replace('-', "+").replace('_', "/")),
    };
    let signed = world.storage()?.presign(&put, &key, now, None)?;
    Ok(CoverOut {
        url: signed.url,
        headers: signed.headers,
        cover_url: format!("{}/f/{key}", world.issuer()),
    })
}

#[cfg(test)]
mod tests {
    use satchel_crypto::{b64, sha256};
    use satchel_domain::id::Digest;
    use serde_json::{Value, json};

    use super::*;
    use crate::fake::{self, Fake, block_on};

    fn digest() -> String {
        b64::encode(&sha256(b"abc"))
    }

    fn ask(world: &Fake, change: impl FnOnce(&mut Value)) -> Result<CoverOut> {
        let own = json!({
            "cmd": "cover", "size": 9, "media_type": "image/webp", "sha256": digest(),
        });
        block_on(begin(world, &fake::work(), &fake::command(1, &own, change)))
    }

    #[test]
    fn a_cover_is_signed_for_its_size_its_type_and_its_bytes() {
        let out = ask(&Fake::with_work(0), |_| ()).unwrap();
        let key = format!("{}/cover-{}.webp", fake::work(), digest());
        assert!(
            out.url.contains(&format!("/s3/files/{key}?")),
            "{}",
            out.url
        );
        assert_eq!(out.cover_url, format!("https://satchel.example/f/{key}"));
        let headers: Vec<_> = out.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            headers,
            [
                ("content-type", "image/webp"),
                ("if-none-match", "*"),
                // echo -n abc | openssl dgst -sha256 -binary | base64
                (
                    "x-amz-checksum-sha256",
                    "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
                ),
            ]
        );
        assert!(out.url.contains("SignedHeaders=content-length%3B"));
        Digest::parse(&digest()).unwrap();
    }

    #[test]
    fn nothing_but_a_small_picture_of_ones_own_work_is_a_cover() {
        type Case = (fn(&mut Value), ErrorCode);
        let cases: [Case; 9] = [
            (|c| c["size"] = json!(0), ErrorCode::Malformed),
            (
                |c| c["size"] = json!(MAX_COVER_BYTES + 1),
                ErrorCode::Malformed,
            ),
            (|c| c["size"] = json!(-1), ErrorCode::Malformed),
            (
                |c| c["media_type"] = json!("image/svg+xml"),
                ErrorCode::Malformed,
            ),
            (
                |c| c["media_type"] = json!("text/html"),
                ErrorCode::Malformed,
            ),
            (|c| c["sha256"] = json!("../../x"), ErrorCode::Malformed),
            (|c| c["surprise"] = json!(1), ErrorCode::Malformed),
            (|c| c["exp"] = json!(fake::NOW_S), ErrorCode::BadSignature),
            (
                |c| c["work_nonce"] = json!(b64::encode(&[9; 16])),
                ErrorCode::WrongKey,
            ),
        ];
        for (change, code) in cases {
            assert_eq!(ask(&Fake::with_work(0), change).unwrap_err().code, code);
        }
        let down = Fake::with_state(WorkState::TakenDown);
        assert_eq!(
            ask(&down, |_| ()).unwrap_err().code,
            ErrorCode::WorkTakenDown
        );
        let nobody = Fake::empty();
        assert_eq!(
            ask(&nobody, |_| ()).unwrap_err().code,
            ErrorCode::UnknownWork
        );
    }
}

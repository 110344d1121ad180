//! What a creator's key signs about a work.

use satchel_crypto::{Key32, b32, b64, ed25519::Verifier, hash::sha256_parts};
use satchel_domain::{
    id::{AccountId, Digest, WorkId},
    splits::Split,
    terms::Terms,
    work::WorkState,
};
use satchel_json::{self as json, FromJson, Object, Value};
use serde::Serialize;

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Jwk, Names},
    listing::Listing,
};

/// `typ` of a command.
pub const TYP: &str = "satchel-command+jws";
/// Longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// A command of kind `T`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command<T> {
    /// The issuer.
    pub aud: String,
    /// The creator's key, which signs.
    pub creator: Jwk,
    /// The work.
    pub work: WorkId,
    /// 16 random bytes, base64url: with the key they make the work's id.
    pub work_nonce: String,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
    /// The command's own members, `cmd` among them.
    #[serde(flatten)]
    pub body: T,
}

/// Announces a work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "register")]
pub struct Register {
    /// 1 to 200 characters.
    pub title: String,
    /// Of the plaintext.
    pub media_type: String,
    /// Terms.
    pub terms: Terms,
    /// Who is paid.
    pub payee: AccountId,
    /// With whom the payee shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Split>>,
    /// What is shown with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
}
satchel_json::read!(Register {
    title,
    media_type,
    terms,
    payee,
    splits,
    listing
});

/// Asks for an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "upload")]
pub struct Upload {
    /// Version of the work.
    pub version: u32,
    /// Bytes of the packed file.
    pub size: u64,
}
satchel_json::read!(Upload { version, size });

/// Hands over the content key of a version.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "intake")]
pub struct Intake {
    /// Version of the work.
    pub version: u32,
    /// 32 bytes, base64url. A secret.
    pub content_key: String,
    /// The manifest it must agree with.
    pub manifest: String,
}
satchel_json::read!(Intake {
    version,
    content_key,
    manifest
});

impl Intake {
    /// The key itself.
    pub fn key(&self) -> Result<Key32> {
        Key32::from_b64(&self.content_key)
            .map_err(|_| ApiError::new(ErrorCode::Malformed, "content_key is not 32 bytes"))
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Puts a version on sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "publish")]
pub struct Publish {
    /// Version of the work.
    pub version: u32,
    /// Its manifest.
    pub manifest: String,
    /// Terms from now on.
    pub terms: Terms,
    /// Shares from now on; left out, they stay what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Split>>,
    /// What is shown from now on; left out, it stays what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
}
satchel_json::read!(Publish {
    version,
    manifest,
    terms,
    splits,
    listing
});

/// Changes how a work is offered, its versions left alone. What is left out is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "update")]
pub struct Update {
    /// Title from now on.
    pub title: String,
    /// Terms from now on.
    pub terms: Terms,
    /// Shares from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Split>>,
    /// What is shown from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
}
satchel_json::read!(Update {
    title,
    terms,
    splits,
    listing
});

/// Takes a work off sale, or puts it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "set_state")]
pub struct SetState {
    /// `published` or `unpublished`.
    pub state: WorkState,
}
satchel_json::read!(SetState { state });

/// Asks where to upload a cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename = "cover")]
pub struct Cover {
    /// Bytes, at most [`MAX_COVER_BYTES`](crate::listing::MAX_COVER_BYTES).
    pub size: u64,
    /// `image/webp`, `image/jpeg` or `image/png`.
    pub media_type: String,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
}
satchel_json::read!(Cover {
    size,
    media_type,
    sha256
});

/// A kind of command.
trait Kind {
    /// The value of `cmd`.
    const CMD: &'static str;
}

impl Kind for Register {
    const CMD: &'static str = "register";
}
impl Kind for Upload {
    const CMD: &'static str = "upload";
}
impl Kind for Intake {
    const CMD: &'static str = "intake";
}
impl Kind for Publish {
    const CMD: &'static str = "publish";
}
impl Kind for Update {
    const CMD: &'static str = "update";
}
impl Kind for SetState {
    const CMD: &'static str = "set_state";
}
impl Kind for Cover {
    const CMD: &'static str = "cover";
}

/// The members of a command of kind `T`, `cmd` among them.
impl<T: FromJson + Kind> FromJson for Command<T> {
    fn from_json(value: Value<'_>) -> std::result::Result<Self, json::Error> {
        let mut members = Object::of(value)?;
        if members.member::<String>("cmd")? != T::CMD {
            return Err(json::Error::new("this command is another one").within("cmd"));
        }
        Ok(Self {
            aud: members.member("aud")?,
            creator: members.member("creator")?,
            work: members.member("work")?,
            work_nonce: members.member("work_nonce")?,
            iat: members.member("iat")?,
            exp: members.member("exp")?,
            body: T::from_json(members.into_value())?,
        })
    }
}

/// The id of the work that `creator` makes with `nonce`.
pub fn work_id(creator: &satchel_crypto::ed25519::PublicKey, nonce: &[u8; 16]) -> Result<WorkId> {
    let digest = sha256_parts(&[&creator.thumbprint(), nonce]);
    WorkId::parse(&format!("{}{}", WorkId::PREFIX, b32::encode(&digest)))
        .map_err(|_| ErrorCode::Internal.into())
}

#[expect(private_bounds, reason = "the kinds of commands are closed")]
/// Verifies a command: signed by the creator whose key makes the work's id, for us, in time.
pub async fn verify<T: FromJson + Kind>(
    verifier: &impl Verifier,
    token: &str,
    issuer: &str,
    now_s: u64,
) -> Result<Command<T>> {
    let unverified = jose::read::<Command<T>>(token, TYP, Names::Kid)?;
    let creator = unverified.claims.creator.key()?;
    if unverified.header.kid.as_deref() != Some(creator.jkt().as_str()) {
        return Err(ErrorCode::BadSignature.into());
    }
    let command = unverified.verify(verifier, &creator).await?;
    jose::check_audience(&command.aud, issuer)?;
    jose::check_life(command.iat, command.exp, now_s)?;
    let nonce = b64::decode_array::<16>(&command.work_nonce)
        .map_err(|_| ApiError::new(ErrorCode::Malformed, "work_nonce is not 16 bytes"))?;
    if work_id(&creator, &nonce)? != command.work {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "this key did not make this work's id",
        ));
    }
    Ok(command)
}

/// Checks a title.
pub fn check_title(title: &str) -> Result<()> {
    let chars = title.chars().count();
    if chars == 0 || chars > MAX_TITLE_CHARS || !satchel_json::is_plain(title) {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "a title has 1 to 200 characters",
        ));
    }
    Ok(())
}

/// Checks title and media type.
pub fn check_text(title: &str, media_type: &str) -> Result<()> {
    check_title(title)?;
    let ok = media_type.len() <= MAX_MEDIA_TYPE_BYTES
        && media_type
            .split_once('/')
            .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
        && media_type.bytes().all(|b| (0x20..0x7f).contains(&b));
    if ok {
        Ok(())
    } else {
        Err(ApiError::new(ErrorCode::Malformed, "not a media type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use satchel_crypto::ed25519::{SigningKey, Software, at_once};
    use serde_json::{Value, json};

    const ISSUER: &str = "https://issuer";

    fn creator() -> SigningKey {
        SigningKey::from_seed(&Key32::from_bytes([5; 32]))
    }

    fn upload() -> Value {
        let work = work_id(&creator().public(), &[7; 16]).unwrap();
        json!({
            "aud": ISSUER, "cmd": "upload", "creator": Jwk::of(&creator().public()),
            "work": work, "work_nonce": b64::encode(&[7; 16]), "iat": 1_000, "exp": 1_300,
            "version": 1, "size": 5,
        })
    }

    fn verified(claims: &Value, key: &SigningKey) -> Result<Command<Upload>> {
        let kid = key.public().jkt();
        // Written by another writer: ours has no fractions.
        let header = format!(r#"{{"alg":"EdDSA","typ":"{TYP}","kid":"{kid}"}}"#);
        let token = satchel_crypto::jws::sign(key, &header, claims.to_string().as_bytes());
        at_once(verify::<Upload>(&Software, &token, ISSUER, 1_000)).unwrap()
    }

    #[test]
    fn a_command_is_for_one_purpose_one_issuer_and_some_minutes() {
        assert!(verified(&upload(), &creator()).is_ok());
        for (member, value, code) in [
            ("cmd", json!("publish"), ErrorCode::Malformed),
            ("cmd", Value::Null, ErrorCode::Malformed),
            ("aud", json!("https://other"), ErrorCode::BadSignature),
            ("exp", json!(1_000), ErrorCode::BadSignature),
            ("exp", json!(1_000_000), ErrorCode::Malformed),
            ("iat", json!(5_000), ErrorCode::Malformed),
            ("extra", json!(1), ErrorCode::Malformed),
            ("size", json!(0.5), ErrorCode::Malformed),
            (
                "work_nonce",
                json!(b64::encode(&[8; 16])),
                ErrorCode::WrongKey,
            ),
        ] {
            let mut claims = upload();
            claims[member] = value;
            assert_eq!(
                verified(&claims, &creator()).unwrap_err().code,
                code,
                "{member}"
            );
        }
    }

    #[test]
    fn only_the_key_that_makes_the_works_id_commands_it() {
        let other = SigningKey::from_seed(&Key32::from_bytes([6; 32]));
        assert_eq!(
            verified(&upload(), &other).unwrap_err().code,
            ErrorCode::BadSignature
        );
        let mut claims = upload();
        claims["creator"] = serde_json::to_value(Jwk::of(&other.public())).unwrap();
        assert_eq!(
            verified(&claims, &other).unwrap_err().code,
            ErrorCode::WrongKey
        );
    }
}

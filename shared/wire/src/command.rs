//! What a creator's key signs about a work.

use satchel_crypto::{Key32, b32, b64, hash::sha256_parts};
use satchel_domain::{
    id::{AccountId, WorkId},
    terms::Terms,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    ApiError, ErrorCode, Result,
    jose::{self, Jwk, Names},
};

/// `typ` of a command.
pub const TYP: &str = "satchel-command+jws";
/// Longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// A command of kind `T`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Asks for an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename = "upload")]
pub struct Upload {
    /// Version of the work.
    pub version: u32,
    /// Bytes of the packed file.
    pub size: u64,
}

/// Hands over the content key of a version.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename = "intake")]
pub struct Intake {
    /// Version of the work.
    pub version: u32,
    /// 32 bytes, base64url. A secret.
    pub content_key: String,
    /// The manifest it must agree with.
    pub manifest: String,
}

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename = "publish")]
pub struct Publish {
    /// Version of the work.
    pub version: u32,
    /// Its manifest.
    pub manifest: String,
    /// Terms from now on.
    pub terms: Terms,
}

/// The members every command has, and those of its kind: nothing else may stand in it.
trait Members {
    /// The value of `cmd`. serde writes a struct's tag but does not check it when it reads.
    const CMD: &'static str;
    const OWN: &'static [&'static str];
}

const COMMON: [&str; 7] = ["aud", "cmd", "creator", "work", "work_nonce", "iat", "exp"];

impl Members for Register {
    const CMD: &'static str = "register";
    const OWN: &'static [&'static str] = &["title", "media_type", "terms", "payee"];
}
impl Members for Upload {
    const CMD: &'static str = "upload";
    const OWN: &'static [&'static str] = &["version", "size"];
}
impl Members for Intake {
    const CMD: &'static str = "intake";
    const OWN: &'static [&'static str] = &["version", "content_key", "manifest"];
}
impl Members for Publish {
    const CMD: &'static str = "publish";
    const OWN: &'static [&'static str] = &["version", "manifest", "terms"];
}

/// The id of the work that `creator` makes with `nonce`.
pub fn work_id(creator: &satchel_crypto::ed25519::PublicKey, nonce: &[u8; 16]) -> Result<WorkId> {
    let digest = sha256_parts(&[&creator.thumbprint(), nonce]);
    WorkId::parse(&format!("{}{}", WorkId::PREFIX, b32::encode(&digest)))
        .map_err(|_| ErrorCode::Internal.into())
}

#[expect(private_bounds, reason = "the kinds of commands are closed")]
/// Verifies a command: signed by the creator whose key makes the work's id, for us, in time.
pub fn verify<T: DeserializeOwned + Members>(
    token: &str,
    issuer: &str,
    now_s: u64,
) -> Result<Command<T>> {
    let unverified = jose::read::<Common>(token, TYP, Names::Kid)?;
    check_members::<T>(unverified.payload())?;
    check_kind::<T>(unverified.payload())?;
    let body: T = serde_json::from_slice(unverified.payload())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?;
    let creator = unverified.claims.creator.key()?;
    if unverified.header.kid.as_deref() != Some(creator.jkt().as_str()) {
        return Err(ErrorCode::BadSignature.into());
    }
    let command = unverified.verify(&creator)?;
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
    let Common {
        aud,
        creator,
        work,
        work_nonce,
        iat,
        exp,
    } = command;
    Ok(Command {
        aud,
        creator,
        work,
        work_nonce,
        iat,
        exp,
        body,
    })
}

/// The members of every command. They and a command's own are read one after the other:
/// `flatten` would buffer all of them, which is 10 KB of every worker.
#[derive(Deserialize)]
struct Common {
    aud: String,
    creator: Jwk,
    work: WorkId,
    work_nonce: String,
    iat: u64,
    exp: u64,
}

/// Neither reading refuses unknown or doubled members, so they are counted here.
fn check_members<T: Members>(payload: &[u8]) -> Result<()> {
    let malformed = |what: String| ApiError::new(ErrorCode::Malformed, what);
    let members: Vec<String> = serde_json::from_slice::<MemberNames>(payload)
        .map_err(|_| malformed("not an object".into()))?
        .0;
    for (i, name) in members.iter().enumerate() {
        let known = COMMON.contains(&name.as_str()) || T::OWN.contains(&name.as_str());
        if !known
            || members
                .iter()
                .skip(i.saturating_add(1))
                .any(|other| other == name)
        {
            return Err(malformed(format!("unexpected member {name:?}")));
        }
    }
    Ok(())
}

fn check_kind<T: Members>(payload: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Kind {
        cmd: String,
    }
    let kind: Kind = serde_json::from_slice(payload)
        .map_err(|_| ApiError::new(ErrorCode::Malformed, "cmd is missing"))?;
    if kind.cmd == T::CMD {
        Ok(())
    } else {
        Err(ApiError::new(
            ErrorCode::Malformed,
            format!("this is not a command to {}", T::CMD),
        ))
    }
}

struct MemberNames(Vec<String>);

impl<'de> Deserialize<'de> for MemberNames {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = MemberNames;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    names.push(name);
                }
                Ok(MemberNames(names))
            }
        }
        d.deserialize_map(Visit)
    }
}

/// Checks title and media type.
pub fn check_text(title: &str, media_type: &str) -> Result<()> {
    let chars = title.chars().count();
    if chars == 0 || chars > MAX_TITLE_CHARS || title.chars().any(char::is_control) {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "a title has 1 to 200 characters",
        ));
    }
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
    use satchel_crypto::ed25519::SigningKey;
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
        let token = jose::sign(key, TYP, Some(&kid), None, claims).unwrap();
        verify::<Upload>(&token, ISSUER, 1_000)
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

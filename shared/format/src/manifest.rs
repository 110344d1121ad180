//! The manifest: the signed, readable front of a satchel (FORMAT §4).
//!
//! A [`SignedManifest`] exists only after its signature, shape and work id were checked, so code
//! that holds one need not ask again.

use satchel_crypto::{
    b64,
    ed25519::{PublicKey, SigningKey},
    jws, sha256,
};
use satchel_json::{Error, FromJson, Object, Slot, Value};
use serde::Serialize;

use crate::{
    FormatError, Layout, Origin, Table, WorkId,
    header::{MAX_FILE_BYTES, MAX_MANIFEST_BYTES},
    work,
};

/// The protected header, byte for byte.
pub const PROTECTED_HEADER: &str = r#"{"alg":"EdDSA","typ":"satchel-manifest+jws"}"#;
/// Version of the format this crate reads and writes.
pub const VERSION: u64 = 1;
/// Longest title in characters (Unicode code points).
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest file name in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Longest `media_type` and `mse` in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// `N` bytes written as canonical base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Bytes<N> {
    /// Reads canonical base64url of exactly `N` bytes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = b64::decode_array(text);
        bytes
            .map(Self)
            .map_err(|_| Error::new("not base64url of the stated length"))
    }
}

impl<const N: usize> Slot for Bytes<N> {
    fn blank() -> Self {
        Self([0; N])
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        *self = Self::parse(&value.text()?)?;
        Ok(())
    }
}

impl<const N: usize> From<Bytes<N>> for String {
    fn from(bytes: Bytes<N>) -> Self {
        b64::encode(&bytes.0)
    }
}

/// The creator's public key, written as a JWK of exactly `kty`, `crv` and `x`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Jwk")]
pub struct Creator(pub PublicKey);

#[derive(Serialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
}

satchel_json::read!(Jwk { kty, crv, x });

impl FromJson for Creator {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        let jwk = Jwk::from_json(value)?;
        let key = PublicKey::from_b64(&jwk.x);
        match key {
            Ok(key) if jwk.kty == "OKP" && jwk.crv == "Ed25519" => Ok(Self(key)),
            _ => Err(Error::new("not an Ed25519 key")),
        }
    }
}

impl From<Creator> for Jwk {
    fn from(creator: Creator) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: creator.0.to_b64(),
        }
    }
}

/// How a work may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// The buyer receives the content key.
    Download,
    /// The buyer receives window keys only.
    Stream,
}

satchel_json::read_names!(Use { Download = "download", Stream = "stream" });

impl Use {
    /// As it is written in manifests, terms and receipts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Stream => "stream",
        }
    }
}

/// Terms at packing; the issuer's current terms are authoritative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Whether a buyer may pay more.
    pub pay_more: bool,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// What is sold.
    #[serde(rename = "use")]
    pub usage: Use,
}

satchel_json::read!(Terms { pay_more, usd_micros, usage = "use" });

/// The manifest's members, named and limited as in FORMAT §4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "FORMAT §4 says what each member means, under the same name"
)]
pub struct Manifest {
    pub v: u64,
    pub work: WorkId,
    pub work_nonce: Bytes<{ work::NONCE_BYTES }>,
    pub version: u64,
    pub creator: Creator,
    pub issuer: Origin,
    pub title: String,
    pub name: String,
    pub media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mse: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    pub size: u64,
    pub terms: Terms,
    pub segments: u64,
    pub body_size: u64,
    pub table_digest: Bytes<32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview_digest: Option<Bytes<32>>,
    pub merkle_root: Bytes<32>,
    pub key_commitment: Bytes<32>,
    pub created: u64,
}

impl FromJson for Manifest {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        let mut members = Object::of(value)?;
        let manifest = Self {
            v: members.member("v")?,
            work: members.member("work")?,
            work_nonce: members.member("work_nonce")?,
            version: members.member("version")?,
            creator: members.member("creator")?,
            issuer: members.member("issuer")?,
            title: members.member("title")?,
            name: members.member("name")?,
            media_type: members.member("media_type")?,
            mse: members.present("mse")?,
            duration_ms: members.present("duration_ms")?,
            size: members.member("size")?,
            terms: members.member("terms")?,
            segments: members.member("segments")?,
            body_size: members.member("body_size")?,
            table_digest: members.member("table_digest")?,
            preview_digest: members.present("preview_digest")?,
            merkle_root: members.member("merkle_root")?,
            key_commitment: members.member("key_commitment")?,
            created: members.member("created")?,
        };
        members.end()?;
        Ok(manifest)
    }
}

impl Manifest {
    /// The limits that are no matter of shape. Order: shape, then work id.
    fn check(&self) -> Result<(), FormatError> {
        let numbers = [
            self.version,
            self.duration_ms.unwrap_or_default(),
            self.size,
            self.terms.usd_micros,
            self.segments,
            self.body_size,
            self.created,
        ];
        let shape = self.v == VERSION
            && self.version >= 1
            // The largest integer JavaScript counts exactly; beyond it readers would disagree.
            && numbers.into_iter().all(|number| number <= MAX_FILE_BYTES)
            && is_text(&self.title, MAX_TITLE_CHARS.saturating_mul(4))
            && self.title.chars().count() <= MAX_TITLE_CHARS
            && is_file_name(&self.name)
            && is_text(&self.media_type, MAX_MEDIA_TYPE_BYTES)
            && self.mse.as_ref().is_none_or(|mse| is_text(mse, MAX_MEDIA_TYPE_BYTES));
        if !shape {
            return Err(FormatError::ManifestShape);
        }
        if WorkId::derive(&self.creator.0, &self.work_nonce.0) != self.work {
            return Err(FormatError::WorkId);
        }
        Ok(())
    }

    /// Whether layout and table are those the manifest was signed for.
    pub(crate) fn fits(&self, layout: &Layout, table: &Table) -> Result<(), FormatError> {
        if table.digest() != self.table_digest.0 {
            return Err(FormatError::TableDigest);
        }
        let fits = self.segments == u64::from(table.count())
            && self.size == table.size()
            && self.body_size == table.body_size()
            && self.preview_digest.is_some() == (layout.preview_len() > 0);
        if !fits {
            return Err(FormatError::Sizes);
        }
        if table.root() != self.merkle_root.0 {
            return Err(FormatError::MerkleRoot);
        }
        Ok(())
    }
}

/// 1 to `most` bytes without control characters: these texts reach terminals, logs and headers.
fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && satchel_json::is_plain(text)
}

/// Can be used as a file's name on every system without leaving its folder.
fn is_file_name(name: &str) -> bool {
    is_text(name, MAX_NAME_BYTES) && !matches!(name, "." | "..") && !name.contains(['/', '\\'])
}

/// A manifest whose signature, shape and work id were checked, with the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedManifest {
    manifest: Manifest,
    token: String,
    digest: [u8; 32],
}

impl SignedManifest {
    /// Reads a compact JWS: token, signature by the creator it names, shape, work id.
    pub fn verify(token: &str) -> Result<Self, FormatError> {
        if token.len() > MAX_MANIFEST_BYTES as usize {
            return Err(FormatError::ManifestToken);
        }
        let parsed = jws::Parsed::parse(token).map_err(|_| FormatError::ManifestToken)?;
        if parsed.header != PROTECTED_HEADER.as_bytes() {
            return Err(FormatError::ManifestToken);
        }
        let manifest: Manifest =
            satchel_json::from_slice(&parsed.payload).map_err(|_| FormatError::ManifestShape)?;
        // The key stands in the document itself: until this line nothing of it is believed.
        if !parsed.verify(&manifest.creator.0) {
            return Err(FormatError::Signature);
        }
        manifest.check()?;
        Ok(Self {
            manifest,
            token: token.to_owned(),
            digest: sha256(token.as_bytes()),
        })
    }

    /// Signs a manifest; [`FormatError::Signature`] where `key` is not its creator's.
    pub fn sign(manifest: Manifest, key: &SigningKey) -> Result<Self, FormatError> {
        if key.public() != manifest.creator.0 {
            return Err(FormatError::Signature);
        }
        manifest.check()?;
        let payload = serde_json::to_vec(&manifest).map_err(|_| FormatError::ManifestShape)?;
        let token = jws::sign(key, PROTECTED_HEADER, &payload);
        if token.len() > MAX_MANIFEST_BYTES as usize {
            return Err(FormatError::TooLarge);
        }
        let digest = sha256(token.as_bytes());
        Ok(Self {
            manifest,
            token,
            digest,
        })
    }

    /// What it says.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The compact JWS.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// SHA-256 of the compact JWS: compared with the issuer's record of this version.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use satchel_crypto::Key32;
    use serde_json::{Value, json};

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&Key32::from_bytes([seed; 32]))
    }

    fn sample() -> Value {
        let creator = key(1).public();
        json!({
            "v": 1, "work": WorkId::derive(&creator, &[2; 16]), "work_nonce": b64::encode(&[2; 16]),
            "version": 1, "creator": {"kty": "OKP", "crv": "Ed25519", "x": creator.to_b64()},
            "issuer": "https://satchel.example", "title": "Tide", "name": "tide.mp3",
            "media_type": "audio/mpeg", "size": 3,
            "terms": {"pay_more": false, "usd_micros": 500_000, "use": "download"},
            "segments": 1, "body_size": 75, "table_digest": b64::encode(&[3; 32]),
            "merkle_root": b64::encode(&[4; 32]), "key_commitment": b64::encode(&[5; 32]),
            "created": 1_800_000_000,
        })
    }

    fn verify(json: &str) -> Result<SignedManifest, FormatError> {
        SignedManifest::verify(&jws::sign(&key(1), PROTECTED_HEADER, json.as_bytes()))
    }

    fn with(member: &str, value: Value) -> Result<SignedManifest, FormatError> {
        let mut json = sample();
        json[member] = value;
        verify(&json.to_string())
    }

    #[test]
    fn signed_manifest_says_what_was_signed() {
        let signed = verify(&sample().to_string()).unwrap();
        assert_eq!(signed.manifest().title, "Tide");
        assert_eq!(signed.manifest().terms.usage, Use::Download);
        assert_eq!(signed.digest(), &sha256(signed.token().as_bytes()));
        let again = SignedManifest::sign(signed.manifest().clone(), &key(1)).unwrap();
        assert_eq!(again.manifest(), signed.manifest());
        let other = SignedManifest::sign(signed.manifest().clone(), &key(2));
        assert_eq!(other, Err(FormatError::Signature));
    }

    #[test]
    fn each_member_keeps_its_limits() {
        for (member, good) in [
            ("title", json!("x".repeat(200))),
            ("title", json!("ä".repeat(200))),
            ("name", json!("x".repeat(255))),
            ("name", json!("..mp3")),
            ("media_type", json!("x")),
            ("mse", json!("video/mp4")),
            ("duration_ms", json!(0)),
            ("version", json!(MAX_FILE_BYTES)),
        ] {
            assert!(with(member, good.clone()).is_ok(), "{member} {good}");
        }
        for (member, bad) in [
            ("v", json!(2)),
            ("v", json!("1")),
            ("v", json!(1.0)),
            ("version", json!(0)),
            ("version", json!(-1)),
            ("version", json!(MAX_FILE_BYTES + 1)),
            ("work", json!("wrk_x")),
            ("work_nonce", json!(b64::encode(&[2; 15]))),
            ("work_nonce", json!("AgICAgICAgICAgICAgICAg==")),
            ("issuer", json!("https://satchel.example/")),
            ("title", json!("")),
            ("title", json!("x".repeat(201))),
            ("title", json!("a\u{1b}[2J")),
            ("name", json!("")),
            ("name", json!("..")),
            ("name", json!(".")),
            ("name", json!("a/b")),
            ("name", json!("a\\b")),
            ("name", json!("a\u{0}")),
            ("name", json!("ä".repeat(128))),
            ("media_type", json!("")),
            ("media_type", json!("x".repeat(256))),
            ("media_type", json!("text/plain\r\n")),
            ("mse", json!("")),
            ("mse", json!("x".repeat(256))),
            ("mse", json!(null)),
            ("duration_ms", json!(null)),
            ("preview_digest", json!(null)),
            ("duration_ms", json!(1.5)),
            ("terms", json!([false, 500_000, "download"])),
            ("terms", json!({"pay_more": false, "usd_micros": 1})),
            (
                "terms",
                json!({"pay_more": false, "usd_micros": 1, "use": "rent"}),
            ),
            (
                "terms",
                json!({"pay_more": false, "usd_micros": 1, "use": "stream", "x": 1}),
            ),
            (
                "creator",
                json!({"kty": "OKP", "crv": "X25519", "x": key(1).public().to_b64()}),
            ),
            (
                "creator",
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64::encode(&[0; 32])}),
            ),
            ("surprise", json!(1)),
        ] {
            assert_eq!(
                with(member, bad.clone()),
                Err(FormatError::ManifestShape),
                "{member} {bad}"
            );
        }
    }

    #[test]
    fn members_missing_or_twice_or_not_an_object_are_refused() {
        let whole = sample();
        for member in whole.as_object().unwrap().keys() {
            let mut json = whole.clone();
            json.as_object_mut().unwrap().remove(member);
            assert_eq!(
                verify(&json.to_string()),
                Err(FormatError::ManifestShape),
                "{member}"
            );
        }
        let text = whole.to_string();
        let twice = format!(r#"{{"version":1,{}"#, &text[1..]);
        let inner = text.replace(r#""pay_more":false"#, r#""pay_more":false,"pay_more":true"#);
        let array: Value = whole.as_object().unwrap().values().cloned().collect();
        let array = array.to_string();
        for bad in [
            &twice,
            &inner,
            &array,
            &format!("{text}x"),
            "",
            "null",
            "{}",
        ] {
            assert_eq!(verify(bad), Err(FormatError::ManifestShape), "{bad}");
        }
        assert!(verify(&format!(" {text}\n")).is_ok());
    }

    #[test]
    fn someone_elses_signature_or_work_is_refused() {
        let json = sample().to_string();
        let forged = jws::sign(&key(2), PROTECTED_HEADER, json.as_bytes());
        assert_eq!(SignedManifest::verify(&forged), Err(FormatError::Signature));
        assert_eq!(
            with("work_nonce", json!(b64::encode(&[9; 16]))),
            Err(FormatError::WorkId)
        );
        // The thief signs with his own key, for a work that is not his.
        let mut json = sample();
        json["creator"]["x"] = json!(key(2).public().to_b64());
        let forged = jws::sign(&key(2), PROTECTED_HEADER, json.to_string().as_bytes());
        assert_eq!(SignedManifest::verify(&forged), Err(FormatError::WorkId));
    }

    #[test]
    fn only_our_protected_header_is_read() {
        let json = sample().to_string();
        for header in [
            r#"{"alg":"none","typ":"satchel-manifest+jws"}"#,
            r#"{"alg":"EdDSA","typ":"satchel-order+jws"}"#,
            r#"{"alg":"EdDSA","typ":"satchel-manifest+jws","kid":"x"}"#,
            r#"{"alg":"EdDSA"}"#,
            "",
        ] {
            let token = jws::sign(&key(1), header, json.as_bytes());
            assert_eq!(
                SignedManifest::verify(&token),
                Err(FormatError::ManifestToken),
                "{header}"
            );
        }
    }
}

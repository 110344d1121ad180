//! Ids: checked once when they enter, then carried as types. Shapes: docs/API.md §1.

use std::fmt;

use satchel_json::{Error, Slot, Value};
use serde::{Serialize, Serializer};

/// The text does not have the shape of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this kind")
    }
}

const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Whether `text` is the only spelling of `bytes` bytes in an alphabet of `1 << bits` characters.
fn canonical(text: &str, alphabet: &[u8], bits: usize, bytes: usize) -> bool {
    let total = bytes.saturating_mul(8);
    let chars = total.div_ceil(bits);
    let stray = chars.saturating_mul(bits).saturating_sub(total);
    // Not by looking into the alphabet: every id in every document comes along here.
    let known = |byte: u8| match bits {
        5 => matches!(byte, b'a'..=b'z' | b'2'..=b'7'),
        _ => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
    };
    let last = text.bytes().last();
    let last = alphabet.iter().position(|c| Some(*c) == last);
    text.len() == chars
        && text.bytes().all(known)
        && last.is_some_and(|last| last.trailing_zeros() as usize >= stray.min(32))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $alphabet:ident, $bits:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Checks the shape: prefix, length, alphabet, no stray bits.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                let body = text.strip_prefix($prefix).ok_or(BadId)?;
                if canonical(body, $alphabet, $bits, $bytes) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId)
                }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The part after the prefix.
            #[must_use]
            pub fn body(&self) -> &str {
                self.0.strip_prefix($prefix).unwrap_or_default()
            }
        }

        impl Slot for $name {
            fn blank() -> Self {
                Self(String::new())
            }

            fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
                let text = value.text()?;
                match Self::parse(&text) {
                    Ok(id) => *self = id,
                    Err(BadId) => return Err(Error::new("not an id of this kind")),
                }
                Ok(())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A work: `wrk_` + base32 of SHA-256(creator's thumbprint ‖ nonce).
    WorkId, "wrk_", BASE32, 5, 32
);
id!(
    /// An order: `ord_` + base32 of an 8-byte work tag and 12 random bytes.
    OrderId, "ord_", BASE32, 5, 20
);
id!(
    /// A refund: `rfd_` + base32 of 20 bytes, derived from order and sequence.
    RefundId, "rfd_", BASE32, 5, 20
);
id!(
    /// An operator's correction: `cor_` + base32 of 20 random bytes.
    CorrectionId, "cor_", BASE32, 5, 20
);
id!(
    /// A funding of an account: `fnd_` + base32 of 20 random bytes.
    FundingId, "fnd_", BASE32, 5, 20
);
id!(
    /// An upload: `upl_` + base32 of 20 random bytes.
    UploadId, "upl_", BASE32, 5, 20
);
id!(
    /// A streaming session: `ses_` + base32 of 20 random bytes.
    SessionId, "ses_", BASE32, 5, 20
);
id!(
    /// A key's RFC 7638 SHA-256 thumbprint, base64url.
    Thumbprint, "", BASE64URL, 6, 32
);
id!(
    /// An account: the thumbprint of its root key.
    AccountId, "", BASE64URL, 6, 32
);
id!(
    /// A SHA-256 digest, base64url.
    Digest, "", BASE64URL, 6, 32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let good = format!("wrk_{}", "a".repeat(52));
        assert!(WorkId::parse(&good).is_ok());
        for bad in [
            String::new(),
            "wrk_".into(),
            good.to_uppercase(),
            format!("{good}a"),
            format!("wrk_{}b", "a".repeat(51)),
            format!("wrk_{}1", "a".repeat(51)),
            format!("ord_{}", "a".repeat(52)),
            format!("wrk_{}é", "a".repeat(50)),
        ] {
            assert_eq!(WorkId::parse(&bad), Err(BadId), "{bad}");
        }
        assert!(Thumbprint::parse(&format!("{}E", "A".repeat(42))).is_ok());
        assert_eq!(
            Thumbprint::parse(&format!("{}B", "A".repeat(42))),
            Err(BadId)
        );
        assert_eq!(Thumbprint::parse(&"A".repeat(44)), Err(BadId));
    }
}

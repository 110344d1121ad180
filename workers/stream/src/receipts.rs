//! Receipts: whose they are, and the purchase they speak of.
//!
//! This worker holds no receipt key; it reads the issuer's public ones, which `purchase` publishes.

use satchel_edge::Platform;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    jose::{self, Names},
    receipt::{self, Jwks, Receipt},
};

use crate::world::World;

/// How long published keys are used, milliseconds: as their `Cache-Control` allows.
const KEYS_LIFE_MS: u64 = 300_000;
/// How soon they are fetched again for a key that is not among them: a new key must work at once,
/// and invented ones must not make us ask for every request.
const KEYS_RETRY_MS: u64 = 10_000;
/// Longest handle that goes into a path.
const MAX_HANDLE_BYTES: usize = 256;

/// The issuer's published keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// The keys.
    pub(crate) jwks: Jwks,
    /// Unix milliseconds of the fetching.
    pub(crate) at_ms: u64,
}

impl Keys {
    fn may_verify(&self, kid: &str, now_ms: u64) -> bool {
        let age = now_ms.saturating_sub(self.at_ms);
        let known = self.jwks.keys.iter().any(|key| key.kid == kid);
        age < if known { KEYS_LIFE_MS } else { KEYS_RETRY_MS }
    }
}

/// The opaque name of a purchase, fit for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handle(String);

impl Handle {
    /// `pur_` and base64url, at most [`MAX_HANDLE_BYTES`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("pur_")?;
        let url_safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = text.len() <= MAX_HANDLE_BYTES && !name.is_empty() && name.bytes().all(url_safe);
        fits.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Verifies a receipt with the issuer's keys.
pub(crate) async fn verify(world: &impl World, token: &str) -> Result<(Receipt, Handle)> {
    let invalid = || ApiError::from(ErrorCode::ReceiptInvalid);
    // Read before it is verified only to know which key is asked for.
    let unverified =
        jose::read::<Receipt>(token, receipt::TYP, Names::Kid).map_err(|_| invalid())?;
    let kid = unverified.header.kid.as_deref().ok_or_else(invalid)?;
    let now_ms = world.now_ms();
    let known = world
        .known_keys()
        .filter(|keys| keys.may_verify(kid, now_ms));
    let keys = if let Some(keys) = known {
        keys
    } else {
        let keys = Keys {
            jwks: world.fetch_keys().await?,
            at_ms: now_ms,
        };
        world.remember_keys(keys.clone());
        keys
    };
    let receipt = receipt::verify(&Platform, token, world.issuer(), &keys.jwks).await?;
    let handle = Handle::parse(&receipt.handle).ok_or_else(invalid)?;
    Ok((receipt, handle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake, block_on};

    fn code(world: &Fake, token: &str) -> ErrorCode {
        block_on(verify(world, token)).unwrap_err().code
    }

    #[test]
    fn a_receipt_of_this_issuer_is_taken() {
        let world = Fake::default();
        let (receipt, handle) = block_on(verify(&world, &fake::receipt("1", 9, |_| ()))).unwrap();
        assert_eq!(receipt.handle, handle.as_str());
    }

    /// The classic bug of this kind of project: a paid route that takes any non-empty proof.
    #[test]
    fn anything_else_is_not() {
        let world = Fake::default();
        let good = fake::receipt("1", 9, |_| ());
        let (head, tail) = good.split_at(good.len() - 4);
        for bad in [
            "",
            "x",
            "a.b.c",
            "Bearer",
            &format!("{head}AAAA"),
            &format!("{good}{tail}"),
        ] {
            assert_eq!(code(&world, bad), ErrorCode::ReceiptInvalid, "{bad}");
        }
        for bad in [
            fake::receipt("1", 8, |_| ()),
            fake::receipt("nobody", 9, |_| ()),
            fake::receipt("../1", 9, |_| ()),
            fake::receipt("1", 9, |c| c["aud"] = "https://else.example".into()),
            fake::receipt("1", 9, |c| c["iss"] = "https://else.example".into()),
            fake::receipt("1", 9, |c| c["handle"] = "pur_../x".into()),
            fake::receipt("1", 9, |c| c["surprise"] = 1.into()),
        ] {
            assert_eq!(code(&world, &bad), ErrorCode::ReceiptInvalid);
        }
    }

    #[test]
    fn keys_are_fetched_once_in_a_while() {
        let world = Fake::default();
        let good = fake::receipt("1", 9, |_| ());
        let verify_at = |ms: u64, token: &str| {
            world.at(fake::NOW_MS + ms);
            let _ = block_on(verify(&world, token));
            world.fetches()
        };
        assert_eq!(verify_at(0, &good), 1);
        assert_eq!(verify_at(299_999, &good), 1);
        assert_eq!(verify_at(300_000, &good), 2);
    }

    #[test]
    fn a_new_key_works_at_once_and_invented_ones_cost_little() {
        let world = Fake::default();
        block_on(verify(&world, &fake::receipt("1", 9, |_| ()))).unwrap();
        let new = fake::receipt("2", 10, |_| ());
        world.publish_key("2", 10);
        world.at(fake::NOW_MS + 10_000);
        block_on(verify(&world, &new)).unwrap();
        assert_eq!(world.fetches(), 2);
        for n in 0..100 {
            assert_eq!(
                code(&world, &fake::receipt(&format!("x{n}"), 9, |_| ())),
                ErrorCode::ReceiptInvalid
            );
        }
        assert_eq!(world.fetches(), 2);
    }

    #[test]
    fn a_handle_is_fit_for_a_path() {
        assert!(Handle::parse("pur_Ab-_9").is_some());
        let (long, longest) = ("a".repeat(253), "a".repeat(252));
        assert!(Handle::parse(&format!("pur_{longest}")).is_some());
        for bad in [
            "", "pur_", "Ab", "pur_a/b", "pur_..", "pur_a%2f", "pur_é", "PUR_a", "pur_a?b",
        ] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
        assert_eq!(Handle::parse(&format!("pur_{long}")), None);
    }
}

//! The issuer's public API (docs/API.md §3), as much of it as this program uses.

use satchel_crypto::{Key32, b64, ed25519::SigningKey};
use satchel_domain::{id::FundingId, ledger::LedgerId, money::Msat};
use satchel_format::{ContentKey, Origin, WorkId};
use satchel_json::FromJson;
use satchel_wire::{
    delegation::{self, Delegation, Scope},
    jose::{self, Jwk},
    proof,
    receipt::Jwks,
    refund::{self, Refund},
    signout::{self, SignOut},
};
use serde_json::json;

use crate::{
    answers::{
        Account, Credited, Done, Key, Ordered, Quote, Record, Refunded, SignedOut, Transfers,
    },
    clock,
    fail::{Exit, Failure, Result},
    http::{Call, Headers, Http},
    wallet::Wallet,
};

/// How long this device's key may act before the root key must say so again: 90 days.
const DELEGATION_LIFE_S: u64 = 90 * 86_400;
/// A delegation that ends sooner than this is renewed first.
const DELEGATION_SPARE_S: u64 = 600;
/// How long a signed refund or sign-out may still be carried out, seconds.
const COMMAND_LIFE_S: u64 = 300;

/// One issuer.
#[derive(Debug)]
pub struct Issuer {
    http: Http,
    origin: Origin,
}

impl Issuer {
    /// `base` is where to send requests if that is not the issuer's own origin. Plain HTTP is
    /// refused beyond this machine: receipts and keys would lie open on the way.
    pub fn new(origin: &Origin, base: Option<&Origin>) -> Result<Self> {
        let base = base.unwrap_or(origin);
        if !base.is_private() {
            let what = format!("{base} is not encrypted (no https)");
            return Err(Failure::new(Exit::Guarded, what)
                .next("Keys sent there could be read on the way, so nothing was sent."));
        }
        Ok(Self {
            http: Http::new(base.as_str()),
            origin: origin.clone(),
        })
    }

    /// Its origin.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A proof that `key` sends this request, and the token it goes with.
    fn proof(&self, key: &SigningKey, call: &Call, token: Option<&str>) -> Result<Headers> {
        let url = format!("{}{}", self.origin, call.path);
        let unique = b64::encode(&clock::random::<16>()?);
        let proof = proof::sign(key, call.method, &url, token, unique, clock::now_s())
            .map_err(|_| signing_failed())?;
        let token = token.map(|token| ("Authorization", format!("DPoP {token}")));
        Ok([("DPoP", proof)].into_iter().chain(token).collect())
    }

    /// What is on record of a work.
    pub fn record(&self, work: &WorkId) -> Result<Record> {
        self.http.call(&Call::get(format!("/v1/works/{work}")))
    }

    /// A price for the newest version.
    pub fn quote(&self, work: &WorkId) -> Result<Quote> {
        self.http
            .call(&Call::post("/v1/quotes", json!({"work": work})))
    }

    /// Sends a signed order; the same order may be sent any number of times. Its answer is all
    /// that is needed, so nothing has to lie ready for somebody to pick up.
    pub fn order(&self, order: &str) -> Result<Ordered> {
        let body = json!({"order": order, "pickup": false});
        self.http.call(&Call::post("/v1/orders", body))
    }

    /// The keys receipts are signed with.
    pub fn jwks(&self) -> Result<Jwks> {
        self.http.call(&Call::get("/.well-known/jwks.json"))
    }

    /// The content key of a bought work.
    pub fn content_key(&self, receipt: &str, key: &SigningKey) -> Result<ContentKey> {
        let call = Call::post("/v1/keys", json!({}));
        let answer: Key = self
            .http
            .call_with(&call, || self.proof(key, &call, Some(receipt)))?;
        let key = Key32::from_b64(&answer.content_key)
            .map_err(|_| Failure::new(Exit::Refused, "the issuer's answer is not as documented"))?;
        Ok(ContentKey::from_key(key))
    }

    /// The wallet's account.
    pub fn account(&self, wallet: &Wallet) -> Result<Account> {
        let call = Call::get(format!("/v1/accounts/{}", wallet.account()?));
        self.http
            .call_with(&call, || self.proof(wallet.device(), &call, None))
    }

    /// Takes test money; `id` makes it harmless to ask twice.
    pub fn test_money(&self, wallet: &Wallet, id: &FundingId, msat: Msat) -> Result<Credited> {
        let path = format!("/v1/accounts/{}/test-money", wallet.account()?);
        let call = Call::post(path, json!({"id": id, "msat": msat}));
        self.http
            .call_with(&call, || self.proof(wallet.device(), &call, None))
    }

    /// Lines of the account's journal after one, oldest first.
    pub fn transfers(&self, wallet: &Wallet, after: u64) -> Result<Transfers> {
        let path = format!("/v1/accounts/{}/transfers", wallet.account()?);
        let call = Call::get(path).query("after", after);
        self.http
            .call_with(&call, || self.proof(wallet.device(), &call, None))
    }

    /// The same as the text of a CSV file, with the cursor of the page that follows.
    pub fn transfers_csv(&self, wallet: &Wallet, after: u64) -> Result<(String, Option<u64>)> {
        let path = format!("/v1/accounts/{}/transfers.csv", wallet.account()?);
        let call = Call::get(path).query("after", after);
        let (text, next) = self
            .http
            .text_with(&call, || self.proof(wallet.device(), &call, None))?;
        let cursor = next.map(|address| {
            let (_, cursor) = address.split_once("after=")?;
            cursor.split('&').next()?.parse().ok()
        });
        match cursor {
            Some(None) => Err(undocumented()),
            known => Ok((text, known.flatten())),
        }
    }

    /// Ends every delegation of the account: the root key says that this is its epoch now.
    pub fn sign_out(&self, wallet: &Wallet, epoch: u64) -> Result<SignedOut> {
        let now = clock::now_s();
        let account = wallet.account()?;
        let claims = SignOut {
            aud: self.origin.to_string(),
            account: account.clone(),
            root: Jwk::of(&wallet.root().public()),
            epoch,
            iat: now,
            exp: now.saturating_add(COMMAND_LIFE_S),
        };
        let signed = jose::sign(wallet.root(), signout::TYP, None, None, &claims)
            .map_err(|_| signing_failed())?;
        let path = format!("/v1/accounts/{account}/sign-out");
        self.http
            .call(&Call::post(path, json!({"sign_out": signed})))
    }

    /// Pays money back for a purchase. The same number of the same purchase is the same refund,
    /// however often it is sent.
    pub fn refund(&self, wallet: &Wallet, asked: &Asked<'_>) -> Result<Refunded> {
        let now = clock::now_s();
        let claims = Refund {
            aud: self.origin.to_string(),
            account: wallet.account()?,
            purchase: asked.purchase.to_owned(),
            seq: asked.seq,
            msat: asked.msat,
            ledger: asked.ledger,
            iat: now,
            exp: now.saturating_add(COMMAND_LIFE_S),
        };
        let kid = wallet.device_jkt()?;
        let signed = jose::sign(
            wallet.device(),
            refund::TYP,
            Some(kid.as_str()),
            None,
            &claims,
        )
        .map_err(|_| signing_failed())?;
        self.http
            .call(&Call::post("/v1/refunds", json!({"refund": signed})))
    }

    /// Sends an operator's signed command.
    pub fn operator<T: FromJson>(&self, command: &str) -> Result<T> {
        self.http
            .call(&Call::post("/v1/operator", json!({"command": command})))
    }

    /// Does something that needs the device key to be known to the issuer: makes it known before
    /// the first time, when it ends soon, and once more where the issuer has forgotten it.
    pub fn delegated<T>(
        &self,
        wallet: &mut Wallet,
        act: impl Fn(&Self, &Wallet) -> Result<T>,
    ) -> Result<T> {
        let soon = clock::now_s().saturating_add(DELEGATION_SPARE_S);
        let fresh = wallet.delegated_until(&self.origin) <= soon;
        if fresh {
            self.delegate(wallet)?;
        }
        match act(self, wallet) {
            Err(failure) if !fresh && forgotten(&failure) => {
                self.delegate(wallet)?;
                act(self, wallet)
            }
            answer => answer,
        }
    }

    /// Makes the device key known. An account that has signed out everywhere is in a later epoch,
    /// which the refusal tells.
    fn delegate(&self, wallet: &mut Wallet) -> Result<()> {
        match self.delegate_in(wallet, 0) {
            Err(Failure {
                number: Some(epoch),
                code: Some(code),
                ..
            }) if code == "delegation_expired" => self.delegate_in(wallet, epoch),
            answer => answer,
        }
    }

    fn delegate_in(&self, wallet: &mut Wallet, epoch: u64) -> Result<()> {
        let now = clock::now_s();
        let until = now.saturating_add(DELEGATION_LIFE_S);
        let account = wallet.account()?;
        let claims = Delegation {
            aud: self.origin.to_string(),
            account: account.clone(),
            root: Jwk::of(&wallet.root().public()),
            key: Jwk::of(&wallet.device().public()),
            scope: vec![Scope::Spend, Scope::Read],
            max_order_msat: None,
            max_total_msat: None,
            max_day_msat: None,
            backup: None,
            epoch,
            iat: now,
            exp: until,
        };
        let signed = jose::sign(wallet.root(), delegation::TYP, None, None, &claims)
            .map_err(|_| signing_failed())?;
        let path = format!("/v1/accounts/{account}/delegations");
        let call = Call::post(path, json!({"delegation": signed}));
        let _: Done = self.http.call(&call)?;
        wallet.set_delegated(&self.origin, until)
    }
}

/// A refund to be made.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The purchase's handle.
    pub purchase: &'a str,
    /// Which refund of it.
    pub seq: u32,
    /// How much.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
}

/// Whether the issuer does not know the device key (any more), so that saying it again may help.
fn forgotten(failure: &Failure) -> bool {
    ["wrong_key", "delegation_expired", "scope_missing"]
        .iter()
        .any(|code| failure.is(code))
}

fn undocumented() -> Failure {
    Failure::new(Exit::Refused, "the issuer's answer is not as documented")
}

/// Signing is arithmetic on memory; that it can fail is a matter of types only.
pub(crate) fn signing_failed() -> Failure {
    Failure::new(Exit::Machine, "a document can't be signed")
}

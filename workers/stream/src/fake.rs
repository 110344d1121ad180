//! A world in memory, and documents to send into it.

use std::cell::{Cell, RefCell};

use satchel_crypto::{
    Key32, b32, b64,
    ed25519::{SigningKey, at_once},
    wrap::Keyring,
};
use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::{Agreement, LedgerId},
    money::Msat,
    terms::Use,
    work::WorkState,
};
use satchel_format::ContentKey;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    internal::{Entitlement, Transfer, VersionKeys, WRAP_ROOT, wrap_aad},
    jose,
    proof::Proven,
    quote::QuotedRate,
    receipt::{self, Jwks, PublishedKey, Receipt},
};
use serde_json::Value;

use crate::{
    playback::{Ask, Open, Opened, Playback, Release},
    receipts::{Handle, Keys},
    world::World,
};

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
const ISSUER: &str = "https://satchel.example";
const HANDLE: &str = "pur_AbC-_9";

/// Runs a future that never waits for anything.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    at_once(future).expect("a fake never waits")
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([n; 32]))
}

fn thumbprint(n: u8) -> Thumbprint {
    Thumbprint::parse(&key(n).public().jkt()).unwrap()
}

fn work() -> WorkId {
    WorkId::parse(&format!("wrk_{}", b32::encode(&[1; 32]))).unwrap()
}

fn wrapping_keys() -> Keyring {
    Keyring::parse(&format!("1:{}", b64::encode(&[5; 32]))).unwrap()
}

pub(crate) fn content_key() -> Key32 {
    Key32::from_bytes([6; 32])
}

fn format_work() -> satchel_format::WorkId {
    satchel_format::WorkId::parse(work().as_str()).unwrap()
}

pub(crate) fn root_key() -> Key32 {
    ContentKey::from_key(content_key())
        .window_root(&format_work())
        .key()
        .clone()
}

/// What a player should get for window `n`.
pub(crate) fn window_key(n: u32) -> String {
    let root = ContentKey::from_key(content_key()).window_root(&format_work());
    b64::encode(root.window_key(&format_work(), n).key().as_bytes())
}

fn digest() -> Digest {
    Digest::parse(&b64::encode(&[3; 32])).unwrap()
}

/// The window root, wrapped for a version.
pub(crate) fn root_of_version(version: u32) -> String {
    let bound_to = wrap_aad(WRAP_ROOT, &work(), version);
    wrapping_keys()
        .wrap(&root_key(), &bound_to, [0; 12])
        .unwrap()
}

fn entitlement() -> Entitlement {
    Entitlement {
        work: work(),
        version: 1,
        usage: Use::Stream,
        active: true,
        state: WorkState::Published,
        keys: VersionKeys {
            version: 1,
            manifest_digest: digest(),
            wrapped_key: "1.AA".into(),
            wrapped_root: Some(root_of_version(1)),
            windows: 10,
            window_ms: 10_000,
        },
        hls: None,
    }
}

/// As a creator who allows other players.
pub(crate) fn hls_allowed(entitlement: &mut Entitlement) {
    entitlement.hls = Some(true);
}

pub(crate) fn taken_down(entitlement: &mut Entitlement) {
    entitlement.state = WorkState::TakenDown;
}

pub(crate) fn refunded(entitlement: &mut Entitlement) {
    entitlement.active = false;
}

/// The receipt of key 1, before it is signed.
fn claims() -> Receipt {
    let agreement = Agreement {
        order: OrderId::parse(&format!("ord_{}", b32::encode(&[2; 20]))).unwrap(),
        account: AccountId::parse(thumbprint(4).as_str()).unwrap(),
        work: work(),
        version: 1,
        terms_digest: digest(),
        usd_micros: 500_000,
        msat: Msat::new(500_000).unwrap(),
        cnf: thumbprint(1),
        ledger: LedgerId::Test,
    };
    let transfer = Transfer {
        agreement,
        time: NOW_MS / 1000 - 60,
        manifest_digest: digest(),
        usage: Use::Stream,
        rate: QuotedRate {
            usd_micros_per_btc: 100_000_000_000,
            time: NOW_MS / 1000,
        },
        title: "Tide".into(),
        handle: HANDLE.into(),
    };
    Receipt::of(&transfer, ISSUER)
}

/// A receipt of key 1, signed by key `signer` under the name `kid`.
pub(crate) fn receipt(kid: &str, signer: u8, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = serde_json::to_value(claims()).unwrap();
    change(&mut claims);
    jose::sign(&key(signer), receipt::TYP, Some(kid), None, &claims).unwrap()
}

/// A verified receipt of key 1.
pub(crate) fn purchase() -> (Receipt, Handle) {
    (claims(), Handle::parse(HANDLE).unwrap())
}

/// One purchase, one object; keys are published under the name `1`.
pub(crate) struct Fake {
    now_ms: Cell<u64>,
    count: Cell<u8>,
    fetches: Cell<u32>,
    reads: Cell<u32>,
    asks: Cell<u32>,
    published: RefCell<Jwks>,
    keys: RefCell<Option<Keys>>,
    entitlement: RefCell<Entitlement>,
    playback: RefCell<Playback>,
}

impl Default for Fake {
    fn default() -> Self {
        let fake = Self {
            now_ms: Cell::new(NOW_MS),
            count: Cell::default(),
            fetches: Cell::default(),
            reads: Cell::default(),
            asks: Cell::default(),
            published: RefCell::default(),
            keys: RefCell::default(),
            entitlement: RefCell::new(entitlement()),
            playback: RefCell::default(),
        };
        fake.publish_key("1", 9);
        fake
    }
}

impl Fake {
    pub(crate) fn at(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    pub(crate) fn publish_key(&self, kid: &str, n: u8) {
        self.published
            .borrow_mut()
            .keys
            .push(PublishedKey::of(kid, &key(n).public()));
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Entitlement)) {
        change(&mut self.entitlement.borrow_mut());
    }

    pub(crate) fn fetches(&self) -> u32 {
        self.fetches.get()
    }

    pub(crate) fn reads(&self) -> u32 {
        self.reads.get()
    }

    pub(crate) fn asks(&self) -> u32 {
        self.asks.get()
    }

    /// A proof by key `n`, never the same twice.
    pub(crate) fn proven(&self, n: u8) -> Proven {
        Proven {
            key: thumbprint(n),
            jti: format!("proof {}", self.next()),
            iat: 0,
        }
    }

    fn next(&self) -> u8 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
}

fn one_more(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

impl World for Fake {
    fn issuer(&self) -> &'static str {
        ISSUER
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn random(&self) -> Result<[u8; 20]> {
        Ok([self.next(); 20])
    }

    fn capability_key(&self) -> Result<Key32> {
        Ok(Key32::from_bytes([8; 32]))
    }

    fn hls_key(&self) -> Result<Key32> {
        Ok(Key32::from_bytes([11; 32]))
    }

    fn wrapping_keys(&self) -> Result<Keyring> {
        Ok(wrapping_keys())
    }

    fn fault(&self, _: &'static str) -> ApiError {
        ErrorCode::Internal.into()
    }

    fn known_keys(&self) -> Option<Keys> {
        self.keys.borrow().clone()
    }

    fn remember_keys(&self, keys: Keys) {
        *self.keys.borrow_mut() = Some(keys);
    }

    async fn fetch_keys(&self) -> Result<Jwks> {
        one_more(&self.fetches);
        Ok(self.published.borrow().clone())
    }

    async fn entitlement(&self, _: &Handle) -> Result<Entitlement> {
        one_more(&self.reads);
        Ok(self.entitlement.borrow().clone())
    }

    async fn open(&self, _: &Handle, open: &Open) -> Result<Opened> {
        let mut playback = self.playback.borrow().clone();
        let answer = playback.open(open.clone(), self.now_ms())?;
        *self.playback.borrow_mut() = playback;
        Ok(answer)
    }

    async fn ask(&self, _: &Handle, ask: &Ask) -> Result<Option<Release>> {
        one_more(&self.asks);
        let mut playback = self.playback.borrow().clone();
        let answer = playback.ask(ask.clone(), self.now_ms())?;
        *self.playback.borrow_mut() = playback;
        Ok(answer)
    }
}

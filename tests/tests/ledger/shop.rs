//! What clients and the ledger's entry do: documents, quotes, works, and the few lines of
//! `routes.rs` that look a work or a sale up before an account is asked.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use satchel_crypto::{Key32, b32, b64, ed25519::PublicKey, sha256};
use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::LedgerId,
    money::Msat,
    splits::Split,
    terms::{Terms, Use},
    work::WorkState,
};
use satchel_json::FromJson;
use satchel_ledger_worker::{book, host::Config};
use satchel_wire::{
    ErrorCode, Result,
    api::{Record, RefundOut, TestMoneyOut, VersionRecord},
    delegation::{Delegation, Scope},
    internal::{
        AccountOrder, Fund, OrderedWork, Posted, PublishWork, RefundOrder, RegisterWork, Sale,
        StateChange, VersionKeys, WorkSnapshot,
    },
    jose::{Header, Jwk},
    order::{self, Cnf, Order},
    quote::{Quote, QuotedRate},
    refund::{self, Refund},
    signout::SignOut,
};
use serde::Serialize;

use crate::{engine::Sim, tables::Sort};

pub const ISSUER: &str = "https://issuer.example";
/// Orders may be made by snapshots of works that are so old.
const SNAPSHOT_LIFE_MS: u64 = 20_000;

pub fn config() -> Config {
    Config {
        issuer: ISSUER.into(),
        ledger: LedgerId::Test,
        fee_bps: 500,
        quote_key: Key32::from_bytes([1; 32]),
        handle_key: Key32::from_bytes([2; 32]),
    }
}

pub fn msat(n: u64) -> Msat {
    Msat::new(n).unwrap()
}

/// A key that nobody has to sign with.
pub fn key(name: &str) -> PublicKey {
    let mut bytes = sha256(name.as_bytes());
    bytes[31] &= 0x3f;
    PublicKey::from_bytes(&bytes).unwrap()
}

/// A document in its form, with a signature that only its length vouches for.
fn signed(typ: &str, kid: &str, claims: &impl Serialize) -> String {
    let header = Header {
        alg: "EdDSA".into(),
        typ: typ.into(),
        kid: Some(kid.into()),
        jwk: None,
    };
    format!(
        "{}.{}.{}",
        b64::encode(&serde_json::to_vec(&header).unwrap()),
        b64::encode(&serde_json::to_vec(claims).unwrap()),
        b64::encode(&[7; 64])
    )
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub root: PublicKey,
    pub account: AccountId,
}

impl Person {
    pub fn of(name: &str) -> Self {
        let root = key(name);
        Self {
            account: AccountId::parse(&root.jkt()).unwrap(),
            root,
        }
    }

    /// One of its keys.
    pub fn key(&self, n: u32) -> PublicKey {
        key(&format!("{}/{n}", self.account))
    }

    pub fn jkt(&self, n: u32) -> String {
        self.key(n).jkt()
    }
}

/// A work as it is sold here.
#[derive(Debug, Clone)]
pub struct Ware {
    pub work: WorkId,
    pub seller: Person,
    pub terms: Terms,
    pub version: u32,
    pub title: String,
    pub splits: Vec<Split>,
}

impl Ware {
    pub fn of(name: &str, seller: Person, terms: Terms) -> Self {
        let id = format!(
            "{}{}",
            WorkId::PREFIX,
            b32::encode(&sha256(name.as_bytes()))
        );
        Self {
            work: WorkId::parse(&id).unwrap(),
            seller,
            terms,
            version: 1,
            title: name.into(),
            splits: Vec::new(),
        }
    }

    /// Shared with somebody.
    pub fn with(mut self, who: &Person, bps: u32) -> Self {
        let account = who.account.clone();
        self.splits.retain(|split| split.account != account);
        self.splits.push(Split { account, bps });
        self
    }

    pub fn terms_digest(&self) -> Digest {
        Digest::parse(&b64::encode(&sha256(self.terms.canonical().as_bytes()))).unwrap()
    }

    fn manifest(&self) -> Digest {
        let name = format!("{}/{}", self.work, self.version);
        Digest::parse(&b64::encode(&sha256(name.as_bytes()))).unwrap()
    }

    fn keys(&self) -> VersionKeys {
        VersionKeys {
            version: self.version,
            manifest_digest: self.manifest(),
            wrapped_key: "k".into(),
            wrapped_root: None,
            windows: 1,
            window_ms: 10_000,
        }
    }

    fn publish(&self) -> PublishWork {
        PublishWork {
            version: Some(VersionRecord {
                version: self.version,
                manifest_digest: self.manifest(),
                size: 1,
                name: "file".into(),
                media_type: "text/plain".into(),
                mse: None,
                usage: Use::Download,
                url: "https://files.example/f".into(),
                signer: Thumbprint::parse(&self.seller.jkt(0)).unwrap(),
                preview: None,
            }),
            title: self.title.clone(),
            terms: self.terms,
            splits: Some(self.splits.clone()),
            listing: None,
        }
    }
}

pub fn terms(usd_micros: u64, limit: Option<u32>, giveaway: Option<u32>) -> Terms {
    Terms {
        giveaway,
        limit,
        pay_more: true,
        usd_micros,
        usage: Use::Download,
    }
}

/// An entry of the ledger: one of its isolates, with its cache of works.
pub struct Entry {
    pub sim: Rc<Sim>,
    snapshots: RefCell<BTreeMap<WorkId, (u64, WorkSnapshot)>>,
}

impl Entry {
    pub fn of(sim: &Rc<Sim>) -> Rc<Self> {
        Rc::new(Self {
            sim: Rc::clone(sim),
            snapshots: RefCell::default(),
        })
    }

    pub async fn ask(&self, sort: Sort, name: &str, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let object = self.sim.object(sort, name);
        self.sim.ask(None, &object, path, body).await
    }

    pub async fn tell<O: FromJson>(
        &self,
        sort: Sort,
        name: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<O> {
        let body = serde_json::to_vec(body).unwrap();
        let answer = self.ask(sort, name, path, &body).await?;
        Ok(satchel_json::from_slice(&answer).unwrap())
    }

    pub fn forget(&self, work: &WorkId) {
        self.snapshots.borrow_mut().remove(work);
    }

    async fn snapshot(&self, work: &WorkId) -> Result<Option<WorkSnapshot>> {
        match self.ask(Sort::Work, work.as_str(), "/", b"").await {
            Ok(answer) => Ok(Some(satchel_json::from_slice(&answer).unwrap())),
            Err(error) if error.code == ErrorCode::UnknownWork => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn snapshot_for_order(&self, work: &WorkId) -> Result<Option<WorkSnapshot>> {
        let now = self.sim.now();
        if let Some((at, known)) = self.snapshots.borrow().get(work)
            && now - at < SNAPSHOT_LIFE_MS
        {
            return Ok(Some(known.clone()));
        }
        let fresh = self.snapshot(work).await?;
        if let Some(fresh) = &fresh
            && fresh.record.state == WorkState::Published
        {
            let kept = (self.sim.now(), fresh.clone());
            self.snapshots.borrow_mut().insert(work.clone(), kept);
        }
        Ok(fresh)
    }

    /// `POST /internal/orders`.
    pub async fn order(&self, token: &str) -> Result<Posted> {
        let claims = order::read(token)?.claims;
        let mut work = self.snapshot_for_order(&claims.work).await?;
        if work
            .as_ref()
            .is_some_and(|w| w.record.version < claims.version)
        {
            self.forget(&claims.work);
            work = self.snapshot_for_order(&claims.work).await?;
        }
        let ordered = work.map(|work| OrderedWork::of(&work, claims.version));
        let order = AccountOrder {
            order: token.to_owned(),
            work: ordered,
        };
        self.tell(Sort::Account, claims.account.as_str(), "/order", &order)
            .await
    }

    /// `POST /v1/refunds`.
    pub async fn refund(&self, token: &str) -> Result<RefundOut> {
        let claims = refund::read(token)?.claims;
        let handle_key = &self.sim.config.handle_key;
        let (buyer, order) = book::read_handle(handle_key, &claims.purchase)?;
        let path = format!("/sale/{order}");
        let sale: Sale = self.tell(Sort::Account, buyer.as_str(), &path, &()).await?;
        let order = RefundOrder {
            refund: token.to_owned(),
            sale,
        };
        self.tell(Sort::Account, claims.account.as_str(), "/refund", &order)
            .await
    }

    /// `POST /v1/operator`, of a takedown or its end.
    pub async fn set_state(&self, work: &WorkId, change: StateChange) -> Result<()> {
        let body = serde_json::to_vec(&change).unwrap();
        let done = self.ask(Sort::Work, work.as_str(), "/state", &body).await;
        self.forget(work);
        done.map(|_| ())
    }

    pub async fn fund(&self, person: &Person, id: &str, amount: u64) -> Result<TestMoneyOut> {
        let fund = Fund {
            key: Thumbprint::parse(&person.jkt(0)).unwrap(),
            id: id.into(),
            msat: msat(amount),
        };
        let path = format!("/fund/{}", person.account);
        self.tell(Sort::Account, person.account.as_str(), &path, &fund)
            .await
    }

    pub async fn delegate(&self, delegation: &Delegation) -> Result<()> {
        let body = serde_json::to_vec(delegation).unwrap();
        let account = delegation.account.as_str();
        let done = self
            .ask(Sort::Account, account, "/delegations", &body)
            .await;
        done.map(|_| ())
    }

    pub async fn sign_out(&self, person: &Person, epoch: u64) -> Result<()> {
        let now = self.sim.now() / 1_000;
        let asked = SignOut {
            aud: ISSUER.into(),
            account: person.account.clone(),
            root: Jwk::of(&person.root),
            epoch,
            iat: now,
            exp: now + 300,
        };
        let body = serde_json::to_vec(&asked).unwrap();
        let account = person.account.as_str();
        let done = self.ask(Sort::Account, account, "/sign-out", &body).await;
        done.map(|_| ())
    }

    /// Registers and publishes a work, however often it has to be said.
    pub async fn put_on_sale(&self, ware: &Ware) {
        let work = ware.work.as_str();
        let register = serde_json::to_vec(&RegisterWork {
            creator: Jwk::of(&ware.seller.root),
            title: ware.title.clone(),
            media_type: "text/plain".into(),
            terms: ware.terms,
            payee: ware.seller.account.clone(),
            splits: Some(ware.splits.clone()),
            listing: None,
        });
        let steps = [
            (format!("/register/{work}/test"), register.unwrap()),
            ("/intake".into(), serde_json::to_vec(&ware.keys()).unwrap()),
            (
                "/publish".into(),
                serde_json::to_vec(&ware.publish()).unwrap(),
            ),
        ];
        for (path, body) in steps {
            while self.ask(Sort::Work, work, &path, &body).await.is_err() {
                self.sim.pause(500).await;
            }
        }
    }

    /// Publishes a version of a work that is on sale.
    pub async fn publish(&self, ware: &Ware) -> Result<Record> {
        let work = ware.work.as_str();
        let keys = serde_json::to_vec(&ware.keys()).unwrap();
        self.ask(Sort::Work, work, "/intake", &keys).await?;
        let publish = ware.publish();
        let done = self.tell(Sort::Work, work, "/publish", &publish).await;
        self.forget(&ware.work);
        done
    }
}

/// A delegation of one of a person's keys.
pub fn delegation(
    sim: &Sim,
    person: &Person,
    n: u32,
    epoch: u64,
    max_total: Option<u64>,
) -> Delegation {
    let now = sim.now() / 1_000;
    Delegation {
        aud: ISSUER.into(),
        account: person.account.clone(),
        root: Jwk::of(&person.root),
        key: Jwk::of(&person.key(n)),
        scope: vec![Scope::Spend, Scope::Read],
        max_order_msat: None,
        max_total_msat: max_total.map(msat),
        max_day_msat: None,
        backup: None,
        epoch,
        iat: now,
        exp: now + 60 * 24 * 3_600,
    }
}

/// An order for a ware at a price, under a fresh quote.
pub fn new_order(sim: &Sim, buyer: &Person, n: u32, ware: &Ware, price: u64) -> Order {
    let id = order::new_id(&ware.work, sim.bytes()).unwrap();
    order_of(sim, id, buyer, n, ware, price)
}

pub fn order_of(sim: &Sim, id: OrderId, buyer: &Person, n: u32, ware: &Ware, price: u64) -> Order {
    let now = sim.now() / 1_000;
    let quote = Quote {
        aud: ISSUER.into(),
        work: ware.work.clone(),
        version: ware.version,
        terms_digest: ware.terms_digest(),
        usd_micros: price,
        msat: msat(price),
        ledger: LedgerId::Test,
        rate: QuotedRate {
            usd_micros_per_btc: 1,
            time: now,
        },
        exp: now + satchel_wire::quote::QUOTE_LIFE_S,
    };
    Order {
        aud: ISSUER.into(),
        order: id,
        account: buyer.account.clone(),
        work: ware.work.clone(),
        version: ware.version,
        terms_digest: ware.terms_digest(),
        usd_micros: price,
        msat: msat(price),
        quote: quote.issue(&sim.config.quote_key).unwrap(),
        cnf: Cnf {
            jkt: Thumbprint::parse(&buyer.jkt(n)).unwrap(),
        },
        iat: now,
        exp: now + 3_600,
        ledger: LedgerId::Test,
    }
}

pub fn sign_order(buyer: &Person, n: u32, order: &Order) -> String {
    signed(order::TYP, &buyer.jkt(n), order)
}

pub fn sign_refund(sim: &Sim, seller: &Person, handle: &str, seq: u32, amount: u64) -> String {
    let now = sim.now() / 1_000;
    let claims = Refund {
        aud: ISSUER.into(),
        account: seller.account.clone(),
        purchase: handle.into(),
        seq,
        msat: msat(amount),
        ledger: LedgerId::Test,
        iat: now,
        exp: now + 3_600,
    };
    signed(refund::TYP, &seller.jkt(0), &claims)
}

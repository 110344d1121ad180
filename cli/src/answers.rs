//! What this program reads of the issuer's answers (docs/API.md §3).
//!
//! Only the members it uses, and others may stand beside them: an installed program must go on
//! working with an issuer that has learnt to say more. What is signed (receipts) is read strictly
//! by `satchel-wire`.

use satchel_domain::{
    id::{Digest, Thumbprint, WorkId},
    ledger::LedgerId,
    money::Msat,
    terms::{Terms, Use},
};
use satchel_wire::{api::OrderStatus, jose::Jwk};
use serde::Serialize;

/// What the issuer says about a work.
#[derive(Debug)]
pub struct Record {
    /// Who made it.
    pub creator: Jwk,
    /// Newest published version.
    pub version: u64,
    /// All published versions.
    pub versions: Vec<VersionRecord>,
}
satchel_json::read!(Record {
    creator,
    version,
    versions,
    ..
});

/// What the issuer says about one version.
#[derive(Debug)]
pub struct VersionRecord {
    /// Number, from 1.
    pub version: u64,
    /// SHA-256 of the manifest.
    pub manifest_digest: Digest,
    /// Bytes of the packed file.
    pub size: u64,
    /// What it was packed for.
    pub usage: Use,
    /// Where the packed file lies.
    pub url: String,
    /// Thumbprint of the manifest's signer.
    pub signer: Thumbprint,
}
satchel_json::read!(VersionRecord { version, manifest_digest, size, usage = "use", url, signer, .. });

/// A price, held for some minutes.
#[derive(Debug)]
pub struct Quote {
    /// The token to put in the order.
    pub quote: String,
    /// The work.
    pub work: WorkId,
    /// Its version.
    pub version: u32,
    /// Its terms.
    pub terms: Terms,
    /// Their digest.
    pub terms_digest: Digest,
    /// Millionths of a dollar.
    pub usd_micros: u64,
    /// Millisatoshi.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
}
satchel_json::read!(Quote {
    quote,
    work,
    version,
    terms,
    terms_digest,
    usd_micros,
    msat,
    ledger,
    ..
});

/// What became of an order.
#[derive(Debug)]
pub struct Ordered {
    /// Where it stands.
    pub status: OrderStatus,
    /// Whether this very order was posted before; nothing of one that is not decided.
    pub replayed: Option<bool>,
    /// Whether the work was owned already, so that nothing was paid.
    pub owned: Option<bool>,
    /// The receipt, once posted.
    pub receipt: Option<String>,
}
satchel_json::read!(Ordered {
    status,
    replayed,
    owned,
    receipt,
    ..
});

/// A content key.
#[derive(Debug)]
pub struct Key {
    /// 32 bytes, base64url.
    pub content_key: String,
}
satchel_json::read!(Key { content_key, .. });

/// An account as its owner sees it.
#[derive(Debug)]
pub struct Account {
    /// Which money.
    pub ledger: LedgerId,
    /// Whether test money can be had here.
    pub test_money: bool,
    /// What may be spent.
    pub balance_msat: Msat,
    /// What is reserved.
    pub pending_msat: Msat,
    /// Sales not yet settled.
    pub incoming_msat: Msat,
    /// The rate, if there is one.
    pub rate: Option<Rate>,
    /// Delegations of earlier ones have ended; an older issuer has none.
    pub epoch: Option<u64>,
}
satchel_json::read!(Account {
    ledger,
    test_money,
    balance_msat,
    pending_msat,
    incoming_msat,
    rate,
    epoch,
    ..
});

/// The exchange rate.
#[derive(Debug)]
pub struct Rate {
    /// Millionths of a dollar for a bitcoin.
    pub usd_micros_per_btc: u64,
    /// When it was true.
    pub time: u64,
    /// Where it comes from.
    pub source: String,
}
satchel_json::read!(Rate {
    usd_micros_per_btc,
    time,
    source,
    ..
});

/// Test money was credited.
#[derive(Debug)]
pub struct Credited {
    /// What may be spent now.
    pub balance_msat: Msat,
}
satchel_json::read!(Credited { balance_msat, .. });

/// Some lines of the account's journal, oldest first.
#[derive(Debug)]
pub struct Transfers {
    /// The lines.
    pub transfers: Vec<Line>,
    /// The cursor of the next page.
    pub next: Option<u64>,
}
satchel_json::read!(Transfers {
    transfers,
    next,
    ..
});

/// A line of the account's journal.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its number.
    pub line: u64,
    /// Unix seconds.
    pub time: u64,
    /// Why money moved.
    pub kind: String,
    /// What came in.
    pub credit_msat: Msat,
    /// What went out.
    pub debit_msat: Msat,
    /// The balance after it.
    pub balance_msat: Msat,
    /// How many transfers it stands for.
    pub count: u64,
    /// The order, of purchases and refunds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
    /// Its title, or a correction's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}
satchel_json::read!(Line {
    line,
    time,
    kind,
    credit_msat,
    debit_msat,
    balance_msat,
    count,
    order,
    work,
    title,
    ..
});

/// Every delegation before this epoch has ended.
#[derive(Debug)]
pub struct SignedOut {
    /// The account's epoch now.
    pub epoch: u64,
}
satchel_json::read!(SignedOut { epoch, .. });

/// What became of a refund.
#[derive(Debug)]
pub struct Refunded {
    /// `posted`, or `pending`.
    pub status: OrderStatus,
    /// Whether this very refund was posted before.
    pub replayed: bool,
    /// Its id.
    pub refund: String,
    /// How much went back to the buyer.
    pub msat: Msat,
    /// How much of the fee came back.
    pub fee_returned_msat: Msat,
}
satchel_json::read!(Refunded {
    status,
    replayed,
    refund,
    msat,
    fee_returned_msat,
    ..
});

/// Something was done.
#[derive(Debug)]
pub struct Done {}
satchel_json::read!(Done { .. });

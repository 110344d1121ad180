//! Between workers, and between the ledger's objects. Never reachable from outside: the gateway
//! forwards no path under `/internal/`.

use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::{Agreement, Offer},
    money::{Msat, Rate},
    splits::Split,
    terms::{Terms, Use},
    work::{Change, WorkState},
};
use serde::Serialize;

pub use crate::audit::{AccountAudit, AuditSum, DirectoryPage, InboxAudit};
use crate::{
    api::{Record, VersionRecord},
    jose::Jwk,
    listing::Listing,
    quote::QuotedRate,
};

/// A posted transfer as far as receipts and keys need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// What was agreed, with the key the receipt is for.
    pub agreement: Agreement,
    /// Unix seconds of the posting.
    pub time: u64,
    /// The manifest of the version bought.
    pub manifest_digest: Digest,
    /// What may be done.
    #[serde(rename = "use")]
    pub usage: Use,
    /// The rate of the quote.
    pub rate: QuotedRate,
    /// Title when bought.
    pub title: String,
    /// The purchase, opaque; the same for every re-issue.
    pub handle: String,
}
satchel_json::read!(Transfer { agreement, time, manifest_digest, usage = "use", rate, title, handle, .. });

/// Answer to `POST /internal/orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// The transfer.
    pub transfer: Transfer,
    /// Posted before by this very order.
    pub replayed: bool,
    /// The work was owned already.
    pub owned: bool,
}
satchel_json::read!(Posted {
    transfer,
    replayed,
    owned,
    ..
});

/// Answer to `GET /internal/orders/{account}/{order}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderFound {
    /// The transfer, if the account knows the order.
    pub transfer: Option<Transfer>,
}
satchel_json::read!(OrderFound { transfer, .. });

/// An idempotency key is used for the payment with this digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Of the order as sent.
    pub digest: String,
}
satchel_json::read!(Claim { digest, .. });

/// What a work's object tells the other workers. Readers may keep it for 20 s.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkSnapshot {
    /// What everybody may see.
    pub record: Record,
    /// Who is paid.
    pub payee: AccountId,
    /// Wrapped keys of the published versions.
    pub keys: Vec<VersionKeys>,
    /// Over how many inboxes its sales are spread; 1 unless it sells by the dozen a second.
    pub slots: Option<u32>,
    /// With whom the payee shares. Told to nobody but the work's creator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Split>>,
}
satchel_json::read!(WorkSnapshot {
    record,
    payee,
    keys,
    slots,
    splits,
    ..
});

impl WorkSnapshot {
    /// As the ledger decides by it.
    #[must_use]
    pub fn offer(&self) -> Offer {
        Offer {
            state: self.record.state,
            version: self.record.version,
            payee: self.payee.clone(),
            limited: self.record.terms.limit.is_some(),
        }
    }

    /// The record of a version.
    #[must_use]
    pub fn version(&self, version: u32) -> Option<&VersionRecord> {
        self.record.versions.iter().find(|v| v.version == version)
    }

    /// The keys of a version.
    #[must_use]
    pub fn keys(&self, version: u32) -> Option<&VersionKeys> {
        self.keys.iter().find(|k| k.version == version)
    }
}

/// Wrapped keys of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionKeys {
    /// The version.
    pub version: u32,
    /// The manifest the key agrees with.
    pub manifest_digest: Digest,
    /// The content key under purchase's wrapping key.
    pub wrapped_key: String,
    /// The window root under stream's wrapping key, for `stream` works.
    pub wrapped_root: Option<String>,
    /// How many windows there are at most.
    pub windows: u32,
    /// Milliseconds of a window.
    pub window_ms: u64,
}
satchel_json::read!(VersionKeys {
    version,
    manifest_digest,
    wrapped_key,
    wrapped_root,
    windows,
    window_ms,
    ..
});

/// `POST /internal/works/{work}/register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterWork {
    /// Who made it.
    pub creator: Jwk,
    /// Title.
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
satchel_json::read!(RegisterWork {
    creator,
    title,
    media_type,
    terms,
    payee,
    splits,
    listing,
    ..
});

/// Answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Whether it was new; `false` where the very same was registered before.
    pub created: bool,
    /// What everybody may see.
    pub record: Record,
}
satchel_json::read!(Registered {
    created,
    record,
    ..
});

/// `POST /internal/works/{work}/publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishWork {
    /// The version; none where only what follows changes, and then shares and listing that are left out
    /// are cleared. With a version they stay.
    pub version: Option<VersionRecord>,
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
satchel_json::read!(PublishWork {
    version,
    title,
    terms,
    splits,
    listing,
    ..
});

/// `POST /internal/works/{work}/offered`: its creator takes it off sale or puts it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Offered {
    /// Whether it is on sale from now on.
    pub on_sale: bool,
}
satchel_json::read!(Offered { on_sale, .. });

/// `POST /state` of a work object, after an operator's command was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StateChange {
    /// Take down.
    TakeDown,
    /// Put back.
    Reinstate,
}
satchel_json::read_names!(StateChange { TakeDown = "TakeDown", Reinstate = "Reinstate" });

impl From<StateChange> for Change {
    fn from(change: StateChange) -> Self {
        match change {
            StateChange::TakeDown => Self::TakeDown,
            StateChange::Reinstate => Self::Reinstate,
        }
    }
}

/// Answer to `GET /internal/entitlements/{handle}`: what a purchase entitles to, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entitlement {
    /// The work.
    pub work: WorkId,
    /// The version bought.
    pub version: u32,
    /// What may be done.
    #[serde(rename = "use")]
    pub usage: Use,
    /// Whether the purchase still stands.
    pub active: bool,
    /// Where the work stands.
    pub state: WorkState,
    /// Its keys.
    pub keys: VersionKeys,
    /// Whether its creator allows edge-decrypted HLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls: Option<bool>,
}
satchel_json::read!(Entitlement { work, version, usage = "use", active, state, keys, hls, .. });

/// `POST /order` of an account object: the ledger's entry has fetched what the account can't know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountOrder {
    /// The JWS; the account verifies it itself.
    pub order: String,
    /// The work, if there is one.
    pub work: Option<OrderedWork>,
}
satchel_json::read!(AccountOrder { order, work, .. });

/// The work of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderedWork {
    /// State, version, payee.
    pub offer: Offer,
    /// Manifest of the ordered version.
    pub manifest_digest: Option<Digest>,
    /// What may be done.
    #[serde(rename = "use")]
    pub usage: Use,
    /// Title.
    pub title: String,
    /// Over how many inboxes its sales are spread.
    pub slots: Option<u32>,
    /// Whose shop is told.
    pub creator: Option<Thumbprint>,
    /// With whom the payee shares.
    pub splits: Option<Vec<Split>>,
}
satchel_json::read!(OrderedWork { offer, manifest_digest, usage = "use", title, slots, creator, splits, .. });

impl OrderedWork {
    /// As an order of that version finds it.
    #[must_use]
    pub fn of(work: &WorkSnapshot, version: u32) -> Self {
        let ordered = work.version(version);
        Self {
            offer: work.offer(),
            manifest_digest: ordered.map(|it| it.manifest_digest.clone()),
            usage: ordered.map_or(work.record.terms.usage, |it| it.usage),
            title: work.record.title.clone(),
            slots: work.slots,
            // Whoever signs manifests is the creator.
            creator: work.record.versions.last().map(|it| it.signer.clone()),
            splits: work.splits.clone(),
        }
    }
}

/// Credits for one inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its name: an object does not know its own.
    pub inbox: String,
    /// The credits.
    pub credits: Vec<Credit>,
}
satchel_json::read!(Delivery { inbox, credits, .. });

/// A credit on its way from a buyer's account to an inbox of the seller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credit {
    /// Who is paid.
    pub payee: AccountId,
    /// The buyer's order, unique.
    pub order: OrderId,
    /// What was sold; unknown of credits from before it was noted.
    pub work: Option<WorkId>,
    /// The price.
    pub gross: Msat,
    /// The operator's share of it.
    pub fee: Msat,
    /// Unix seconds of the debit.
    pub time: u64,
    /// What collaborators get of the rest, fixed at the debit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Part>>,
    /// Whose shop is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<Thumbprint>,
    /// For the shop, on its way only: who bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<AccountId>,
    /// And which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// And for how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd_micros: Option<u64>,
}
satchel_json::read!(Credit {
    payee,
    order,
    work,
    gross,
    fee,
    time,
    splits,
    creator,
    buyer,
    version,
    usd_micros,
    ..
});

/// An account's part of a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Whose.
    pub account: String,
    /// How much.
    pub msat: Msat,
    /// Of what is asked back: how much came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Msat>,
}
satchel_json::read!(Part {
    account,
    msat,
    back,
    ..
});

/// A batch of credits folded by an inbox, for a home account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fold {
    /// The home account.
    pub account: String,
    /// Which inbox.
    pub inbox: String,
    /// Ascending for each account, so that the last number tells which came in.
    pub number: u64,
    /// Sum.
    pub msat: Msat,
    /// How many sales.
    pub count: u64,
}
satchel_json::read!(Fold {
    account,
    inbox,
    number,
    msat,
    count,
    ..
});

/// An inbox tells its home account that it exists, before it takes its first credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Announce {
    /// The home account.
    pub account: String,
    /// The inbox.
    pub inbox: String,
}
satchel_json::read!(Announce { account, inbox, .. });

/// An account asks a work for a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reserve {
    /// For which order.
    pub order: OrderId,
    /// Whose: it is asked before a reservation is given up.
    pub account: AccountId,
    /// Whether it is to be a free copy.
    pub free: bool,
}
satchel_json::read!(Reserve {
    order,
    account,
    free,
    ..
});

/// An account tells a work what became of an order; a work asks an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderOf {
    /// The order.
    pub order: OrderId,
}
satchel_json::read!(OrderOf { order, .. });

/// What an account says of an order that a work asks about. Either is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Posted; otherwise void for ever.
    pub posted: bool,
}
satchel_json::read!(Settled { posted, .. });

/// An inbox tells a work over how many inboxes its sales should be spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// At least so many.
    pub slots: u32,
}
satchel_json::read!(Spread { slots, .. });

/// A sale as the buyer's account knows it, for a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sale {
    /// Who bought.
    pub buyer: AccountId,
    /// By which order.
    pub order: OrderId,
    /// What.
    pub work: WorkId,
    /// Its title.
    pub title: String,
    /// Who was paid.
    pub payee: AccountId,
    /// How much was paid.
    pub gross: Msat,
    /// The operator's share of it.
    pub fee: Msat,
    /// What is not paid back yet, when it was looked up.
    pub left: Msat,
    /// What collaborators got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Part>>,
    /// Whose shop is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<Thumbprint>,
    /// Through which inbox the sellers got it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox: Option<String>,
}
satchel_json::read!(Sale {
    buyer,
    order,
    work,
    title,
    payee,
    gross,
    fee,
    left,
    splits,
    creator,
    inbox,
    ..
});

/// `POST /refund` of the payee's account object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefundOrder {
    /// The JWS; the account verifies it itself.
    pub refund: String,
    /// The sale behind its purchase handle.
    pub sale: Sale,
}
satchel_json::read!(RefundOrder { refund, sale, .. });

/// Money sent from one account to another, outside of a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sending {
    /// `rfd_…` or `cor_…`.
    pub id: String,
    /// Who gives.
    pub from: String,
    /// Who gets.
    pub to: String,
    /// How much.
    pub msat: Msat,
    /// Unix seconds of the debit.
    pub time: u64,
    /// The sale that is refunded.
    pub sale: Option<Sale>,
    /// Why, of a correction.
    pub reason: Option<String>,
    /// Of a posted refund: what the operator and collaborators bear of it and are asked for; where it was
    /// received, what each of them bears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Part>>,
    /// Whether the creator's shop knows of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<bool>,
    /// The operator's part that is asked back, of refunds from before there were `parts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_due: Option<Msat>,
    /// What has come of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_back: Option<Msat>,
    /// What would have been possible, of one that the receiver refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Msat>,
}
satchel_json::read!(Sending {
    id,
    from,
    to,
    msat,
    time,
    sale,
    reason,
    parts,
    told,
    fee_due,
    fee_back,
    left,
    ..
});

/// A page of a journal as CSV.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CsvPage {
    /// The lines.
    pub csv: String,
    /// Where to go on.
    pub next: Option<u64>,
}
satchel_json::read!(CsvPage { csv, next, .. });

/// What came of it at the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Of a refund: what had been refunded before. Of what is asked back: what was recovered.
    pub msat: Msat,
    /// Of a refund: what the operator and collaborators bear of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Part>>,
}
satchel_json::read!(Received { msat, parts, .. });

/// `POST /fund` of an account object (test money).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fund {
    /// The key that asks.
    pub key: Thumbprint,
    /// The client's id.
    pub id: String,
    /// How much.
    pub msat: Msat,
}
satchel_json::read!(Fund { key, id, msat, .. });

/// `POST /internal/rate` after an operator's command was verified; answer to `GET /internal/rate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateRecord {
    /// The rate; `None` where none was ever set.
    pub rate: Option<Rate>,
}
satchel_json::read!(RateRecord { rate, .. });

/// What a wrapped key is bound to: what it is for, its work and its version, so that a wrapped key
/// moved elsewhere does not open.
#[must_use]
pub fn wrap_aad(purpose: &str, work: &WorkId, version: u32) -> Vec<u8> {
    let version = version.to_be_bytes();
    [
        b"satchel/v1 wrap\0",
        purpose.as_bytes(),
        b"\0",
        work.as_str().as_bytes(),
        &version,
    ]
    .concat()
}

/// [`wrap_aad`]'s purpose for content keys (`VersionKeys::wrapped_key`).
pub const WRAP_CONTENT: &str = "content";
/// [`wrap_aad`]'s purpose for window roots (`VersionKeys::wrapped_root`).
pub const WRAP_ROOT: &str = "root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_is_bound_to_purpose_work_and_version() {
        let work = WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap();
        let mut expected = b"satchel/v1 wrap\0root\0wrk_".to_vec();
        expected.extend([b'a'; 52]);
        expected.extend([0, 0, 1, 2]);
        assert_eq!(wrap_aad(WRAP_ROOT, &work, 0x102), expected);
        assert_ne!(
            wrap_aad(WRAP_CONTENT, &work, 1),
            wrap_aad(WRAP_ROOT, &work, 1)
        );
    }
}

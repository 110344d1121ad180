//! Between workers, and between the ledger's objects. Never reachable from outside: the gateway
//! forwards no path under `/internal/`.

use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::{Agreement, Offer},
    money::{Msat, Rate},
    terms::{Terms, Use},
    work::{Change, WorkState},
};
use serde::Serialize;

use crate::{api::Record, api::VersionRecord, jose::Jwk, quote::QuotedRate};

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

/// What a work's object tells the other workers. Readers may keep it for 20 s.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkSnapshot {
    /// What everybody may see.
    pub record: Record,
    /// Who is paid.
    pub payee: AccountId,
    /// Wrapped keys of the published versions.
    pub keys: Vec<VersionKeys>,
}
satchel_json::read!(WorkSnapshot {
    record,
    payee,
    keys,
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
}
satchel_json::read!(RegisterWork {
    creator,
    title,
    media_type,
    terms,
    payee,
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
    /// The version.
    pub version: VersionRecord,
    /// Title from now on.
    pub title: String,
    /// Terms from now on.
    pub terms: Terms,
}
satchel_json::read!(PublishWork {
    version,
    title,
    terms,
    ..
});

/// `POST /internal/works/{work}/state`, after an operator's command was verified.
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
}
satchel_json::read!(Entitlement { work, version, usage = "use", active, state, keys, .. });

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
}
satchel_json::read!(OrderedWork { offer, manifest_digest, usage = "use", title, .. });

/// A credit on its way from a buyer's account to an inbox of the seller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credit {
    /// Who is paid.
    pub payee: AccountId,
    /// The buyer's order, unique.
    pub order: OrderId,
    /// The price.
    pub gross: Msat,
    /// The operator's share of it.
    pub fee: Msat,
    /// Unix seconds of the debit.
    pub time: u64,
}
satchel_json::read!(Credit {
    payee,
    order,
    gross,
    fee,
    time,
    ..
});

/// A batch of credits folded by an inbox, for a home account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fold {
    /// Unique: inbox and number.
    pub id: String,
    /// Sum.
    pub msat: Msat,
    /// How many sales.
    pub count: u64,
}
satchel_json::read!(Fold {
    id,
    msat,
    count,
    ..
});

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

//! What an operator's audit reads of accounts, inboxes and the directory.

use satchel_domain::{ledger::Balances, money::Msat};
use serde::Serialize;

/// The sums of some lines of an account, for an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountAudit {
    /// The account's sums now.
    pub balances: Balances,
    /// Lines there are.
    pub lines: u64,
    /// The last line that is in these sums; equal to `lines` on the last page.
    pub upto: u64,
    /// The posted balance after that line.
    pub balance: Msat,
    /// Credits and debits of these lines by kind, whenever they were.
    pub kinds: Vec<AuditSum>,
    /// Purchases debited by the cut, by inbox; those still in the outbox are in `under_way` too.
    pub sold: Vec<AuditSum>,
    /// Sendings debited by the cut, by id.
    pub sent: Vec<AuditSum>,
    /// Sendings received, by id.
    pub received: Vec<AuditSum>,
    /// Orders and sendings not yet delivered, debited by the cut, by inbox or id.
    pub under_way: Vec<AuditSum>,
    /// What each inbox has folded in (on the first page).
    pub inboxes: Vec<AuditSum>,
}
satchel_json::read!(AccountAudit {
    balances,
    lines,
    upto,
    balance,
    kinds,
    sold,
    sent,
    received,
    under_way,
    inboxes,
    ..
});

/// A sum by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditSum {
    /// A kind, an inbox or an id.
    pub name: String,
    /// Credits.
    pub credit: Msat,
    /// Debits.
    pub debit: Msat,
    /// How many.
    pub count: u64,
}
satchel_json::read!(AuditSum {
    name,
    credit,
    debit,
    count,
    ..
});

/// The sums of some credits of an inbox, for an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InboxAudit {
    /// Gross of the credits on this page that were debited by the cut.
    pub by_cut: Msat,
    /// Gross of all credits on this page.
    pub all: Msat,
    /// How many.
    pub count: u64,
    /// Where to go on; none on the last page.
    pub next: Option<String>,
    /// What has gone home, net and fee together, acknowledged.
    pub folded: Msat,
    /// What waits or is on its way home, net and fee together.
    pub waiting: Msat,
    /// Of it, what may or may not have reached home yet: of the seller and collaborators.
    pub folding_net: Msat,
    /// And fee.
    pub folding_fee: Msat,
    /// The batches of the seller and of collaborators that this is, one each, by account.
    pub folding: Option<Vec<AuditSum>>,
    /// What of the seller and collaborators has gone home.
    pub folded_net: Msat,
    /// What accounts call it, if that is another name than the one it was asked by.
    pub called: Option<String>,
}
satchel_json::read!(InboxAudit {
    by_cut,
    all,
    count,
    next,
    folded,
    waiting,
    folding_net,
    folding_fee,
    folding,
    folded_net,
    called,
    ..
});

/// Accounts of a shard of the directory, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectoryPage {
    /// At most 1,000.
    pub accounts: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}
satchel_json::read!(DirectoryPage { accounts, more, .. });

//! The arithmetic of an audit: what was read of every account and inbox, and what of it can't be.
//!
//! The ledger stays in use while it is read, so most checks are inequalities. They rest on two
//! things. The cut lies in the past: which transfers were debited by then never changes again. And
//! the order of reading: all accounts, then all inboxes, then all accounts once more. What has left
//! one place by then is, in a place read later, either there or on the way.
//!
//! - Buyers before inboxes: `debits by the cut − under way ≤ credits by the cut ≤ debits by the cut`.
//! - An inbox in itself, between its first and its last page: `all credits = folded + waiting`.
//! - Home first read before the inbox: `home ≤ folded + folding`. Read again after it: `home ≥ folded`.
//!   A batch goes home whole, so a home that did not change in between has the sum of some of them.
//! - Senders before receivers: what was sent by the cut has arrived with the same amount, or is
//!   under way. Receivers before senders: what has arrived was sent, or is set aside to be.
//! - In all: what was issued = balances + outboxes + inboxes, give or take what moved meanwhile, what
//!   is set aside (it is still in a balance) and sendings that are not at their end.

#[cfg(test)]
mod faults;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows has failed, as it should"
)]
mod sim;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet};

use satchel_domain::ledger::Balances;
use satchel_wire::internal::{AccountAudit, AuditSum, InboxAudit};
use serde::Serialize;

/// The kind of line by which money comes into being.
const ISSUED: &str = "test_money";
/// Accounts of the operator that take fees begin with this.
const FEES: &str = "fees-";
/// The only one there was before.
const OLD_FEES: &str = "fees";

/// Sums by name.
pub type Sums = BTreeMap<String, u128>;

fn add(sums: &mut Sums, list: &[AuditSum], amount: fn(&AuditSum) -> u64) {
    for sum in list {
        let known = sums.entry(sum.name.clone()).or_default();
        *known = known.saturating_add(u128::from(amount(sum)));
    }
}

fn credit(sum: &AuditSum) -> u64 {
    sum.credit.get()
}

fn debit(sum: &AuditSum) -> u64 {
    sum.debit.get()
}

/// The side that is not zero: a sending's amount stands on one of them.
fn either(sum: &AuditSum) -> u64 {
    sum.credit.get().max(sum.debit.get())
}

fn total(sums: &Sums) -> u128 {
    sums.values()
        .fold(0, |sum, amount| sum.saturating_add(*amount))
}

fn get(sums: &Sums, name: &str) -> u128 {
    sums.get(name).copied().unwrap_or_default()
}

/// Whether it is an inbox (`payee/day/slot`) or a sending (`rfd_…`, `rfd_…/fee`, `cor_…`).
fn is_inbox(name: &str) -> bool {
    let sending = name.starts_with("rfd_") || name.starts_with("cor_");
    name.contains('/') && !sending
}

/// An account, all its pages together.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Sums now, as of the last page.
    balances: Option<Balances>,
    /// The posted balance after the last line.
    balance: u128,
    credits: Sums,
    debits: Sums,
    sold: Sums,
    sent: Sums,
    received: Sums,
    under_way: Sums,
    inboxes: Sums,
}

impl Account {
    /// Adds the next page; says where to go on.
    pub fn page(&mut self, page: &AccountAudit) -> Option<u64> {
        if self.balances.is_none() {
            add(&mut self.inboxes, &page.inboxes, credit);
        }
        add(&mut self.credits, &page.kinds, credit);
        add(&mut self.debits, &page.kinds, debit);
        add(&mut self.sold, &page.sold, debit);
        add(&mut self.sent, &page.sent, debit);
        add(&mut self.received, &page.received, credit);
        add(&mut self.under_way, &page.under_way, either);
        self.balances = Some(page.balances);
        self.balance = u128::from(page.balance.get());
        (page.upto < page.lines).then_some(page.upto)
    }

    /// Whether its lines add up to its sums. Lines that were folded into a checkpoint between two
    /// pages can make it look otherwise: then it is read again.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.difference().is_none()
    }

    /// By how much lines and sums differ.
    fn difference(&self) -> Option<(&'static str, i128)> {
        let balances = self.balances.unwrap_or_default();
        let (credits, debits) = (total(&self.credits), total(&self.debits));
        let posted = |sum: satchel_domain::money::Msat| u128::from(sum.get());
        let (in_, out) = (
            posted(balances.credits_posted),
            posted(balances.debits_posted),
        );
        [
            ("credits of its lines", minus(credits, in_)),
            ("debits of its lines", minus(debits, out)),
            (
                "balance after its last line",
                minus(self.balance.saturating_add(out), in_),
            ),
        ]
        .into_iter()
        .find(|(_, difference)| *difference != 0)
    }

    /// Names of inboxes it knows of.
    pub fn inboxes(&self) -> impl Iterator<Item = &String> {
        let sold = self.sold.keys().chain(self.inboxes.keys());
        sold.chain(self.under_way.keys())
            .filter(|name| is_inbox(name))
    }

    fn moved_since(&self, before: &Self) -> u128 {
        let more = |now: &Sums, then: &Sums| total(now).abs_diff(total(then));
        more(&self.credits, &before.credits).saturating_add(more(&self.debits, &before.debits))
    }
}

/// An inbox, all its pages together.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    by_cut: u128,
    all: u128,
    /// Folded and waiting, when its first page was read.
    first: Option<u128>,
    /// And its last.
    last: u128,
    folded: u128,
    folded_net: u128,
    folding_net: u128,
    folding_fee: u128,
    /// Batches of the seller and of collaborators on their way home.
    folding: Vec<u128>,
    waiting: u128,
    /// The name by which accounts know it, if it is another.
    called: Option<String>,
}

impl Inbox {
    /// Adds the next page; says where to go on.
    pub fn page<'a>(&mut self, page: &'a InboxAudit) -> Option<&'a str> {
        let n = |sum: satchel_domain::money::Msat| u128::from(sum.get());
        self.by_cut = self.by_cut.saturating_add(n(page.by_cut));
        self.all = self.all.saturating_add(n(page.all));
        self.last = n(page.folded).saturating_add(n(page.waiting));
        self.first.get_or_insert(self.last);
        self.folded = n(page.folded);
        self.folded_net = n(page.folded_net);
        self.folding_net = n(page.folding_net);
        self.folding_fee = n(page.folding_fee);
        let folding = page.folding.iter().flatten();
        self.folding = folding.map(|batch| n(batch.credit)).collect();
        self.waiting = n(page.waiting);
        self.called.clone_from(&page.called);
        page.next.as_deref()
    }

    /// Whether some of the batches on their way are together so much: each comes home whole, by itself.
    fn some_are(&self, fees: bool, msat: u128) -> bool {
        if fees {
            return msat == 0 || msat == self.folding_fee;
        }
        let mut sums = BTreeSet::from([0, self.folding_net]);
        for batch in &self.folding {
            let with: Vec<u128> = sums.iter().map(|sum| sum.saturating_add(*batch)).collect();
            sums.extend(with);
        }
        sums.contains(&msat)
    }

    fn folded_fee(&self) -> u128 {
        self.folded.saturating_sub(self.folded_net)
    }
}

/// Something that can't be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The account, inbox or transfer that it is about; `ledger` for all together.
    pub at: String,
    /// What is wrong.
    pub what: &'static str,
    /// By how much: below zero what is missing, above it what is too much.
    pub msat: i128,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Read {
    /// Until when.
    pub cut: u64,
    /// Accounts, before the inboxes.
    pub before: BTreeMap<String, Account>,
    /// Inboxes.
    pub inboxes: BTreeMap<String, Inbox>,
    /// Accounts, after them, with a cut that leaves nothing out.
    pub after: BTreeMap<String, Account>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all is accounted for.
    pub ok: bool,
    /// Debits until then were followed to where they arrived, Unix seconds.
    pub cut: u64,
    /// Accounts that were read.
    pub accounts: usize,
    /// Inboxes that were read.
    pub inboxes: usize,
    /// Test money that was ever issued.
    pub issued_msat: u128,
    /// All balances.
    pub balances_msat: u128,
    /// Debited, not yet in an inbox.
    pub outboxes_msat: u128,
    /// In inboxes, not yet home.
    pub waiting_msat: u128,
    /// Refunds and corrections on their way.
    pub sendings_msat: u128,
    /// How much moved while the ledger was read, is set aside or half-way: the sum over everything is
    /// exact to this.
    pub moved_msat: u128,
    /// What can't be. Nothing, if all is well.
    pub findings: Vec<Finding>,
}

fn minus(a: u128, b: u128) -> i128 {
    let signed = |n: u128| i128::try_from(n).unwrap_or(i128::MAX);
    signed(a).saturating_sub(signed(b))
}

impl Read {
    /// Checks everything.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut findings = Vec::new();
        self.accounts(&mut findings);
        self.deliveries(&mut findings);
        self.folds(&mut findings);
        self.sendings(&mut findings);

        let all = |sums: fn(&Account) -> u128| {
            let accounts = self.after.values().map(sums);
            accounts.fold(0, u128::saturating_add)
        };
        let on_the_way = |to_inbox: bool| {
            let names = self.after.values().flat_map(|account| &account.under_way);
            let fitting = names.filter(|(name, _)| is_inbox(name) == to_inbox);
            fitting.fold(0_u128, |sum, (_, msat)| sum.saturating_add(*msat))
        };
        let waiting = self
            .inboxes
            .values()
            .fold(0_u128, |sum, inbox| sum.saturating_add(inbox.waiting));
        let mut report = Report {
            ok: false,
            cut: self.cut,
            accounts: self.after.len(),
            inboxes: self.inboxes.len(),
            issued_msat: all(|account| get(&account.credits, ISSUED)),
            balances_msat: all(|account| account.balance),
            outboxes_msat: on_the_way(true),
            waiting_msat: waiting,
            sendings_msat: on_the_way(false),
            moved_msat: self.moved(),
            findings,
        };
        let found = [
            report.balances_msat,
            report.outboxes_msat,
            report.waiting_msat,
        ]
        .into_iter()
        .fold(0, u128::saturating_add);
        let off = minus(found, report.issued_msat);
        if off.unsigned_abs() > report.moved_msat {
            report.findings.push(Finding {
                at: "ledger".to_owned(),
                what: "balances and what is under way are not what was issued",
                msat: off,
            });
        }
        report.ok = report.findings.is_empty();
        report
    }

    /// What may stand in two of the places read, or in none, because it moved in between.
    fn moved(&self) -> u128 {
        let nothing = Account::default();
        let accounts = self.after.iter().map(|(name, after)| {
            let before = self.before.get(name).unwrap_or(&nothing);
            let pending = after.balances.unwrap_or_default().debits_pending;
            let sendings = after.under_way.iter().filter(|(name, _)| !is_inbox(name));
            let sendings = sendings.fold(0_u128, |sum, (_, msat)| sum.saturating_add(*msat));
            after
                .moved_since(before)
                .saturating_add(total(&before.under_way))
                .saturating_add(u128::from(pending.get()))
                .saturating_add(sendings)
        });
        let folding = self.inboxes.values().map(|inbox| {
            let pages = inbox.last.abs_diff(inbox.first.unwrap_or_default());
            let folding = inbox.folding_net.saturating_add(inbox.folding_fee);
            pages.saturating_add(folding)
        });
        accounts.chain(folding).fold(0, u128::saturating_add)
    }

    fn accounts(&self, findings: &mut Vec<Finding>) {
        let mut named = BTreeSet::new();
        for (name, account) in self.before.iter().chain(&self.after) {
            if let Some((what, msat)) = account.difference()
                && named.insert(name)
            {
                findings.push(Finding {
                    at: name.clone(),
                    what,
                    msat,
                });
            }
        }
        for name in self.before.keys() {
            if !self.after.contains_key(name) {
                findings.push(Finding {
                    at: name.clone(),
                    what: "an account that is gone",
                    msat: 0,
                });
            }
        }
    }

    /// Buyers' debits against credits in inboxes.
    fn deliveries(&self, findings: &mut Vec<Finding>) {
        let (mut sold, mut under_way) = (Sums::new(), Sums::new());
        for account in self.before.values() {
            for (inbox, msat) in &account.sold {
                let sum = sold.entry(inbox.clone()).or_default();
                *sum = sum.saturating_add(*msat);
            }
            for (inbox, msat) in account.under_way.iter().filter(|(name, _)| is_inbox(name)) {
                let sum = under_way.entry(inbox.clone()).or_default();
                *sum = sum.saturating_add(*msat);
            }
        }
        let nothing = Inbox::default();
        let names: BTreeSet<&String> = sold.keys().chain(self.inboxes.keys()).collect();
        for name in names {
            let inbox = self.inboxes.get(name).unwrap_or(&nothing);
            let missing = minus(get(&sold, name), inbox.by_cut);
            let most = minus(get(&under_way, name), 0);
            if missing < 0 {
                findings.push(Finding {
                    at: name.clone(),
                    what: "credits that no buyer paid",
                    msat: missing.saturating_neg(),
                });
            } else if missing > most {
                findings.push(Finding {
                    at: name.clone(),
                    what: "purchases that did not arrive and are not under way",
                    msat: most.saturating_sub(missing),
                });
            }
            // Credits that came while its pages were read may be in its sums and not in these.
            let (first, last) = (inbox.first.unwrap_or_default(), inbox.last);
            let off = if inbox.all < first.min(last) {
                minus(inbox.all, first.min(last))
            } else {
                minus(inbox.all, inbox.all.min(first.max(last)))
            };
            if off != 0 {
                findings.push(Finding {
                    at: name.clone(),
                    what: "its credits are not what was folded and what waits",
                    msat: off,
                });
            }
        }
    }

    /// What inboxes folded against what came home, net and fee.
    fn folds(&self, findings: &mut Vec<Finding>) {
        let called = self.inboxes.iter().filter_map(|(name, inbox)| {
            let called = inbox.called.as_ref()?;
            Some((called, name))
        });
        let called: BTreeMap<&String, &String> = called.collect();
        let takes_fees = |name: &String| name == OLD_FEES || name.starts_with(FEES);
        let home = |accounts: &BTreeMap<String, Account>, fees: bool| {
            let mut sums = Sums::new();
            for (_, account) in accounts.iter().filter(|(name, _)| takes_fees(name) == fees) {
                for (inbox, msat) in &account.inboxes {
                    let inbox = called.get(inbox).copied().unwrap_or(inbox);
                    let sum = sums.entry(inbox.clone()).or_default();
                    *sum = sum.saturating_add(*msat);
                }
            }
            sums
        };
        for fees in [false, true] {
            let (before, after) = (home(&self.before, fees), home(&self.after, fees));
            let nothing = Inbox::default();
            let names: BTreeSet<&String> = self.inboxes.keys().chain(after.keys()).collect();
            for name in names {
                let inbox = self.inboxes.get(name).unwrap_or(&nothing);
                let (folded, folding) = if fees {
                    (inbox.folded_fee(), inbox.folding_fee)
                } else {
                    (inbox.folded_net, inbox.folding_net)
                };
                let (early, late) = (get(&before, name), get(&after, name));
                let most = folded.saturating_add(folding);
                let (what, msat) = if early > most {
                    ("more came home than was folded", minus(early, most))
                } else if late < folded {
                    ("less came home than was folded", minus(late, folded))
                } else if early == late && !inbox.some_are(fees, late.saturating_sub(folded)) {
                    ("a batch came home in part", minus(late, folded))
                } else {
                    continue;
                };
                findings.push(Finding {
                    at: name.clone(),
                    what,
                    msat,
                });
            }
        }
    }

    /// Refunds, returned fees and corrections.
    fn sendings(&self, findings: &mut Vec<Finding>) {
        let gather = |accounts: &BTreeMap<String, Account>, of: fn(&Account) -> &Sums| {
            let mut sums = Sums::new();
            for (id, msat) in accounts.values().flat_map(of) {
                let sum = sums.entry(id.clone()).or_default();
                *sum = sum.saturating_add(*msat);
            }
            sums
        };
        let sent_by_cut = gather(&self.before, |account| &account.sent);
        let waited = gather(&self.before, |account| &account.under_way);
        let waits = gather(&self.after, |account| &account.under_way);
        let arrived = gather(&self.after, |account| &account.received);
        for (id, sent) in &sent_by_cut {
            let there = get(&arrived, id);
            let under_way = get(&waited, id).max(get(&waits, id)) >= *sent;
            if there != *sent && !(there == 0 && under_way) {
                findings.push(Finding {
                    at: id.clone(),
                    what: "what was sent is not what arrived",
                    msat: minus(there, *sent),
                });
            }
        }
        let sent = gather(&self.after, |account| &account.sent);
        for (id, there) in gather(&self.before, |account| &account.received) {
            let from = get(&sent, &id);
            let set_aside = from == 0 && get(&waits, &id) >= there;
            if !sent_by_cut.contains_key(&id) && from != there && !set_aside {
                findings.push(Finding {
                    at: id,
                    what: "what arrived is not what was sent",
                    msat: minus(there, from),
                });
            }
        }
    }
}

//! The ledger's decisions: double entry in TigerBeetle's model, as pure functions.
//!
//! An account object reads its row, asks here, and writes what comes out in one transaction.
//! The order of the checks is part of the contract (docs/LEDGER.md) and tested.

use serde::Serialize;

use crate::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    money::{self, Msat, OutOfRange},
    work::WorkState,
};

/// Which money: the two never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerId {
    /// Real money.
    Live,
    /// Test money, worth nothing, marked in every order and receipt.
    Test,
}
satchel_json::read_names!(LedgerId { Live = "live", Test = "test" });

/// The four sums of an account, in millisatoshi, over its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Balances {
    /// Reserved, not yet spent.
    pub debits_pending: Msat,
    /// Spent.
    pub debits_posted: Msat,
    /// Announced, not yet received.
    pub credits_pending: Msat,
    /// Received.
    pub credits_posted: Msat,
}
satchel_json::read!(Balances {
    debits_pending,
    debits_posted,
    credits_pending,
    credits_posted,
    ..
});

impl Balances {
    /// What may be spent: posted credits less every debit, reserved ones too.
    pub fn available(&self) -> Result<Msat, OutOfRange> {
        self.credits_posted
            .minus(self.debits_posted)?
            .minus(self.debits_pending)
    }

    /// After a posted debit.
    pub fn debit(self, amount: Msat) -> Result<Self, OutOfRange> {
        let after = Self {
            debits_posted: self.debits_posted.plus(amount)?,
            ..self
        };
        after.available()?;
        Ok(after)
    }

    /// After money was reserved for a debit to come.
    pub fn reserve(self, amount: Msat) -> Result<Self, OutOfRange> {
        let after = Self {
            debits_pending: self.debits_pending.plus(amount)?,
            ..self
        };
        after.available()?;
        Ok(after)
    }

    /// After a reserved debit was posted, in full.
    pub fn post(self, reserved: Msat) -> Result<Self, OutOfRange> {
        Ok(Self {
            debits_pending: self.debits_pending.minus(reserved)?,
            debits_posted: self.debits_posted.plus(reserved)?,
            ..self
        })
    }

    /// After a reserved debit was given up.
    pub fn void(self, reserved: Msat) -> Result<Self, OutOfRange> {
        Ok(Self {
            debits_pending: self.debits_pending.minus(reserved)?,
            ..self
        })
    }

    /// What a statement shows: posted credits less posted debits.
    pub fn posted(&self) -> Result<Msat, OutOfRange> {
        self.credits_posted.minus(self.debits_posted)
    }

    /// After a posted credit.
    pub fn credit(self, amount: Msat) -> Result<Self, OutOfRange> {
        Ok(Self {
            credits_posted: self.credits_posted.plus(amount)?,
            ..self
        })
    }
}

/// What an order agrees to: the members that must be the same in a retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The id the buyer made before sending.
    pub order: OrderId,
    /// Who pays.
    pub account: AccountId,
    /// For what.
    pub work: WorkId,
    /// Which version.
    pub version: u32,
    /// Under which terms.
    pub terms_digest: Digest,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// Price in millisatoshi.
    pub msat: Msat,
    /// The key the receipt is for.
    pub cnf: Thumbprint,
    /// Which money.
    pub ledger: LedgerId,
}
satchel_json::read!(Agreement {
    order,
    account,
    work,
    version,
    terms_digest,
    usd_micros,
    msat,
    cnf,
    ledger,
    ..
});

impl Agreement {
    /// The first member, in a fixed order, in which a retry differs.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let checks = [
            ("order", self.order == other.order),
            ("account", self.account == other.account),
            ("work", self.work == other.work),
            ("version", self.version == other.version),
            ("terms_digest", self.terms_digest == other.terms_digest),
            ("usd_micros", self.usd_micros == other.usd_micros),
            ("msat", self.msat == other.msat),
            ("cnf", self.cnf == other.cnf),
            ("ledger", self.ledger == other.ledger),
        ];
        checks
            .into_iter()
            .find(|(_, same)| !same)
            .map(|(name, _)| name)
    }
}

/// A key that may act for an account, as the account's root key delegated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delegation {
    /// The account's epoch it was made in; a later epoch ends it.
    pub epoch: u64,
    /// Unix seconds; a key's newer delegation replaces an older one, never the reverse.
    pub issued: u64,
    /// Unix seconds.
    pub expires: u64,
    /// May spend.
    pub spend: bool,
    /// May read balance and purchases.
    pub read: bool,
    /// Most that one order may cost.
    pub max_order: Option<Msat>,
    /// Most that all its orders together may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_total: Option<Msat>,
    /// Most that its orders of one day (UTC) may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_day: Option<Msat>,
    /// The wallet's seed, encrypted, for whoever holds this key and can open it. Only this key reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}
satchel_json::read!(Delegation {
    epoch,
    issued,
    expires,
    spend,
    read,
    max_order,
    max_total,
    max_day,
    backup,
    ..
});

/// What a key has spent under its delegation, where that is capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spent {
    /// In all.
    pub total: Msat,
    /// On the day it is.
    pub day: Msat,
}
satchel_json::read!(Spent { total, day });

impl Delegation {
    /// Whether it may still be used at all.
    pub fn check(&self, epoch: u64, now_s: u64) -> Result<(), Reject> {
        if self.epoch != epoch || now_s >= self.expires {
            return Err(Reject::DelegationExpired);
        }
        Ok(())
    }

    /// Whether what it spends is counted: it is a site's grant, for buying only.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.max_total.is_some() || self.max_day.is_some()
    }

    /// Whether a debit of `amount` is within its caps, `spent` having gone before.
    pub fn check_caps(&self, amount: Msat, spent: Spent) -> Result<(), Reject> {
        let (total, day) = (spent.total.plus(amount)?, spent.day.plus(amount)?);
        let over = |cap: Option<Msat>, sum: Msat| cap.is_some_and(|most| sum > most);
        if over(self.max_order, amount) || over(self.max_total, total) || over(self.max_day, day) {
            return Err(Reject::CapExceeded);
        }
        Ok(())
    }
}

/// What the account object found for an order, in the order of the checks.
#[derive(Debug)]
pub struct Facts<'a> {
    /// A transfer with this order id, if there is one.
    pub known: Option<&'a Agreement>,
    /// The delegation of the key that signed.
    pub delegation: Option<&'a Delegation>,
    /// What that key has spent so far, where that is counted.
    pub spent: Spent,
    /// The account's epoch.
    pub epoch: u64,
    /// Whether this account has bought the work before.
    pub owned: bool,
    /// Whether another order of this account for the work waits for its copy.
    pub under_way: bool,
    /// The work's state, version and payee; `None` where there is no such work.
    pub work: Option<&'a Offer>,
    /// What the quote says; `None` where it is not ours or was altered.
    pub quote: Option<&'a Quoted>,
    /// When the order itself ends, Unix seconds.
    pub order_expires: u64,
    /// Money of this ledger.
    pub ledger: LedgerId,
    /// The account's sums.
    pub balances: Balances,
    /// The operator's share.
    pub fee_bps: u64,
    /// Unix seconds.
    pub now_s: u64,
}

/// What the ledger knows of a work when it is ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Where it stands.
    pub state: WorkState,
    /// Its newest version.
    pub version: u32,
    /// The account that is paid.
    pub payee: AccountId,
    /// Whether there is a limited number of copies.
    pub limited: bool,
}
satchel_json::read!(Offer {
    state,
    version,
    payee,
    limited,
});

/// What a quote froze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// Work, version, terms, price: as in the order.
    pub work: WorkId,
    /// Version.
    pub version: u32,
    /// Terms.
    pub terms_digest: Digest,
    /// Price in millionths of a dollar.
    pub usd_micros: u64,
    /// Price in millisatoshi.
    pub msat: Msat,
    /// Which money.
    pub ledger: LedgerId,
    /// Unix seconds.
    pub expires: u64,
}

impl Quoted {
    fn is_for(&self, order: &Agreement) -> bool {
        self.work == order.work
            && self.version == order.version
            && self.terms_digest == order.terms_digest
            && self.usd_micros == order.usd_micros
            && self.msat == order.msat
            && self.ledger == order.ledger
    }
}

/// What to do with an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This very order was posted before: give the same answer, write nothing.
    Replay,
    /// The account owns the work: record the order as a re-issue to its key, move nothing.
    Reissue,
    /// Post it.
    Post {
        /// The account's sums after it.
        balances: Balances,
        /// The operator's share of the price.
        fee: Msat,
    },
    /// Reserve the money, then ask the work for a copy.
    Reserve {
        /// The account's sums with the money reserved.
        balances: Balances,
        /// The operator's share of the price.
        fee: Msat,
    },
}

/// Why an order or request was refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// This id was used with another value of this member.
    OrderConflict(&'static str),
    /// The signing key isn't delegated by this account.
    WrongKey,
    /// Its delegation has ended.
    DelegationExpired,
    /// Its delegation does not allow this.
    ScopeMissing,
    /// There is no such work.
    UnknownWork,
    /// Another order for the work is not decided yet: whether it is owned is not known.
    UnderWay,
    /// The buyer is the payee.
    OwnWork,
    /// The work is not on sale.
    NotOnSale(WorkState),
    /// The order is older than it allows.
    OrderExpired,
    /// The quote is altered or for something else.
    QuoteInvalid,
    /// The quote is too old.
    QuoteExpired,
    /// More than this key may spend at once.
    CapExceeded,
    /// Not enough money.
    InsufficientBalance {
        /// What may be spent.
        available: Msat,
        /// What is needed.
        needed: Msat,
    },
    /// A sum would leave its range.
    OutOfRange,
}

impl From<OutOfRange> for Reject {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

/// Decides an order whose signature has been verified. The precedence of the checks is fixed:
/// known id, delegation, ownership, own work, work state, quote, caps, balance. Stock comes last: the
/// work is asked once the money is reserved.
pub fn decide(order: &Agreement, facts: &Facts<'_>) -> Result<Decision, Reject> {
    if let Some(known) = facts.known {
        return match known.first_difference(order) {
            None => Ok(Decision::Replay),
            Some(member) => Err(Reject::OrderConflict(member)),
        };
    }
    let delegation = facts.delegation.ok_or(Reject::WrongKey)?;
    delegation.check(facts.epoch, facts.now_s)?;
    if !delegation.spend {
        return Err(Reject::ScopeMissing);
    }
    let offer = facts.work.ok_or(Reject::UnknownWork)?;
    if facts.owned {
        // Owners keep access whatever the terms are now; a takedown stops everybody.
        return match offer.state {
            WorkState::TakenDown => Err(Reject::NotOnSale(offer.state)),
            _ => Ok(Decision::Reissue),
        };
    }
    if facts.under_way {
        return Err(Reject::UnderWay);
    }
    if offer.payee == order.account {
        return Err(Reject::OwnWork);
    }
    if offer.state != WorkState::Published {
        return Err(Reject::NotOnSale(offer.state));
    }
    let quote = facts.quote.ok_or(Reject::QuoteInvalid)?;
    if !quote.is_for(order) || order.ledger != facts.ledger {
        return Err(Reject::QuoteInvalid);
    }
    if facts.now_s >= quote.expires {
        return Err(Reject::QuoteExpired);
    }
    if facts.now_s >= facts.order_expires {
        return Err(Reject::OrderExpired);
    }
    delegation.check_caps(order.msat, facts.spent)?;
    let available = facts.balances.available()?;
    if available < order.msat {
        return Err(Reject::InsufficientBalance {
            available,
            needed: order.msat,
        });
    }
    let fee = money::fee(order.msat, facts.fee_bps)?;
    // Whatever is free is one of a number of copies.
    if offer.limited || order.msat == Msat::ZERO {
        let balances = facts.balances.reserve(order.msat)?;
        return Ok(Decision::Reserve { balances, fee });
    }
    let balances = facts.balances.debit(order.msat)?;
    Ok(Decision::Post { balances, fee })
}

#[cfg(test)]
mod tests;

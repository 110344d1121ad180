//! What the operator's key signs.

use satchel_crypto::ed25519::{PublicKey, Verifier};
use satchel_domain::{
    id::{CorrectionId, WorkId},
    money::Msat,
};
use satchel_json::{self as json, FromJson, Object, Value};
use serde::Serialize;

use crate::{
    Result,
    jose::{self, Names},
};

/// `typ` of an operator's command.
pub const TYP: &str = "satchel-operator+jws";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Operator {
    /// Sets the exchange rate.
    SetRate(SetRate),
    /// Takes a work down.
    TakeDown(OnWork),
    /// Puts it back.
    Reinstate(OnWork),
    /// Moves money that was booked wrongly, by a new transfer.
    Correct(Correct),
    /// Lists accounts for an audit.
    AuditDirectory(AuditDirectory),
    /// Sums the journal of an account for an audit.
    AuditAccount(AuditAccount),
    /// Sums an inbox for an audit.
    AuditInbox(AuditInbox),
}

/// Moves money from one account to another. Names may also be those of the operator's own accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Correct {
    /// The issuer.
    pub aud: String,
    /// Made by the operator, so that a retry is harmless.
    pub id: CorrectionId,
    /// Who gives.
    pub from: String,
    /// Who gets.
    pub to: String,
    /// How much.
    pub msat: Msat,
    /// Why, for both statements.
    pub reason: String,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(Correct {
    aud,
    id,
    from,
    to,
    msat,
    reason,
    iat,
    exp
});

/// Asks which accounts a shard of the directory knows, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditDirectory {
    /// The issuer.
    pub aud: String,
    /// 0 to 63.
    pub shard: u8,
    /// The last account of the page before; empty for the first.
    pub after: String,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(AuditDirectory {
    aud,
    shard,
    after,
    iat,
    exp
});

/// Asks for the sums of some lines of an account's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditAccount {
    /// The issuer.
    pub aud: String,
    /// Whose.
    pub account: String,
    /// Transfers debited later than this (Unix seconds) are left out of the sums by inbox and peer.
    pub cut: u64,
    /// The last line of the page before; 0 for the first.
    pub after: u64,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(AuditAccount {
    aud,
    account,
    cut,
    after,
    iat,
    exp
});

/// Asks for the sums of some credits of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditInbox {
    /// The issuer.
    pub aud: String,
    /// Its name.
    pub inbox: String,
    /// As for accounts.
    pub cut: u64,
    /// The last key of the page before; empty for the first.
    pub after: String,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(AuditInbox {
    aud,
    inbox,
    cut,
    after,
    iat,
    exp
});

/// A new exchange rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetRate {
    /// The issuer.
    pub aud: String,
    /// Millionths of a dollar for a bitcoin.
    pub usd_micros_per_btc: u64,
    /// When it was true.
    pub time: u64,
    /// Where it comes from.
    pub source: String,
    /// After how many seconds it must not be used.
    pub max_age_s: u64,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(SetRate {
    aud,
    usd_micros_per_btc,
    time,
    source,
    max_age_s,
    iat,
    exp
});

/// Something done to a work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnWork {
    /// The issuer.
    pub aud: String,
    /// The work.
    pub work: WorkId,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}
satchel_json::read!(OnWork {
    aud,
    work,
    iat,
    exp
});

impl FromJson for Operator {
    fn from_json(value: Value<'_>) -> std::result::Result<Self, json::Error> {
        let mut members = Object::of(value)?;
        let cmd = members.member::<String>("cmd")?;
        let rest = members.into_value();
        match cmd.as_str() {
            "set_rate" => SetRate::from_json(rest).map(Self::SetRate),
            "take_down" => OnWork::from_json(rest).map(Self::TakeDown),
            "reinstate" => OnWork::from_json(rest).map(Self::Reinstate),
            "correct" => Correct::from_json(rest).map(Self::Correct),
            "audit_directory" => AuditDirectory::from_json(rest).map(Self::AuditDirectory),
            "audit_account" => AuditAccount::from_json(rest).map(Self::AuditAccount),
            "audit_inbox" => AuditInbox::from_json(rest).map(Self::AuditInbox),
            _ => Err(json::Error::new("no such command").within("cmd")),
        }
    }
}

/// Verifies a command of the operator.
pub async fn verify(
    verifier: &impl Verifier,
    token: &str,
    issuer: &str,
    key: &PublicKey,
    now_s: u64,
) -> Result<Operator> {
    let command = jose::read::<Operator>(token, TYP, Names::Nobody)?
        .verify(verifier, key)
        .await?;
    let (aud, iat, exp) = match &command {
        Operator::SetRate(c) => (&c.aud, c.iat, c.exp),
        Operator::TakeDown(c) | Operator::Reinstate(c) => (&c.aud, c.iat, c.exp),
        Operator::Correct(c) => (&c.aud, c.iat, c.exp),
        Operator::AuditDirectory(c) => (&c.aud, c.iat, c.exp),
        Operator::AuditAccount(c) => (&c.aud, c.iat, c.exp),
        Operator::AuditInbox(c) => (&c.aud, c.iat, c.exp),
    };
    jose::check_audience(aud, issuer)?;
    jose::check_life(iat, exp, now_s)?;
    Ok(command)
}

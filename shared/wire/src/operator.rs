//! What the operator's key signs.

use satchel_crypto::ed25519::{PublicKey, Verifier};
use satchel_domain::id::WorkId;
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
}

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
    };
    jose::check_audience(aud, issuer)?;
    jose::check_life(iat, exp, now_s)?;
    Ok(command)
}

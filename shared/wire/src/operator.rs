//! What the operator's key signs.

use satchel_crypto::ed25519::PublicKey;
use satchel_domain::id::WorkId;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    jose::{self, Names},
};

/// `typ` of an operator's command.
pub const TYP: &str = "satchel-operator+jws";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operator {
    /// Sets the exchange rate.
    SetRate {
        /// The issuer.
        aud: String,
        /// Millionths of a dollar for a bitcoin.
        usd_micros_per_btc: u64,
        /// When it was true.
        time: u64,
        /// Where it comes from.
        source: String,
        /// After how many seconds it must not be used.
        max_age_s: u64,
        /// Unix seconds.
        iat: u64,
        /// Unix seconds.
        exp: u64,
    },
    /// Takes a work down.
    TakeDown {
        /// The issuer.
        aud: String,
        /// The work.
        work: WorkId,
        /// Unix seconds.
        iat: u64,
        /// Unix seconds.
        exp: u64,
    },
    /// Puts it back.
    Reinstate {
        /// The issuer.
        aud: String,
        /// The work.
        work: WorkId,
        /// Unix seconds.
        iat: u64,
        /// Unix seconds.
        exp: u64,
    },
}

/// Verifies a command of the operator.
pub fn verify(token: &str, issuer: &str, key: &PublicKey, now_s: u64) -> Result<Operator> {
    let command = jose::read::<Operator>(token, TYP, Names::Nobody)?.verify(key)?;
    let (Operator::SetRate { aud, iat, exp, .. }
    | Operator::TakeDown { aud, iat, exp, .. }
    | Operator::Reinstate { aud, iat, exp, .. }) = &command;
    jose::check_audience(aud, issuer)?;
    jose::check_life(*iat, *exp, now_s)?;
    Ok(command)
}

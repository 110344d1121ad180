//! `satchel-ops`: what the operator's key signs (docs/API.md §2).

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use satchel_crypto::{b32, ed25519::SigningKey};
use satchel_domain::{
    id::{CorrectionId, WorkId},
    money::Msat,
};
use satchel_format::Origin;
use satchel_json::FromJson;
use satchel_wire::{
    jose,
    operator::{self, Correct, OnWork, Operator, SetRate},
};
use serde_json::json;

use crate::{
    answers::Done,
    args::origin,
    audit::walk,
    clock,
    fail::Result,
    issuer::{Issuer, signing_failed},
    keyfile, money, say,
};

/// How long a signed command may still be carried out, seconds.
pub(crate) const LIFE_S: u64 = 300;

/// Commands of an issuer's operator: exchange rate, takedown, reinstatement, corrections, audits.
#[derive(Debug, Parser)]
#[command(name = "satchel-ops", version, max_term_width = 100)]
pub struct Cli {
    /// Say results as one line of JSON.
    #[arg(long, global = true)]
    json: bool,
    /// The operator's key file: 32 bytes as base64url on one line.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The issuer.
    #[arg(long, value_name = "URL", value_parser = origin)]
    issuer: Origin,
    /// Send requests here instead of to the issuer's own address.
    #[arg(long, value_name = "URL", value_parser = origin)]
    issuer_base: Option<Origin>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set the exchange rate.
    SetRate {
        /// What a bitcoin costs, in dollars.
        #[arg(long, value_name = "USD", value_parser = money::parse_usd)]
        usd_per_btc: u64,
        /// Where the rate comes from, e.g. the name of an exchange.
        #[arg(long)]
        source: String,
        /// After how many seconds it must not be used.
        #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
        max_age: u64,
        /// When it was true, Unix seconds; now if not given.
        #[arg(long, value_name = "SECONDS")]
        time: Option<u64>,
    },
    /// Take a work down: nothing of it is sold or released any more.
    TakeDown {
        /// The work.
        #[arg(value_parser = work)]
        work: WorkId,
    },
    /// Put a work back that was taken down.
    Reinstate {
        /// The work.
        #[arg(value_parser = work)]
        work: WorkId,
    },
    /// Move money that was booked wrongly, by a new transfer that both statements show.
    Correct {
        /// The account that gives.
        #[arg(long, value_name = "ACCOUNT")]
        from: String,
        /// The account that gets.
        #[arg(long, value_name = "ACCOUNT")]
        to: String,
        /// How much, in millisatoshi.
        #[arg(long, value_name = "N", value_parser = msat)]
        msat: Msat,
        /// Why, for both statements.
        #[arg(long)]
        reason: String,
        /// The id of an earlier attempt, to send it again; a new one if not given.
        #[arg(long, value_name = "cor_…", value_parser = correction)]
        id: Option<CorrectionId>,
    },
    /// Read every account and inbox, and check that no money was lost or made. The ledger may be in
    /// use. Exit code 1 if something is wrong.
    Audit {
        /// Check what was debited until so many seconds ago.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        age: u64,
    },
}

fn msat(text: &str) -> std::result::Result<Msat, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .and_then(|number| Msat::new(number).ok())
        .ok_or_else(|| format!("{text:?} is no amount of millisatoshi"))
}

fn correction(text: &str) -> std::result::Result<CorrectionId, String> {
    CorrectionId::parse(text).map_err(|error| error.to_string())
}

/// Whoever signs, and where it is sent.
#[derive(Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    /// The issuer.
    pub(crate) issuer: Issuer,
}

impl Signer {
    /// Signs a command and sends it.
    pub(crate) fn send<T: FromJson>(&self, command: &Operator) -> Result<T> {
        let signed = jose::sign(&self.key, operator::TYP, None, None, command)
            .map_err(|_| signing_failed())?;
        self.issuer.operator(&signed)
    }
}

fn work(text: &str) -> std::result::Result<WorkId, String> {
    WorkId::parse(text).map_err(|error| error.to_string())
}

fn new_correction() -> Result<CorrectionId> {
    let id = b32::encode(&clock::random::<20>()?);
    CorrectionId::parse(&format!("{}{id}", CorrectionId::PREFIX)).map_err(|_| signing_failed())
}

impl Cli {
    /// Signs the command and sends it.
    pub fn run(self) -> Result<()> {
        let signer = Signer {
            key: keyfile::read(&self.key)?,
            issuer: Issuer::new(&self.issuer, self.issuer_base.as_ref())?,
        };
        let aud = self.issuer.to_string();
        let iat = clock::now_s();
        let exp = iat.saturating_add(LIFE_S);
        let (command, said) = match self.command {
            Command::SetRate {
                usd_per_btc,
                source,
                max_age,
                time,
            } => {
                let said = format!("rate set: 1 BTC = {}", money::usd(usd_per_btc));
                let command = Operator::SetRate(SetRate {
                    aud,
                    usd_micros_per_btc: usd_per_btc,
                    time: time.unwrap_or(iat),
                    source,
                    max_age_s: max_age,
                    iat,
                    exp,
                });
                (command, said)
            }
            Command::TakeDown { work } => {
                let said = format!("taken down: {work}");
                let on = OnWork {
                    aud,
                    work,
                    iat,
                    exp,
                };
                (Operator::TakeDown(on), said)
            }
            Command::Reinstate { work } => {
                let said = format!("reinstated: {work}");
                let on = OnWork {
                    aud,
                    work,
                    iat,
                    exp,
                };
                (Operator::Reinstate(on), said)
            }
            Command::Correct {
                from,
                to,
                msat,
                reason,
                id,
            } => {
                let id = id.map_or_else(new_correction, Ok)?;
                // Should the answer be lost, this is what it can be sent again with.
                say::note(&format!("correction {id}"));
                let said = format!("corrected: {} msat from {from} to {to}", msat.get());
                let command = Operator::Correct(Correct {
                    aud,
                    id,
                    from,
                    to,
                    msat,
                    reason,
                    iat,
                    exp,
                });
                (command, said)
            }
            Command::Audit { age } => return walk::audit(&signer, age, self.json),
        };
        let Done {} = signer.send(&command)?;
        say::line(&if self.json {
            json!({"done": true}).to_string()
        } else {
            said
        })
    }
}

//! `satchel-ops`: what the operator's key signs (docs/API.md §2).

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use satchel_domain::id::WorkId;
use satchel_format::Origin;
use satchel_wire::{
    jose,
    operator::{self, OnWork, Operator, SetRate},
};
use serde_json::json;

use crate::{
    args::origin,
    clock,
    fail::Result,
    issuer::{Issuer, signing_failed},
    keyfile, money, say,
};

/// How long a signed command may still be carried out, seconds.
const LIFE_S: u64 = 300;

/// Commands of an issuer's operator: exchange rate, takedown, reinstatement.
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
}

fn work(text: &str) -> std::result::Result<WorkId, String> {
    WorkId::parse(text).map_err(|error| error.to_string())
}

impl Cli {
    /// Signs the command and sends it.
    pub fn run(self) -> Result<()> {
        let key = keyfile::read(&self.key)?;
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
        };
        let signed =
            jose::sign(&key, operator::TYP, None, None, &command).map_err(|_| signing_failed())?;
        Issuer::new(&self.issuer, self.issuer_base.as_ref())?.operator(&signed)?;
        say::line(&if self.json {
            json!({"done": true}).to_string()
        } else {
            said
        })
    }
}

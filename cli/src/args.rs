//! The `satchel` command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use satchel_format::Origin;

use crate::{
    fail::{Exit, Failure, Result},
    info, keyfile, magnet, money, open, out, pack, preview, statement, wallet_commands,
};

/// Files that carry their own price tag: look into them, check them, buy and open them, pack them.
#[derive(Debug, Parser)]
#[command(name = "satchel", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// Say results as one line of JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 a file can't be read or written, 2 wrong usage, 3 not a satchel, damaged, or \
not what its issuer has on record, 4 not done for your protection (issuer not trusted, price too \
high, not confirmed), 5 the issuer refused, 6 the issuer didn't answer (run it again, nothing is \
paid twice), 7 streaming only.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a satchel is: title, price, issuer, creator. No network, no key.
    Info {
        /// The satchel; `-` is stdin.
        file: PathBuf,
    },
    /// Check every byte of a satchel against its creator's signature. No network, no key.
    Verify {
        /// The satchel; `-` is stdin.
        file: PathBuf,
    },
    /// Write a satchel's preview to a file: a picture or a sample. No network, no key.
    Preview(preview::Options),
    /// Write a satchel's contents to a file: what you own, what you buy now, or with its key file.
    Open(open::Options),
    /// Buy a satchel and write its contents to a file; what you own already is not paid for again.
    Buy(open::BuyOptions),
    /// Make and use a wallet file.
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Encrypt a file for sale.
    Pack(pack::Options),
    /// Print a BitTorrent v2 link of a satchel, to share it with anybody: what it costs goes with it.
    Magnet(magnet::Options),
    /// Print completions for a shell, to be sourced or put where it looks for them.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, for `man -l -` or a folder of manuals.
    Man,
    /// Make a file with a new secret key, for `pack --key` or `satchel-ops --key`.
    Key {
        /// The file to make.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Make a new wallet file. Nothing is sent.
    New {
        /// The file to make.
        file: PathBuf,
        /// Where its account is, e.g. <https://satchel.example>.
        #[arg(long, value_name = "URL", value_parser = origin)]
        issuer: Origin,
    },
    /// Show what may be spent.
    Balance(WalletArgs),
    /// Take TEST MONEY: worth nothing, for trying things out.
    TestMoney {
        /// How much, in dollars.
        #[arg(long, value_name = "USD", value_parser = money::parse_usd)]
        usd: u64,
        #[command(flatten)]
        wallet: WalletArgs,
    },
    /// Show every movement of the account with the balance after it, oldest first.
    Statement {
        /// As CSV (RFC 4180), for a spreadsheet.
        #[arg(long)]
        csv: bool,
        /// Where to write it; `-` is stdout.
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
        #[command(flatten)]
        wallet: WalletArgs,
    },
    /// End every permission to act for this account: other devices, sites, programs. Files and
    /// browsers that hold its recovery words or this wallet file let themselves in again.
    SignOutEverywhere(WalletArgs),
    /// Give money back for something this account sold.
    Refund {
        /// The purchase, as its buyer reads it in their wallet: `pur_…`.
        handle: String,
        /// How much, in dollars at the present rate.
        #[arg(value_name = "USD", value_parser = money::parse_usd, required_unless_present = "all")]
        amount: Option<u64>,
        /// All that is left of it, which ends the purchase.
        #[arg(long, conflicts_with = "amount")]
        all: bool,
        /// Which refund of this purchase it is; the same number is never paid twice.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        seq: u32,
        #[command(flatten)]
        wallet: WalletArgs,
    },
}

#[derive(Debug, Args)]
struct WalletArgs {
    /// The wallet file; otherwise the one named by `SATCHEL_WALLET`.
    #[arg(long, value_name = "FILE")]
    wallet: Option<PathBuf>,
    /// Send requests here instead of to the issuer's own address.
    #[arg(long, value_name = "URL", value_parser = origin)]
    issuer_base: Option<Origin>,
}

/// Reads an origin; a slash at the end is a habit, not a mistake.
pub(crate) fn origin(text: &str) -> std::result::Result<Origin, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    Origin::parse(text).map_err(|error| error.to_string())
}

fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "satchel", &mut script);
    out::stdout(&script)
}

/// One page for the command and all that it can do.
fn manual() -> Result<()> {
    let mut page = Vec::new();
    let mut pages = vec![Cli::command()];
    while let Some(mut command) = pages.pop() {
        // Names and usage of the commands below are filled in by this.
        command.build();
        let first = page.is_empty();
        let man = clap_mangen::Man::new(command.clone());
        let written = if first {
            man.render(&mut page)
        } else {
            man.render_synopsis_section(&mut page)
                .and_then(|()| man.render_description_section(&mut page))
                .and_then(|()| man.render_options_section(&mut page))
        };
        written.map_err(|e| Failure::new(Exit::Machine, format!("can't write the manual: {e}")))?;
        if first {
            pages.extend(command.get_subcommands().cloned());
            pages.reverse();
        }
    }
    out::stdout(&page)
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> Result<()> {
        let json = self.json;
        match self.command {
            Command::Info { file } => info::info(&file, json),
            Command::Verify { file } => info::verify(&file, json),
            Command::Preview(args) => preview::extract(&args, json),
            Command::Open(args) => open::open(&args, json),
            Command::Buy(args) => open::buy(&args, json),
            Command::Wallet(WalletCommand::New { file, issuer }) => {
                wallet_commands::create(&file, issuer, json)
            }
            Command::Wallet(WalletCommand::Balance(args)) => {
                wallet_commands::balance(args.wallet.as_deref(), args.issuer_base.as_ref(), json)
            }
            Command::Wallet(WalletCommand::TestMoney { usd, wallet: args }) => {
                let (wallet, base) = (args.wallet.as_deref(), args.issuer_base.as_ref());
                wallet_commands::test_money(wallet, base, usd, json)
            }
            Command::Wallet(WalletCommand::Statement {
                csv,
                output,
                wallet: args,
            }) => {
                let (wallet, base) = (args.wallet.as_deref(), args.issuer_base.as_ref());
                let kind = match (csv, json) {
                    (true, _) => statement::Kind::Csv,
                    (_, true) => statement::Kind::Json,
                    _ => statement::Kind::Table,
                };
                statement::statement(wallet, base, kind, &output)
            }
            Command::Wallet(WalletCommand::SignOutEverywhere(args)) => {
                let (wallet, base) = (args.wallet.as_deref(), args.issuer_base.as_ref());
                wallet_commands::sign_out(wallet, base, json)
            }
            Command::Wallet(WalletCommand::Refund {
                handle,
                amount,
                all: _,
                seq,
                wallet: args,
            }) => {
                let (wallet, base) = (args.wallet.as_deref(), args.issuer_base.as_ref());
                wallet_commands::refund(wallet, base, (&handle, seq, amount), json)
            }
            Command::Pack(args) => pack::pack(&args, json),
            Command::Magnet(args) => magnet::magnet(&args, json),
            Command::Completions { shell } => completions(shell),
            Command::Man => manual(),
            Command::Key { file } => keyfile::create(&file, json),
        }
    }
}

//! The `satchel` command.

use std::process::ExitCode;

use clap::Parser as _;
use satchel_cli::{args::Cli, fail};

fn main() -> ExitCode {
    fail::finish("satchel", Cli::parse().run())
}

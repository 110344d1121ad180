//! The `satchel-ops` command.

use std::process::ExitCode;

use clap::Parser as _;
use satchel_cli::{fail, ops::Cli};

fn main() -> ExitCode {
    fail::finish("satchel-ops", Cli::parse().run())
}

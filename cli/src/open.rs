//! `satchel open` and `satchel buy`: check the file, ask its issuer, buy it if it isn't owned yet, decrypt it.
//!
//! The order of things protects the buyer (DESIGN "Open"): nothing is asked of a stranger's
//! server before the file is known to be whole and the issuer trusted; nothing is paid before the
//! issuer's record agrees with the file and the price is agreed to; an order is on disk before it
//! is sent; nothing is decrypted before key and file are known to belong together.

use std::path::{Path, PathBuf};

use clap::Args;
use satchel_crypto::b64;
use satchel_domain::terms::Use as IssuersUse;
use satchel_format::{Origin, Satchel, Use};
use serde_json::json;

use crate::{
    answers::{Record, VersionRecord},
    args,
    buy::{Buyer, Consent, Got},
    fail::{Exit, Failure, Result},
    file::SatchelFile,
    issuer::Issuer,
    money,
    out::Target,
    pack, say,
    wallet::Wallet,
};

/// What to open, and where to.
#[derive(Debug, Args)]
pub struct Files {
    /// The satchel; `-` is stdin.
    pub file: PathBuf,
    /// Where its contents go; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there already.
    #[arg(long)]
    pub force: bool,
}

/// How to pay.
#[derive(Debug, Args)]
pub struct Payment {
    /// The wallet file; otherwise the one named by `SATCHEL_WALLET`.
    #[arg(long, value_name = "FILE")]
    pub wallet: Option<PathBuf>,
    /// Pay at most this many dollars.
    #[arg(long, value_name = "USD", value_parser = money::parse_usd)]
    pub max_price: Option<u64>,
    /// Send requests here instead of to the issuer's own address.
    #[arg(long, value_name = "URL", value_parser = args::origin)]
    pub issuer_base: Option<Origin>,
    /// Deal with this satchel's issuer from now on, although the wallet doesn't know it.
    #[arg(long)]
    pub trust: bool,
    /// Pay without asking: up to --max-price, or up to the price on the file.
    #[arg(long)]
    pub yes: bool,
}

/// What the user of `satchel open` asked for.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    payment: Payment,
    /// Open with the key file `satchel pack` made, without wallet or network.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wallet", "max_price", "trust", "yes"])]
    key_file: Option<PathBuf>,
}

/// What the user of `satchel buy` asked for.
#[derive(Debug, Args)]
pub struct BuyOptions {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    payment: Payment,
}

/// `satchel open`: with the key file, or as [`buy`].
pub fn open(options: &Options, json: bool) -> Result<()> {
    let key_file = options.key_file.as_deref();
    run(&options.files, &options.payment, key_file, json)
}

/// `satchel buy`: what is owned already is opened and not paid for again.
pub fn buy(options: &BuyOptions, json: bool) -> Result<()> {
    run(&options.files, &options.payment, None, json)
}

fn run(files: &Files, payment: &Payment, key_file: Option<&Path>, json: bool) -> Result<()> {
    let target = Target::new(&files.out, files.force)?;
    if json && target == Target::Stdout {
        return Err(Failure::new(
            Exit::Usage,
            "--json and -o - both want stdout",
        ));
    }
    let mut file = SatchelFile::open(&files.file)?;
    let (key, got) = if let Some(path) = key_file {
        (pack::read_key(path, &file.satchel)?, None)
    } else {
        // All of it, before anything is paid: a damaged file is not worth a cent.
        file.verify()?;
        let got = buy_or_show(payment, &file.satchel)?;
        (got.key.clone(), Some(got))
    };
    // The key must be the one the creator committed to, whoever it came from.
    file.satchel.unlock(&key)?;
    target.write(|out| file.decrypt(&key, out))?;
    report(&files.out, json, &file.satchel, &target, got.as_ref())
}

fn report(
    out: &Path,
    json: bool,
    satchel: &Satchel,
    target: &Target,
    got: Option<&Got>,
) -> Result<()> {
    let manifest = satchel.manifest();
    if json {
        return say::line(
            &json!({
                "opened": out.display().to_string(),
                "bytes": manifest.size,
                "work": manifest.work,
                "version": manifest.version,
                "paid": got.is_some_and(|got| got.paid),
                "order": got.map(|got| &got.order),
                "usd_micros": got.map(|got| got.bought.usd_micros),
                "msat": got.map(|got| got.bought.msat),
                "ledger": got.map(|got| got.bought.ledger),
            })
            .to_string(),
        );
    }
    let how = match got {
        None => "with the key file".to_owned(),
        Some(got) if !got.paid => "owned already, nothing was paid".to_owned(),
        Some(Got { order, bought, .. }) => format!(
            "paid {} ({}{}), order {order}",
            money::usd(bought.usd_micros),
            money::bits(bought.msat),
            money::mark(bought.ledger)
        ),
    };
    let opened = format!(
        "opened {} ({} bytes): {how}",
        out.display(),
        money::grouped(manifest.size)
    );
    match target {
        Target::Path(_) | Target::Special(_) => say::line(&opened),
        Target::Stdout => {
            say::note(&opened);
            Ok(())
        }
    }
}

fn buy_or_show(payment: &Payment, satchel: &Satchel) -> Result<Got> {
    let manifest = satchel.manifest();
    if manifest.terms.usage == Use::Stream {
        return Err(stream_only(satchel));
    }
    let mut wallet = Wallet::open(payment.wallet.as_deref())?;
    if !wallet.trusts(&manifest.issuer) {
        if !payment.trust {
            let what = format!(
                "this satchel is sold by {}, which your wallet doesn't know",
                manifest.issuer
            );
            return Err(Failure::new(Exit::Guarded, what).next(
                "Nothing was asked or paid. Add --trust to deal with that issuer from now on.",
            ));
        }
        wallet.trust(&manifest.issuer)?;
    }
    let issuer = Issuer::new(&manifest.issuer, payment.issuer_base.as_ref())?;
    let record = issuer.record(&manifest.work)?;
    let version = check_record(&record, satchel)?;
    if version.usage == IssuersUse::Stream {
        return Err(stream_only(satchel));
    }
    let consent = Consent {
        max_price: payment.max_price,
        yes: payment.yes,
    };
    Buyer::new(consent, satchel, issuer, wallet).get(&record, version)
}

fn stream_only(satchel: &Satchel) -> Failure {
    let manifest = satchel.manifest();
    Failure::new(
        Exit::StreamOnly,
        "streaming only: this work is played, its key is never given out",
    )
    .code("streaming_only")
    .next(format!(
        "Play it at {}/w/{}",
        manifest.issuer, manifest.work
    ))
}

/// Compares the file with what its issuer has on record, before any price is shown: a genuine
/// satchel of the right creator may still be one the issuer doesn't sell.
fn check_record<'a>(record: &'a Record, satchel: &Satchel) -> Result<&'a VersionRecord> {
    let manifest = satchel.manifest();
    let other = |what: &str| {
        Failure::new(
            Exit::BadFile,
            format!("{} has {what} on record", manifest.issuer),
        )
        .code("record_mismatch")
        .next("Nothing was paid. Get the file again from its creator or issuer.")
    };
    let version = record
        .versions
        .iter()
        .find(|version| version.version == manifest.version);
    let version = version.ok_or_else(|| other("no such version of this work"))?;
    if version.manifest_digest.as_str() != b64::encode(satchel.signed().digest()) {
        return Err(other("another manifest"));
    }
    let creator = &manifest.creator.0;
    if version.signer.as_str() != creator.jkt() || record.creator.x != creator.to_b64() {
        return Err(other("another creator"));
    }
    if version.size != satchel.file_size() {
        return Err(other("a file of another size"));
    }
    Ok(version)
}

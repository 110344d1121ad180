//! `satchel open`: check the file, ask its issuer, buy it if it isn't owned yet, decrypt it.
//!
//! The order of things protects the buyer (DESIGN "Open"): nothing is asked of a stranger's
//! server before the file is known to be whole and the issuer trusted; nothing is paid before the
//! issuer's record agrees with the file and the price is agreed to; an order is on disk before it
//! is sent; nothing is decrypted before key and file are known to belong together.

use std::path::PathBuf;

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

/// What the user asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// The satchel; `-` is stdin.
    pub file: PathBuf,
    /// Where its contents go; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there already.
    #[arg(long)]
    pub force: bool,
    /// The wallet file; otherwise the one named by `SATCHEL_WALLET`.
    #[arg(long, value_name = "FILE")]
    pub wallet: Option<PathBuf>,
    /// Open with the key file `satchel pack` made, without wallet or network.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wallet", "max_price", "trust", "yes"])]
    pub key_file: Option<PathBuf>,
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

/// Runs the command.
pub fn open(options: &Options, json: bool) -> Result<()> {
    let target = Target::new(&options.out, options.force)?;
    if json && target == Target::Stdout {
        return Err(Failure::new(
            Exit::Usage,
            "--json and -o - both want stdout",
        ));
    }
    let mut file = SatchelFile::open(&options.file)?;
    let (key, got) = if let Some(path) = &options.key_file {
        (pack::read_key(path, &file.satchel)?, None)
    } else {
        // All of it, before anything is paid: a damaged file is not worth a cent.
        file.verify()?;
        let got = buy_or_show(options, &file.satchel)?;
        (got.key.clone(), Some(got))
    };
    // The key must be the one the creator committed to, whoever it came from.
    file.satchel.unlock(&key)?;
    target.write(|out| file.decrypt(&key, out))?;
    report(options, json, &file.satchel, &target, got.as_ref())
}

fn report(
    options: &Options,
    json: bool,
    satchel: &Satchel,
    target: &Target,
    got: Option<&Got>,
) -> Result<()> {
    let manifest = satchel.manifest();
    if json {
        return say::line(
            &json!({
                "opened": options.out.display().to_string(),
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
        options.out.display(),
        money::grouped(manifest.size)
    );
    match target {
        Target::Path(_) => say::line(&opened),
        Target::Stdout => {
            say::note(&opened);
            Ok(())
        }
    }
}

fn buy_or_show(options: &Options, satchel: &Satchel) -> Result<Got> {
    let manifest = satchel.manifest();
    if manifest.terms.usage == Use::Stream {
        return Err(stream_only(satchel));
    }
    let mut wallet = Wallet::open(options.wallet.as_deref())?;
    if !wallet.trusts(&manifest.issuer) {
        if !options.trust {
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
    let issuer = Issuer::new(&manifest.issuer, options.issuer_base.as_ref())?;
    let record = issuer.record(&manifest.work)?;
    let version = check_record(&record, satchel)?;
    if version.usage == IssuersUse::Stream {
        return Err(stream_only(satchel));
    }
    let consent = Consent {
        max_price: options.max_price,
        yes: options.yes,
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

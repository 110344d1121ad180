//! `satchel wallet`: make one, look into it, fill it with test money.

use std::{path::Path, thread, time::Duration};

use satchel_crypto::b32;
use satchel_domain::{
    id::FundingId,
    ledger::LedgerId,
    money::{MAX_MSAT, Msat, Rate},
};
use satchel_format::Origin;
use satchel_wire::api::OrderStatus;
use serde_json::json;

use crate::{
    answers::{self, Account},
    clock,
    fail::{Exit, Failure, Result},
    issuer::{Asked, Issuer, signing_failed},
    money, say,
    wallet::Wallet,
};

/// Makes a wallet. Nothing is sent: the issuer hears of it when it is first used.
pub fn create(path: &Path, issuer: Origin, json: bool) -> Result<()> {
    let wallet = Wallet::create(path, issuer)?;
    let account = wallet.account()?;
    if json {
        return say::line(&json!({"account": account, "issuer": wallet.issuer()}).to_string());
    }
    say::line(&format!("account  {account}"))?;
    say::line(&format!("issuer   {}", wallet.issuer()))?;
    say::note(&format!(
        "{} is all there is: whoever has it can spend, without it the money is lost. Keep a copy.",
        path.display()
    ));
    Ok(())
}

/// Shows what may be spent.
pub fn balance(path: Option<&Path>, base: Option<&Origin>, json: bool) -> Result<()> {
    let mut wallet = Wallet::open(path)?;
    let issuer = Issuer::new(&wallet.issuer().clone(), base)?;
    let account = issuer.delegated(&mut wallet, Issuer::account)?;
    if json {
        return say::line(
            &json!({
                "account": wallet.account()?,
                "ledger": account.ledger,
                "balance_msat": account.balance_msat,
                "pending_msat": account.pending_msat,
                "incoming_msat": account.incoming_msat,
            })
            .to_string(),
        );
    }
    for (name, msat) in [
        ("balance", account.balance_msat),
        ("reserved", account.pending_msat),
        ("incoming", account.incoming_msat),
    ] {
        // What is nothing is only worth a line where it is the balance.
        if name == "balance" || msat != Msat::ZERO {
            say::line(&format!(
                "{name:<9} {}{}",
                money::bits(msat),
                mark(&account)
            ))?;
        }
    }
    Ok(())
}

/// Takes test money: worth nothing, marked everywhere, never turned into the real kind.
pub fn test_money(
    path: Option<&Path>,
    base: Option<&Origin>,
    usd_micros: u64,
    json: bool,
) -> Result<()> {
    let mut wallet = Wallet::open(path)?;
    let issuer = Issuer::new(&wallet.issuer().clone(), base)?;
    let account = issuer.delegated(&mut wallet, Issuer::account)?;
    if !account.test_money || account.ledger != LedgerId::Test {
        let what = format!("{} gives no test money", wallet.issuer());
        return Err(Failure::new(Exit::Refused, what).code("no_test_money"));
    }
    let rate = account.rate.ok_or_else(|| {
        Failure::new(Exit::NoAnswer, "the issuer has no exchange rate now").code("rate_stale")
    })?;
    let msat = convert(rate, usd_micros)?;
    let id = format!(
        "{}{}",
        FundingId::PREFIX,
        b32::encode(&clock::random::<20>()?)
    );
    let id = FundingId::parse(&id).map_err(|_| signing_failed())?;
    let credited = issuer.delegated(&mut wallet, |issuer, wallet| {
        issuer.test_money(wallet, &id, msat)
    })?;
    if json {
        let json = json!({
            "test_money": true,
            "credited_msat": msat,
            "balance_msat": credited.balance_msat,
        });
        return say::line(&json.to_string());
    }
    say::line(&format!(
        "credited  {} ({}), TEST MONEY",
        money::bits(msat),
        money::usd(usd_micros)
    ))?;
    say::line(&format!(
        "balance   {}, TEST MONEY",
        money::bits(credited.balance_msat)
    ))
}

/// Ends every delegation; this file's device is let in again when it is next used.
pub fn sign_out(path: Option<&Path>, base: Option<&Origin>, json: bool) -> Result<()> {
    let mut wallet = Wallet::open(path)?;
    let issuer = Issuer::new(&wallet.issuer().clone(), base)?;
    let account = issuer.delegated(&mut wallet, Issuer::account)?;
    let next = account.epoch.unwrap_or(0).saturating_add(1);
    let epoch = issuer.sign_out(&wallet, next)?.epoch;
    wallet.set_delegated(issuer.origin(), 0)?;
    if json {
        let account = wallet.account()?;
        return say::line(&json!({"account": account, "epoch": epoch}).to_string());
    }
    say::line("signed out everywhere: no other device, site or program may act for this account")?;
    say::note(
        "Whoever holds this wallet file lets themselves in again. If it was stolen, make a new \
         wallet and move there.",
    );
    Ok(())
}

/// How often an undecided refund is asked about, and how long apart.
const POLLS: u32 = 20;
const POLL_PAUSE: Duration = Duration::from_millis(500);

/// Pays back `amount` millionths of a dollar for a purchase, or all that is left of it.
pub fn refund(
    path: Option<&Path>,
    base: Option<&Origin>,
    (purchase, seq, amount): (&str, u32, Option<u64>),
    json: bool,
) -> Result<()> {
    let mut wallet = Wallet::open(path)?;
    let issuer = Issuer::new(&wallet.issuer().clone(), base)?;
    let account = issuer.delegated(&mut wallet, Issuer::account)?;
    let ledger = account.ledger;
    let mut pay = |seq, msat| {
        let asked = Asked {
            purchase,
            seq,
            msat,
            ledger,
        };
        issuer.delegated(&mut wallet, |issuer, wallet| issuer.refund(wallet, &asked))
    };
    let msat = match amount {
        Some(usd_micros) => {
            let rate = account.rate.ok_or_else(|| {
                Failure::new(Exit::NoAnswer, "the issuer has no exchange rate now")
                    .code("rate_stale")
            })?;
            convert(rate, usd_micros)?
        }
        // What is left is the ledger's to say: it refuses more than anything can have cost, and tells.
        None => match pay(seq, Msat::new(MAX_MSAT).unwrap_or_default()) {
            Err(failure) => left_of(failure)?,
            Ok(done) => done.msat,
        },
    };
    let (mut seq, mut msat) = (seq, msat);
    let mut done = match pay(seq, msat) {
        // Of what was paid back before only the buyer's account knows: it refuses, for good, and
        // says what is left.
        Err(failure) if amount.is_none() => {
            (seq, msat) = (seq.saturating_add(1), left_of(failure)?);
            pay(seq, msat)
        }
        answer => answer,
    }?;
    for _ in 0..POLLS {
        if done.status == OrderStatus::Posted {
            break;
        }
        thread::sleep(POLL_PAUSE);
        // Sending it again is asking.
        done = pay(seq, msat)?;
    }
    if done.status != OrderStatus::Posted {
        return Err(
            Failure::new(Exit::NoAnswer, "the issuer has not decided this refund yet")
                .next("Run the same command again in a while: it is never paid twice."),
        );
    }
    if json {
        let json = json!({
            "refund": done.refund, "replayed": done.replayed, "msat": done.msat,
            "fee_returned_msat": done.fee_returned_msat,
        });
        return say::line(&json.to_string());
    }
    let (bits, mark) = (money::bits(done.msat), money::mark(ledger));
    let again = if done.replayed {
        ", made before: nothing moved again"
    } else {
        ""
    };
    say::line(&format!("refunded  {bits}{mark}{again}"))?;
    say::line(&format!(
        "fee back  {}{mark}",
        money::bits(done.fee_returned_msat)
    ))
}

/// What a refusal says is left, if it says so.
fn left_of(failure: Failure) -> Result<Msat> {
    let left = failure
        .number
        .filter(|_| failure.is("refund_exceeds"))
        .and_then(|left| Msat::new(left).ok())
        .filter(|left| *left != Msat::ZERO);
    left.ok_or(failure)
}

fn convert(rate: answers::Rate, usd_micros: u64) -> Result<Msat> {
    let answers::Rate {
        usd_micros_per_btc,
        time,
        source,
    } = rate;
    let rate = Rate {
        usd_micros_per_btc,
        time,
        source,
        max_age_s: 0,
    };
    let msat = rate
        .msat(usd_micros)
        .ok()
        .filter(|msat| *msat != Msat::ZERO);
    msat.ok_or_else(|| Failure::new(Exit::Usage, "this amount can't be had"))
}

fn mark(account: &Account) -> &'static str {
    money::mark(account.ledger)
}

//! `satchel wallet`: make one, look into it, fill it with test money.

use std::path::Path;

use satchel_crypto::b32;
use satchel_domain::{
    id::FundingId,
    ledger::LedgerId,
    money::{Msat, Rate},
};
use satchel_format::Origin;
use serde_json::json;

use crate::{
    answers::{self, Account},
    clock,
    fail::{Exit, Failure, Result},
    issuer::{Issuer, signing_failed},
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

//! `satchel-ops audit`: reads every account and inbox there is, says what came of it.

use std::collections::{BTreeMap, BTreeSet};

use satchel_domain::money::Msat;
use satchel_json::FromJson;
use satchel_wire::{
    internal::{AccountAudit, DirectoryPage, InboxAudit},
    operator::{AuditAccount, AuditDirectory, AuditInbox, Operator},
};

use crate::{
    audit::{Account, Inbox, Read, Report},
    clock,
    fail::{Exit, Failure, Result},
    money,
    ops::{LIFE_S, Signer},
    say,
};

/// Shards of the directory.
const SHARDS: u8 = 64;
/// Accounts are read so often before lines that don't add up are a fault, and not a checkpoint made
/// between two pages.
const READINGS: u32 = 3;
/// The second reading leaves nothing out, whatever the clocks say.
const NO_CUT: u64 = u32::MAX as u64;

struct Walk<'a> {
    signer: &'a Signer,
    cut: u64,
}

impl Walk<'_> {
    fn ask<T: FromJson>(&self, command: impl FnOnce(String, u64, u64) -> Operator) -> Result<T> {
        let iat = clock::now_s();
        let aud = self.signer.issuer.origin().to_string();
        self.signer
            .send(&command(aud, iat, iat.saturating_add(LIFE_S)))
    }

    fn names(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for shard in 0..SHARDS {
            let mut after = String::new();
            loop {
                let page: DirectoryPage = self.ask(|aud, iat, exp| {
                    Operator::AuditDirectory(AuditDirectory {
                        aud,
                        shard,
                        after: after.clone(),
                        iat,
                        exp,
                    })
                })?;
                let last = page.accounts.last().cloned();
                names.extend(page.accounts);
                match last {
                    Some(last) if page.more && last > after => after = last,
                    _ => break,
                }
            }
        }
        Ok(names)
    }

    fn account(&self, name: &str, cut: u64) -> Result<Account> {
        let mut read = Account::default();
        for _ in 0..READINGS {
            read = Account::default();
            let mut after = 0;
            loop {
                let page: AccountAudit = self.ask(|aud, iat, exp| {
                    Operator::AuditAccount(AuditAccount {
                        aud,
                        account: name.to_owned(),
                        cut,
                        after,
                        iat,
                        exp,
                    })
                })?;
                match read.page(&page) {
                    Some(next) if next > after => after = next,
                    _ => break,
                }
            }
            if read.adds_up() {
                break;
            }
        }
        Ok(read)
    }

    fn inbox(&self, name: &str) -> Result<Inbox> {
        let mut read = Inbox::default();
        let mut after = String::new();
        loop {
            let page: InboxAudit = self.ask(|aud, iat, exp| {
                Operator::AuditInbox(AuditInbox {
                    aud,
                    inbox: name.to_owned(),
                    cut: self.cut,
                    after: after.clone(),
                    iat,
                    exp,
                })
            })?;
            match read.page(&page) {
                Some(next) if next != after => next.clone_into(&mut after),
                _ => return Ok(read),
            }
        }
    }

    fn accounts(&self, names: &BTreeSet<String>, cut: u64) -> Result<BTreeMap<String, Account>> {
        let read = names
            .iter()
            .map(|name| Ok((name.clone(), self.account(name, cut)?)));
        read.collect()
    }
}

/// Reads everything, in the order the checks rest on.
fn read(walk: &Walk<'_>) -> Result<Read> {
    let mut names = walk.names()?;
    let before = walk.accounts(&names, walk.cut)?;
    let inboxes: BTreeSet<&String> = before.values().flat_map(Account::inboxes).collect();
    let inboxes = inboxes
        .into_iter()
        .map(|name| Ok((name.clone(), walk.inbox(name)?)))
        .collect::<Result<_>>()?;
    // Who has come since may have what left the others meanwhile.
    names.extend(walk.names()?);
    let after = walk.accounts(&names, NO_CUT)?;
    Ok(Read {
        cut: walk.cut,
        before,
        inboxes,
        after,
    })
}

/// The audit, with a cut `age_s` seconds ago. A fault ends with exit code 1.
pub(crate) fn audit(signer: &Signer, age_s: u64, json: bool) -> Result<()> {
    let cut = clock::now_s().saturating_sub(age_s);
    let report = read(&Walk { signer, cut })?.report();
    if json {
        let text = serde_json::to_string(&report);
        say::line(&text.map_err(|_| Failure::new(Exit::Machine, "the report can't be written"))?)?;
    } else {
        print(&report)?;
    }
    let Some(first) = report.findings.first() else {
        return Ok(());
    };
    let what = format!(
        "the books are wrong in {} place(s); the first is {}: {}",
        report.findings.len(),
        first.at,
        first.what
    );
    Err(Failure::new(Exit::Machine, what)
        .code("books_wrong")
        .next("Stop nothing yet: run it again, then compare the journals of what is named."))
}

fn print(report: &Report) -> Result<()> {
    let amount = |msat: u128| {
        let bits = u64::try_from(msat).ok().and_then(|n| Msat::new(n).ok());
        let bits = bits.map_or(String::new(), |msat| format!("({})", money::bits(msat)));
        format!("{msat:>20} msat  {bits}")
    };
    for (name, text) in [
        ("accounts", format!("{:>20}", report.accounts)),
        ("inboxes", format!("{:>20}", report.inboxes)),
        ("issued", amount(report.issued_msat)),
        ("balances", amount(report.balances_msat)),
        ("on the way to inboxes", amount(report.outboxes_msat)),
        ("waiting in inboxes", amount(report.waiting_msat)),
        ("refunds, corrections", amount(report.sendings_msat)),
        ("not settled", amount(report.moved_msat)),
    ] {
        say::line(format!("{name:<22}{text}").trim_end())?;
    }
    if report.findings.is_empty() {
        return say::line("all is accounted for");
    }
    for finding in &report.findings {
        say::line(&format!(
            "WRONG  {:>20} msat  {}: {}",
            finding.msat,
            say::plain(&finding.at),
            finding.what
        ))?;
    }
    Ok(())
}

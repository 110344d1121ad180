//! `satchel wallet statement`: the account's whole journal, for people, spreadsheets and programs.

use std::{fmt::Write as _, path::Path};

use satchel_format::Origin;
use serde_json::json;

use crate::{
    answers::Line,
    fail::{Exit, Failure, Result},
    issuer::Issuer,
    money,
    out::{self, Access},
    say,
    wallet::Wallet,
};

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Columns for people.
    Table,
    /// RFC 4180, as the issuer writes it.
    Csv,
    /// One JSON document.
    Json,
}

/// Writes the statement to a file or, for `-`, to stdout.
pub fn statement(
    path: Option<&Path>,
    base: Option<&Origin>,
    kind: Kind,
    output: &Path,
) -> Result<()> {
    let mut wallet = Wallet::open(path)?;
    let issuer = Issuer::new(&wallet.issuer().clone(), base)?;
    let text = match kind {
        Kind::Csv => csv(&issuer, &mut wallet)?,
        Kind::Json => {
            let lines = lines(&issuer, &mut wallet)?;
            let account = wallet.account()?;
            format!("{}\n", json!({"account": account, "transfers": lines}))
        }
        Kind::Table => table(&lines(&issuer, &mut wallet)?)?,
    };
    if output == Path::new("-") {
        return out::stdout(text.as_bytes());
    }
    // It tells what its owner buys.
    out::write(output, Access::Owner, text.as_bytes())
}

fn lines(issuer: &Issuer, wallet: &mut Wallet) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut after = 0;
    loop {
        let page = issuer.delegated(wallet, |issuer, wallet| issuer.transfers(wallet, after))?;
        lines.extend(page.transfers);
        match page.next {
            Some(next) => after = forward(after, next)?,
            None => return Ok(lines),
        }
    }
}

fn csv(issuer: &Issuer, wallet: &mut Wallet) -> Result<String> {
    let mut text = String::new();
    let mut after = 0;
    loop {
        let (page, next) =
            issuer.delegated(wallet, |issuer, wallet| issuer.transfers_csv(wallet, after))?;
        // Each page has the line of headings.
        let headings = text.split_inclusive('\n').next().unwrap_or_default();
        let fresh = page.strip_prefix(headings).unwrap_or(&page).to_owned();
        text.push_str(&fresh);
        match next {
            Some(next) => after = forward(after, next)?,
            None => return Ok(text),
        }
    }
}

/// A page that leads back would be read for ever.
fn forward(after: u64, next: u64) -> Result<u64> {
    if next > after {
        Ok(next)
    } else {
        Err(Failure::new(
            Exit::Refused,
            "the issuer's answer is not as documented",
        ))
    }
}

fn table(lines: &[Line]) -> Result<String> {
    let row = |when: &str, moved: &str, balance: &str, what: &str| {
        format!("{when:<20} {moved:>22} {balance:>22}  {what}")
    };
    let mut text = row("when (UTC)", "in or out", "balance", "what");
    for line in lines {
        let (credit, debit) = (line.credit_msat, line.debit_msat);
        let moved = if credit >= debit {
            let more = credit.minus(debit).map_err(|_| beyond())?;
            format!("+{}", money::bits(more))
        } else {
            let less = debit.minus(credit).map_err(|_| beyond())?;
            format!("-{}", money::bits(less))
        };
        let what = match (&line.title, line.count) {
            (Some(title), _) => format!("{} \u{201c}{title}\u{201d}", line.kind),
            (None, 0 | 1) => line.kind.clone(),
            (None, count) => format!("{} ({count})", line.kind),
        };
        let row = row(
            &utc(line.time),
            &moved,
            &money::bits(line.balance_msat),
            &say::plain(&what).replace('\n', " "),
        );
        write!(text, "\n{row}").map_err(|_| beyond())?;
    }
    text.push('\n');
    Ok(text)
}

fn beyond() -> Failure {
    Failure::new(Exit::Refused, "the issuer's answer is not as documented")
}

/// `2026-11-25 11:29:01`. Days to a date by counting eras of 400 years from 1 March 0000.
#[must_use]
pub fn utc(unix_s: u64) -> String {
    let div = |a: u64, b: u64| a.checked_div(b).unwrap_or_default();
    let rem = |a: u64, b: u64| a.checked_rem(b).unwrap_or_default();
    let days = div(unix_s, 86_400).saturating_add(719_468);
    let (era, day) = (div(days, 146_097), rem(days, 146_097));
    let leaps = div(day, 1_460)
        .saturating_add(div(day, 146_096))
        .saturating_sub(div(day, 36_524));
    let year_of_era = div(day.saturating_sub(leaps), 365);
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(div(year_of_era, 4))
        .saturating_sub(div(year_of_era, 100));
    let day = day.saturating_sub(before);
    // Months from March; 153 days in any five of them.
    let month = div(day.saturating_mul(5).saturating_add(2), 153);
    let first = div(month.saturating_mul(153).saturating_add(2), 5);
    let day = day.saturating_sub(first).saturating_add(1);
    let month = if month < 10 {
        month.saturating_add(3)
    } else {
        month.saturating_sub(9)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(u64::from(month <= 2));
    let second = rem(unix_s, 86_400);
    let (hour, minute) = (div(second, 3_600), rem(div(second, 60), 60));
    let second = rem(second, 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (1_709_251_200, "2024-03-01 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_795_606_141, "2026-11-25 11:29:01"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(unix), text);
        }
    }
}

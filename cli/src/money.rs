//! Dollars and Bits as people write and read them. Integers throughout.

use satchel_domain::{ledger::LedgerId, money::Msat};

/// Millisatoshi in one Bit.
const MSAT_PER_BIT: u64 = 100_000;
/// Millionths in one dollar.
const MICROS: u64 = 1_000_000;

/// Reads dollars with at most six decimals, e.g. `0.50`, into millionths.
pub fn parse_usd(text: &str) -> Result<u64, String> {
    let usage = || format!("{text:?} is not an amount such as 0.50");
    let digits = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let good = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !good(whole) || !good(part) || part.len() > 6 {
        return Err(usage());
    }
    let whole: u64 = whole.parse().map_err(|_| usage())?;
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| usage())?;
    whole
        .checked_mul(MICROS)
        .and_then(|n| n.checked_add(part))
        .ok_or_else(usage)
}

/// `$0.50`, `$12.00`, `$0.0001`: two decimals or as many as it takes.
#[must_use]
pub fn usd(micros: u64) -> String {
    let whole = micros.checked_div(MICROS).unwrap_or(0);
    let part = format!("{:06}", micros.checked_rem(MICROS).unwrap_or(0));
    let part = part.trim_end_matches('0');
    format!("${}.{part:0<2}", grouped(whole))
}

/// `500 Bits`, `12.5 Bits`.
#[must_use]
pub fn bits(msat: Msat) -> String {
    let whole = msat.get().checked_div(MSAT_PER_BIT).unwrap_or(0);
    let part = format!("{:05}", msat.get().checked_rem(MSAT_PER_BIT).unwrap_or(0));
    let part = part.trim_end_matches('0');
    let point = if part.is_empty() { "" } else { "." };
    let unit = if whole == 1 && part.is_empty() {
        "Bit"
    } else {
        "Bits"
    };
    format!("{}{point}{part} {unit}", grouped(whole))
}

/// ` TEST MONEY` where it is, so that nobody takes it for the other kind.
#[must_use]
pub fn mark(ledger: LedgerId) -> &'static str {
    match ledger {
        LedgerId::Test => ", TEST MONEY",
        LedgerId::Live => "",
    }
}

/// `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (left, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        if !out.is_empty() && left.checked_rem(3) == Some(0) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        for (text, micros) in [
            ("0.50", 500_000),
            ("$5", 5_000_000),
            ("0.000001", 1),
            ("12.3", 12_300_000),
            ("0", 0),
        ] {
            assert_eq!(parse_usd(text), Ok(micros), "{text}");
        }
        for bad in [
            "",
            ".5",
            "5.",
            "-1",
            "1e3",
            "0.0000001",
            "1,5",
            "18446744073709551615",
            "$",
            "+1",
        ] {
            assert!(parse_usd(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_is_written_for_people() {
        assert_eq!(usd(500_000), "$0.50");
        assert_eq!(usd(100), "$0.0001");
        assert_eq!(usd(1_234_000_000), "$1,234.00");
        assert_eq!(bits(Msat::new(100_000).unwrap()), "1 Bit");
        assert_eq!(bits(Msat::new(1_250_000).unwrap()), "12.5 Bits");
        assert_eq!(bits(Msat::new(123_456_700_000).unwrap()), "1,234,567 Bits");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
    }
}

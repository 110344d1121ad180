//! Prices for people, exact to the last digit, as their language writes them.

use crate::lang::Lang;

const MICROS: u64 = 1_000_000;

/// Dollars with cents, and with further digits where there are any: `$0.25`, `$0.0001`, `$1,000.00`;
/// in German `0,25 $`, the dollar sign behind a space that does not break.
pub(crate) fn dollars(lang: Lang, usd_micros: u64) -> String {
    let whole = usd_micros.checked_div(MICROS).unwrap_or_default();
    let part = decimals(usd_micros);
    match lang {
        Lang::En => format!("${}.{part}", grouped(whole, ',')),
        Lang::De => format!("{},{part}\u{a0}$", grouped(whole, '.')),
    }
}

/// The same for machines: `0.25`.
pub(crate) fn plain(usd_micros: u64) -> String {
    let whole = usd_micros.checked_div(MICROS).unwrap_or_default();
    format!("{whole}.{}", decimals(usd_micros))
}

/// At least two digits behind the point.
fn decimals(usd_micros: u64) -> String {
    let rest = format!("{:06}", usd_micros.checked_rem(MICROS).unwrap_or_default());
    let (cents, further) = rest.split_at_checked(2).unwrap_or(("00", ""));
    format!("{cents}{}", further.trim_end_matches('0'))
}

fn grouped(whole: u64, mark: char) -> String {
    let digits = whole.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        let behind = digits.len().saturating_sub(at);
        if at > 0 && behind.is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_price_has_cents_and_no_digit_too_many() {
        for (usd_micros, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (100, "$0.0001"),
            (10_000, "$0.01"),
            (100_000, "$0.10"),
            (250_000, "$0.25"),
            (255_000, "$0.255"),
            (1_000_000, "$1.00"),
            (1_100_001, "$1.100001"),
            (999_990_000, "$999.99"),
            (1_000_000_000, "$1,000.00"),
            (10_000_000_000, "$10,000.00"),
            (1_234_567_890_000, "$1,234,567.89"),
            (u64::MAX, "$18,446,744,073,709.551615"),
        ] {
            assert_eq!(dollars(Lang::En, usd_micros), text);
            assert_eq!(plain(usd_micros), text.replace(['$', ','], ""));
        }
    }

    #[test]
    fn german_writes_it_the_other_way_round() {
        for (usd_micros, text) in [
            (0, "0,00\u{a0}$"),
            (250_000, "0,25\u{a0}$"),
            (100, "0,0001\u{a0}$"),
            (1_234_567_890_000, "1.234.567,89\u{a0}$"),
        ] {
            assert_eq!(dollars(Lang::De, usd_micros), text);
        }
    }

    proptest! {
        #[test]
        fn a_price_reads_back_as_the_same_price(usd_micros: u64) {
            let text = dollars(Lang::En, usd_micros).replace(['$', ','], "");
            let (whole, part) = text.split_once('.').unwrap();
            prop_assert!((2..=6).contains(&part.len()));
            let micros: u128 = format!("{whole}{part:0<6}").parse().unwrap();
            prop_assert_eq!(micros, u128::from(usd_micros));
        }
    }
}

//! Money is integers: millisatoshi in the ledger, millionths of a dollar on the price tag.

use std::fmt;

use satchel_json::{Error, FromJson as _, Slot, Value};
use serde::Serialize;

/// Largest amount and balance: SQL numbers are JavaScript doubles, exact up to 2^53 − 1.
pub const MAX_MSAT: u64 = (1 << 53) - 1;
/// Millisatoshi in one bitcoin.
pub const MSAT_PER_BTC: u64 = 100_000_000_000;
/// Smallest price that is not free, in millionths of a dollar ($0.0001).
pub const MIN_PRICE_USD_MICROS: u64 = 100;
/// Smallest price that is not free, in millisatoshi.
pub const MIN_PRICE_MSAT: u64 = 100;
/// Largest price, in millionths of a dollar ($10,000).
pub const MAX_PRICE_USD_MICROS: u64 = 10_000_000_000;
/// Hundredths of a percent in the whole.
pub const BPS: u64 = 10_000;

/// The amount is above [`MAX_MSAT`] or arithmetic would leave its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("amount out of range")
    }
}

/// An amount in millisatoshi, at most 2^53 − 1. One Bit is 100,000 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "u64")]
pub struct Msat(u64);

impl Msat {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Checks the range.
    pub const fn new(msat: u64) -> Result<Self, OutOfRange> {
        if msat <= MAX_MSAT {
            Ok(Self(msat))
        } else {
            Err(OutOfRange)
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Sum, if in range.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        Self::new(self.0.checked_add(other.0).ok_or(OutOfRange)?)
    }

    /// Difference, if not negative.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        Ok(Self(self.0.checked_sub(other.0).ok_or(OutOfRange)?))
    }
}

impl Slot for Msat {
    fn blank() -> Self {
        Self::ZERO
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        let read = Self::new(u64::from_json(value)?);
        *self = read.map_err(|_| Error::new("amount out of range"))?;
        Ok(())
    }
}

impl From<Msat> for u64 {
    fn from(msat: Msat) -> Self {
        msat.0
    }
}

/// What a bitcoin costs, as the operator set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Millionths of a dollar for one bitcoin; never 0.
    pub usd_micros_per_btc: u64,
    /// When it was true, Unix seconds.
    pub time: u64,
    /// Where it comes from, e.g. `operator` or `test`.
    pub source: String,
    /// After how many seconds it must not be used; 0 = never stale (test ledgers only).
    pub max_age_s: u64,
}
satchel_json::read!(Rate {
    usd_micros_per_btc,
    time,
    source,
    max_age_s
});

impl Rate {
    /// Whether it is too old to sell by.
    #[must_use]
    pub fn is_stale(&self, now_s: u64) -> bool {
        self.max_age_s != 0 && now_s.saturating_sub(self.time) > self.max_age_s
    }

    /// Dollars to millisatoshi, rounded half up, once per order.
    pub fn msat(&self, usd_micros: u64) -> Result<Msat, OutOfRange> {
        let per_btc = u128::from(self.usd_micros_per_btc);
        let twice = u128::from(usd_micros)
            .checked_mul(u128::from(MSAT_PER_BTC))
            .and_then(|n| n.checked_mul(2))
            .and_then(|n| n.checked_add(per_btc))
            .ok_or(OutOfRange)?;
        let msat = twice.checked_div(per_btc.checked_mul(2).ok_or(OutOfRange)?);
        Msat::new(u64::try_from(msat.ok_or(OutOfRange)?).map_err(|_| OutOfRange)?)
    }
}

/// The operator's share of `gross`, rounded down.
pub fn fee(gross: Msat, fee_bps: u64) -> Result<Msat, OutOfRange> {
    if fee_bps > BPS {
        return Err(OutOfRange);
    }
    let share = u128::from(gross.0)
        .checked_mul(u128::from(fee_bps))
        .ok_or(OutOfRange)?;
    let share = share.checked_div(u128::from(BPS)).ok_or(OutOfRange)?;
    Msat::new(u64::try_from(share).map_err(|_| OutOfRange)?)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;

    fn rate(usd: u64) -> Rate {
        Rate {
            usd_micros_per_btc: usd * 1_000_000,
            time: 100,
            source: "t".into(),
            max_age_s: 60,
        }
    }

    #[test]
    fn dollars_round_half_up_to_the_millisatoshi() {
        assert_eq!(rate(100_000).msat(250_000).unwrap().get(), 250_000);
        assert_eq!(rate(90_000).msat(1_000_000).unwrap().get(), 1_111_111);
        // 3 micro-dollars at $200,000: 1.5 msat.
        assert_eq!(rate(200_000).msat(3).unwrap().get(), 2);
        assert_eq!(rate(200_000).msat(1).unwrap().get(), 1);
        assert_eq!(rate(1).msat(u64::MAX), Err(OutOfRange));
        assert_eq!(
            Rate {
                usd_micros_per_btc: 0,
                ..rate(1)
            }
            .msat(1),
            Err(OutOfRange)
        );
    }

    #[test]
    fn the_fee_is_rounded_down_and_never_more_than_the_whole() {
        assert_eq!(fee(Msat::new(199).unwrap(), 500).unwrap().get(), 9);
        assert_eq!(
            fee(Msat::new(MAX_MSAT).unwrap(), BPS).unwrap().get(),
            MAX_MSAT
        );
        assert_eq!(fee(Msat::ZERO, BPS + 1), Err(OutOfRange));
    }

    #[test]
    fn amounts_stay_exact_in_a_double() {
        assert!(Msat::new(MAX_MSAT).is_ok());
        assert_eq!(Msat::new(MAX_MSAT + 1), Err(OutOfRange));
        assert_eq!(
            Msat::new(MAX_MSAT).unwrap().plus(Msat::new(1).unwrap()),
            Err(OutOfRange)
        );
        assert_eq!(Msat::ZERO.minus(Msat::new(1).unwrap()), Err(OutOfRange));
    }

    #[test]
    fn a_rate_is_stale_after_its_age_and_zero_means_never() {
        assert!(!rate(1).is_stale(160));
        assert!(rate(1).is_stale(161));
        assert!(
            !Rate {
                max_age_s: 0,
                ..rate(1)
            }
            .is_stale(u64::MAX)
        );
    }
}

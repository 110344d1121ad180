//! Collaborators of a work and their shares: exact to the millisatoshi.

use serde::Serialize;

use crate::{
    id::AccountId,
    money::{BPS, Msat, OutOfRange},
    terms::BadTerms,
};

/// Most collaborators of a work, the payee apart.
pub const MAX_SPLITS: usize = 16;

/// A collaborator's share of what is left of a price after the fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Who gets it.
    pub account: AccountId,
    /// Hundredths of a percent, 1 to 9,999.
    pub bps: u32,
}
satchel_json::read!(Split { account, bps });

/// Checks that there are at most [`MAX_SPLITS`], of different accounts, none the payee's, and that
/// something is left for the payee.
pub fn check(splits: &[Split], payee: &AccountId) -> Result<(), BadTerms> {
    let mut left = BPS;
    for (at, split) in splits.iter().enumerate() {
        let before = splits.iter().take(at);
        let known = before.into_iter().any(|one| one.account == split.account);
        left = left.checked_sub(u64::from(split.bps)).ok_or(BadTerms)?;
        if known || split.account == *payee || split.bps == 0 {
            return Err(BadTerms);
        }
    }
    if left > 0 && splits.len() <= MAX_SPLITS {
        Ok(())
    } else {
        Err(BadTerms)
    }
}

/// What each collaborator gets of `net`; the rest is the payee's, whose remainder competes with theirs.
pub fn shares(net: Msat, splits: &[Split]) -> Result<Vec<Msat>, OutOfRange> {
    let theirs: u64 = splits.iter().map(|split| u64::from(split.bps)).sum();
    let mut weights: Vec<u64> = splits.iter().map(|split| split.bps.into()).collect();
    weights.push(BPS.checked_sub(theirs).ok_or(OutOfRange)?);
    let mut shares = apportion(net, &weights)?;
    shares.pop();
    Ok(shares)
}

/// `whole` in proportion to `weights`, by largest remainder; among equal remainders the first. The parts
/// add up to the whole exactly, and no part of a whole that is at most the sum of the weights exceeds
/// its weight.
pub fn apportion(whole: Msat, weights: &[u64]) -> Result<Vec<Msat>, OutOfRange> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let mut left = whole;
    let mut parts = Vec::with_capacity(weights.len());
    for weight in weights {
        let product = u128::from(whole.get()).checked_mul(u128::from(*weight));
        let product = product.ok_or(OutOfRange)?;
        let part = product.checked_div(total).ok_or(OutOfRange)?;
        let remainder = product.checked_rem(total).ok_or(OutOfRange)?;
        let part = Msat::new(u64::try_from(part).map_err(|_| OutOfRange)?)?;
        left = left.minus(part)?;
        parts.push((part, remainder));
    }
    let one = Msat::new(1)?;
    while left > Msat::ZERO {
        let most = parts.iter().map(|(_, rest)| *rest).max();
        let next = parts.iter_mut().find(|(_, rest)| Some(*rest) == most);
        let (part, rest) = next.ok_or(OutOfRange)?;
        (*part, *rest) = (part.plus(one)?, 0);
        left = left.minus(one)?;
    }
    Ok(parts.into_iter().map(|(part, _)| part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(c: char) -> AccountId {
        AccountId::parse(&format!("{}A", c.to_string().repeat(42))).unwrap()
    }

    fn split(c: char, bps: u32) -> Split {
        Split {
            account: account(c),
            bps,
        }
    }

    fn parts(whole: u64, weights: &[u64]) -> Vec<u64> {
        let parts = apportion(Msat::new(whole).unwrap(), weights).unwrap();
        parts.into_iter().map(Msat::get).collect()
    }

    #[test]
    fn parts_follow_their_weights_and_add_up_exactly() {
        assert_eq!(parts(100, &[3_333, 3_333, 3_334]), [33, 33, 34]);
        assert_eq!(parts(1, &[5_000, 5_000]), [1, 0], "the first of equals");
        assert_eq!(parts(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(parts(0, &[7, 3]), [0, 0]);
        assert_eq!(parts(5, &[0, 5, 0]), [0, 5, 0]);
        let most = crate::money::MAX_MSAT;
        assert_eq!(parts(most, &[9_999, 1]).iter().sum::<u64>(), most);
        assert!(apportion(Msat::new(1).unwrap(), &[]).is_err());
        assert!(apportion(Msat::new(1).unwrap(), &[0]).is_err());
    }

    #[test]
    fn no_part_of_a_part_exceeds_its_weight_and_all_of_it_gives_every_weight_back() {
        let mut seed = 1_u64;
        for _ in 0..2_000 {
            let mut next = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) % below
            };
            let weights: Vec<u64> = (0..=next(17)).map(|_| next(1_000)).collect();
            let total: u64 = weights.iter().sum();
            if total == 0 {
                continue;
            }
            let mut left = weights.clone();
            while left.iter().sum::<u64>() > 0 {
                let sum = left.iter().sum::<u64>();
                let whole = 1 + next(sum);
                let given = parts(whole, &left);
                assert_eq!(given.iter().sum::<u64>(), whole);
                for (left, given) in left.iter_mut().zip(given) {
                    *left -= given;
                }
            }
        }
    }

    #[test]
    fn collaborators_share_what_is_left_after_the_fee() {
        let splits = [split('b', 3_000), split('c', 1)];
        let shares = shares(Msat::new(95).unwrap(), &splits).unwrap();
        // 28.5, 0.0095 and the payee's 66.4905.
        assert_eq!(shares.iter().map(|s| s.get()).collect::<Vec<_>>(), [29, 0]);
    }

    #[test]
    fn splits_name_other_accounts_once_and_leave_something_to_the_payee() {
        let payee = account('p');
        assert_eq!(check(&[], &payee), Ok(()));
        assert_eq!(check(&[split('b', 9_999)], &payee), Ok(()));
        let names = "bcdefghijklmnoqrs";
        let many: Vec<Split> = names.chars().map(|c| split(c, 1)).collect();
        assert_eq!(check(&many[..16], &payee), Ok(()));
        for bad in [
            &many[..],
            &[split('b', 10_000)],
            &[split('b', 0)],
            &[split('b', 5_000), split('c', 5_000)],
            &[split('b', 1), split('b', 1)],
            &[split('p', 1)],
            &[split('b', u32::MAX)],
        ] {
            assert_eq!(check(bad, &payee), Err(BadTerms));
        }
    }
}

//! A quote: the terms of a work and the exchange rate, frozen for some minutes. Pure.

use satchel_domain::{
    money::{MIN_PRICE_MSAT, Rate},
    work::WorkState,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{QuoteIn, Record},
    error::state_error,
    quote::{QUOTE_LIFE_S, Quote, QuotedRate},
};

/// The quote for a work as it is offered now.
pub fn quote(
    record: &Record,
    asked: &QuoteIn,
    rate: &Rate,
    issuer: &str,
    now_s: u64,
) -> Result<Quote> {
    if record.state != WorkState::Published {
        return Err(state_error(record.state).into());
    }
    let free = record.free_copies_left();
    check_copies(record, asked, free)?;
    let usd_micros = record
        .terms
        .due(asked.usd_micros, free)
        .map_err(|_| ApiError::new(ErrorCode::Malformed, "the terms do not allow this amount"))?;
    let msat = rate.msat(usd_micros)?;
    if usd_micros > 0 && msat.get() < MIN_PRICE_MSAT {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "less than 100 msat cannot be paid",
        ));
    }
    Ok(Quote {
        aud: issuer.to_owned(),
        work: record.work.clone(),
        version: record.version,
        terms_digest: record.terms_digest.clone(),
        usd_micros,
        msat,
        ledger: record.ledger,
        rate: QuotedRate::from(rate),
        exp: now_s.saturating_add(QUOTE_LIFE_S),
    })
}

/// Whether there is a copy of the kind that is asked for, as far as is known now. The work has the
/// last word once an order asks it for one.
fn check_copies(record: &Record, asked: &QuoteIn, free: bool) -> Result<()> {
    let gone = |of: &'static str| Err(ApiError::from(ErrorCode::SoldOut).with("of", of));
    let sold = record.stock.as_ref().map_or(0, |stock| stock.sold);
    if record.terms.limit.is_some_and(|limit| sold >= limit) {
        return gone("limit");
    }
    if record.terms.giveaway.is_some() && asked.usd_micros == Some(0) && !free {
        return gone("giveaway");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use satchel_domain::{
        id::{Digest, WorkId},
        ledger::LedgerId,
        terms::{Terms, Use},
    };
    use satchel_wire::{api::Stock, jose::Jwk};

    fn record(state: WorkState) -> Record {
        Record {
            work: WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap(),
            state,
            creator: Jwk {
                kty: "OKP".into(),
                crv: "Ed25519".into(),
                x: String::new(),
            },
            title: "Song".into(),
            media_type: "audio/mpeg".into(),
            terms: Terms {
                giveaway: None,
                limit: None,
                pay_more: false,
                usd_micros: 250_000,
                usage: Use::Download,
            },
            terms_digest: Digest::parse(&"A".repeat(43)).unwrap(),
            version: 1,
            versions: Vec::new(),
            stock: None,
            listing: None,
            ledger: LedgerId::Test,
        }
    }

    fn ask(usd_micros: Option<u64>, rate: u64, state: WorkState) -> Result<Quote> {
        ask_for(&record(state), usd_micros, rate)
    }

    fn ask_for(record: &Record, usd_micros: Option<u64>, rate: u64) -> Result<Quote> {
        let asked = QuoteIn {
            work: record.work.clone(),
            usd_micros,
        };
        let rate = Rate {
            usd_micros_per_btc: rate,
            time: 0,
            source: "test".into(),
            max_age_s: 0,
        };
        quote(record, &asked, &rate, "https://issuer", 1_000)
    }

    /// A published work that counts its copies.
    fn counted(giveaway: Option<u32>, limit: Option<u32>, sold: u32, given: u32) -> Record {
        let mut record = record(WorkState::Published);
        (record.terms.giveaway, record.terms.limit) = (giveaway, limit);
        record.stock = Some(Stock { sold, given });
        record
    }

    #[test]
    fn a_quote_freezes_price_and_rate_for_five_minutes() {
        let quote = ask(None, 100_000_000_000, WorkState::Published).unwrap();
        assert_eq!(
            (quote.usd_micros, quote.msat.get(), quote.exp),
            (250_000, 250_000, 1_300)
        );
    }

    #[test]
    fn works_not_on_sale_say_why() {
        for (state, code) in [
            (WorkState::Draft, ErrorCode::NotPublished),
            (WorkState::Unpublished, ErrorCode::WorkUnpublished),
            (WorkState::TakenDown, ErrorCode::WorkTakenDown),
        ] {
            assert_eq!(ask(None, 100_000_000_000, state).unwrap_err().code, code);
        }
    }

    #[test]
    fn an_amount_the_terms_do_not_allow_or_too_small_to_pay_is_refused() {
        let less = ask(Some(1), 100_000_000_000, WorkState::Published).unwrap_err();
        assert_eq!(less.code, ErrorCode::Malformed);
        // $0.25 when a bitcoin costs a billion billion dollars: below 100 msat.
        let tiny = ask(None, u64::MAX, WorkState::Published).unwrap_err();
        assert_eq!(tiny.code, ErrorCode::Malformed);
    }

    #[test]
    fn copies_are_free_while_the_giveaway_lasts_unless_the_buyer_pays() {
        const RATE: u64 = 100_000_000_000;
        for (giveaway, limit, sold, given, offered, due) in [
            (Some(3), None, 2, 2, None, 0),
            (Some(3), None, 2, 2, Some(0), 0),
            (Some(3), None, 2, 2, Some(250_000), 250_000),
            (Some(3), None, 9, 2, None, 0),
            (Some(3), None, 3, 3, None, 250_000),
            (Some(3), Some(10), 9, 2, None, 0),
            (None, Some(10), 9, 0, None, 250_000),
        ] {
            let record = counted(giveaway, limit, sold, given);
            let quote = ask_for(&record, offered, RATE).unwrap();
            assert_eq!((quote.usd_micros, quote.msat.get()), (due, due));
        }
        // Nobody has counted yet: nothing is gone.
        let mut fresh = counted(Some(3), Some(3), 0, 0);
        fresh.stock = None;
        assert_eq!(ask_for(&fresh, None, RATE).unwrap().usd_micros, 0);
    }

    #[test]
    fn what_is_gone_is_sold_out_and_says_of_what() {
        for (giveaway, limit, sold, given, offered, of) in [
            (None, Some(10), 10, 0, None, "limit"),
            (Some(3), Some(10), 10, 3, None, "limit"),
            (Some(3), Some(10), 10, 2, Some(0), "limit"),
            (Some(3), None, 3, 3, Some(0), "giveaway"),
        ] {
            let record = counted(giveaway, limit, sold, given);
            let error = ask_for(&record, offered, 1_000_000).unwrap_err();
            assert_eq!(error.code, ErrorCode::SoldOut);
            assert_eq!(error.member("of"), Some(&of.into()));
        }
    }
}

//! What is asked, read and answered.

use super::*;
use crate::{
    api::RateOut,
    internal::Transfer,
    quote::{Quote, QuotedRate},
};
use satchel_domain::{
    id::{AccountId, Digest, OrderId, Thumbprint, WorkId},
    ledger::Agreement,
    terms::{Terms, Use},
};

const ISSUER: &str = "https://shop.satchel.example";

fn key() -> Key32 {
    Key32::from_bytes([7; 32])
}

fn quote() -> QuoteOut {
    let digest = Digest::parse(&"A".repeat(43)).unwrap();
    let quote = Quote {
        aud: ISSUER.into(),
        work: WorkId::parse(&format!("wrk_{}", "a".repeat(52))).unwrap(),
        version: 1,
        terms_digest: digest.clone(),
        usd_micros: 250_000,
        msat: Msat::new(412_345).unwrap(),
        ledger: LedgerId::Test,
        rate: QuotedRate {
            usd_micros_per_btc: 60_000_000_000,
            time: 1_790_000_000,
        },
        exp: 1_790_000_300,
    };
    QuoteOut {
        quote: quote.issue(&key()).unwrap(),
        work: quote.work,
        version: 1,
        title: "A song \u{1f3b5}".into(),
        terms: Terms {
            giveaway: None,
            limit: None,
            pay_more: false,
            usd_micros: 250_000,
            usage: Use::Download,
        },
        terms_digest: digest,
        usd_micros: 250_000,
        msat: quote.msat,
        ledger: LedgerId::Test,
        rate: RateOut {
            usd_micros_per_btc: 60_000_000_000,
            time: 1_790_000_000,
            source: "test".into(),
        },
        expires: quote.exp,
    }
}

fn resource() -> String {
    format!("{ISSUER}/v1/keys/wrk_{}", "a".repeat(52))
}

fn with_demand<T>(of: impl FnOnce(&Demand<'_>) -> T) -> T {
    let (quote, resource) = (quote(), resource());
    of(&Demand {
        issuer: ISSUER,
        resource: &resource,
        quote: &quote,
        now_s: 1_790_000_000,
    })
}

fn decoded(header: &str) -> serde_json::Value {
    serde_json::from_slice(&unpadded(header).unwrap()).unwrap()
}

fn signing() -> SigningKey {
    SigningKey::from_seed(&Key32::from_bytes([3; 32]))
}

#[test]
fn a_demand_fits_into_small_headers() {
    let (x402, payment) = with_demand(|d| (d.x402().unwrap(), d.challenge(&key()).unwrap()));
    assert!(x402.len() <= MAX_OWN_HEADER_BYTES, "{}", x402.len());
    assert!(payment.len() <= MAX_OWN_HEADER_BYTES, "{}", payment.len());
    let required = decoded(&x402);
    assert_eq!(required["x402Version"], 2);
    assert_eq!(required["accepts"][0]["network"], "satchel:test");
    assert_eq!(required["accepts"][0]["amount"], "412345");
    assert_eq!(required["accepts"][0]["extra"]["usd_micros"], 250_000);
    assert_eq!(required["resource"]["url"], resource());
}

#[test]
fn a_price_for_crawlers_is_in_dollars() {
    for (micros, said) in [
        (250_000, "USD 0.25"),
        (100, "USD 0.0001"),
        (1_000_000, "USD 1.00"),
        (12_500_000, "USD 12.50"),
        (0, "USD 0.00"),
        (9_999_999_999, "USD 9999.999999"),
    ] {
        let mut quote = quote();
        quote.usd_micros = micros;
        let demand = Demand {
            issuer: ISSUER,
            resource: "",
            quote: &quote,
            now_s: 0,
        };
        assert_eq!(demand.crawler_price(), said);
    }
}

#[test]
fn times_are_written_as_rfc_3339() {
    for (unix, said) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_790_000_300, "2026-09-21T14:18:20Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(rfc3339(unix), said);
    }
}

fn v2(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let accepted = with_demand(|d| decoded(&d.x402().unwrap())["accepts"][0].clone());
    let mut payment = serde_json::json!({
        "x402Version": 2,
        "accepted": accepted,
        "payload": {"order": "o.r.d", "proof": "p.r.f"},
        "extensions": {"payment-identifier": {"info": {"required": false, "id": "pay_0123456789abcdef"}}},
    });
    change(&mut payment);
    padded(payment.to_string().as_bytes())
}

#[test]
fn a_payment_of_either_version_is_read() {
    let paid = Paid::x402(&v2(|_| {})).unwrap();
    assert_eq!(
        (paid.rail, paid.order.as_str(), paid.proof.as_str()),
        (Rail::X402(LedgerId::Test), "o.r.d", "p.r.f")
    );
    assert_eq!(paid.identifier.as_deref(), Some("pay_0123456789abcdef"));
    let v1 = serde_json::json!({
        "x402Version": 1, "scheme": "exact", "network": "satchel:test",
        "payload": {"order": "o.r.d", "proof": "p.r.f"},
    });
    let paid = Paid::x402(&padded(v1.to_string().as_bytes())).unwrap();
    assert_eq!(
        (paid.rail, paid.identifier),
        (Rail::X402V1(LedgerId::Test), None)
    );
}

#[test]
fn what_is_no_payment_of_ours_is_refused() {
    let refused = |header: &str| Paid::x402(header).unwrap_err().code;
    assert_eq!(refused("%%%"), ErrorCode::Malformed);
    assert_eq!(refused(""), ErrorCode::Malformed);
    assert_eq!(
        refused(&"A".repeat(MAX_HEADER_BYTES + 4)),
        ErrorCode::Malformed
    );
    for (change, code) in [
        (
            (|p| p["x402Version"] = 3.into()) as fn(&mut serde_json::Value),
            ErrorCode::Malformed,
        ),
        (
            |p| p["accepted"]["scheme"] = "upto".into(),
            ErrorCode::PaymentInvalid,
        ),
        (
            |p| p["accepted"]["network"] = "eip155:8453".into(),
            ErrorCode::PaymentInvalid,
        ),
        (
            |p| p["payload"] = serde_json::json!({"order": "x"}),
            ErrorCode::Malformed,
        ),
        (|p| p["payload"]["more"] = 1.into(), ErrorCode::Malformed),
        (
            |p| p["extensions"]["payment-identifier"]["info"]["id"] = "short".into(),
            ErrorCode::Malformed,
        ),
        (
            |p| p["extensions"]["payment-identifier"]["info"]["id"] = 7.into(),
            ErrorCode::Malformed,
        ),
    ] {
        assert_eq!(refused(&v2(change)), code);
    }
}

/// The parameters of a challenge, as a client echoes them.
fn echoed(challenge: &str) -> serde_json::Value {
    let list = challenge.strip_prefix("Payment ").unwrap();
    let pairs = list.split(", ").map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').into())
    });
    serde_json::Value::Object(pairs.collect())
}

#[test]
fn a_challenge_is_believed_only_as_it_was_made() {
    let challenge = with_demand(|d| d.challenge(&key()).unwrap());
    let credential = |change: fn(&mut serde_json::Value)| {
        let mut challenge = echoed(&challenge);
        change(&mut challenge);
        let credential =
            serde_json::json!({"challenge": challenge, "payload": {"order": "o", "proof": "p"}});
        b64::encode(credential.to_string().as_bytes())
    };
    let paid = Paid::credential(&credential(|_| {}), ISSUER, &key()).unwrap();
    assert!(matches!(paid.rail, Rail::Payment(_)));
    for change in [
        (|c| c["request"] = "e30".into()) as fn(&mut serde_json::Value),
        |c| c["expires"] = "2099-01-01T00:00:00Z".into(),
        |c| c["intent"] = "session".into(),
        |c| c["id"] = "".into(),
        |c| c["realm"] = "https://elsewhere".into(),
    ] {
        let refused = Paid::credential(&credential(change), ISSUER, &key()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::PaymentInvalid);
    }
    let elsewhere = Paid::credential(&credential(|_| {}), "https://elsewhere", &key());
    assert_eq!(elsewhere.unwrap_err().code, ErrorCode::PaymentInvalid);
    let other = Paid::credential(&credential(|_| {}), ISSUER, &Key32::from_bytes([8; 32]));
    assert_eq!(other.unwrap_err().code, ErrorCode::PaymentInvalid);
}

#[test]
fn who_paid_is_told_so_in_the_same_words_and_without_an_account() {
    let thumb = |c: &str| Thumbprint::parse(&c.repeat(43)).unwrap();
    let account = AccountId::parse(&"I".repeat(43)).unwrap();
    let transfer = Transfer {
        agreement: Agreement {
            order: OrderId::parse(&format!("ord_{}", "a".repeat(32))).unwrap(),
            account: account.clone(),
            work: quote().work,
            version: 1,
            terms_digest: quote().terms_digest,
            usd_micros: 250_000,
            msat: quote().msat,
            cnf: thumb("A"),
            ledger: LedgerId::Test,
        },
        time: 1_790_000_001,
        manifest_digest: quote().terms_digest,
        usage: Use::Download,
        rate: QuotedRate {
            usd_micros_per_btc: 1,
            time: 1,
        },
        title: String::new(),
        handle: "pur_x".into(),
    };
    let answer = |rail: Rail| {
        let paid = Paid {
            rail,
            order: String::new(),
            proof: String::new(),
            identifier: None,
        };
        paid.settled(ISSUER, &resource(), &transfer, "1", &signing())
            .unwrap()
    };
    let (name, value) = answer(Rail::X402(LedgerId::Test));
    assert_eq!(name, "payment-response");
    assert!(value.len() <= MAX_OWN_HEADER_BYTES, "{}", value.len());
    let told = decoded(&value);
    assert_eq!(
        (&told["success"], &told["network"]),
        (&true.into(), &"satchel:test".into())
    );
    let jws = told["extensions"]["offer-receipt"]["info"]["receipt"]["signature"]
        .as_str()
        .unwrap();
    let parsed = jws::Parsed::parse(jws).unwrap();
    assert!(parsed.verify(&signing().public()));
    assert!(!String::from_utf8_lossy(&parsed.payload).contains(account.as_str()));
    assert_eq!(answer(Rail::X402V1(LedgerId::Test)).0, "x-payment-response");
    let (name, value) = answer(Rail::Payment("ch".into()));
    assert_eq!(name, "payment-receipt");
    let told = decoded(&value);
    assert_eq!(
        (&told["status"], &told["challengeId"]),
        (&"success".into(), &"ch".into())
    );
    assert_eq!(told["timestamp"], "2026-09-21T14:13:21Z");
}

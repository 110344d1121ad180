//! Signed documents and bodies of requests: any text, and any claims under genuine signatures.
//!
//! The first byte says what the rest is; with `FF` in it, what stands before is the protected header.
//! Whatever is accepted must come from the one key there is, say what was written and be for us.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use satchel_crypto::{
    Key32, b64,
    ed25519::{Software, at_once},
    hmac_sha256, jws,
};
use satchel_domain::id::SessionId;
use satchel_fuzz::{ISSUER, KEY, NOW_S, WORK_NONCE, assert_faithful, assert_reads_back, filled};
use satchel_json::FromJson;
use satchel_wire::{
    Result, api,
    capability::Capability,
    command::{self, Command, Intake, Publish, Register, Upload},
    delegation,
    error::Problem,
    operator, order,
    proof::{self, Expected},
    quote::Quote,
    receipt::{self, Jwks, PublishedKey},
};
use serde::Serialize;

/// Names the key in receipts.
const KID: &str = "1";
const QUOTE: &[u8] = b"satchel/v1 quote\0";
const CAPABILITY: &[u8] = b"satchel/v1 capability\0";
const PROOF: Expected<'_> = Expected {
    method: "POST",
    url: "https://satchel.example/v1/keys",
    token: None,
    now_s: NOW_S,
};

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let (header, text) = match rest.iter().position(|byte| *byte == 0xff) {
        Some(end) => (Some(&rest[..end]), &rest[end + 1..]),
        None => (None, rest),
    };
    let (Ok(header), Ok(text)) = (header.map(str::from_utf8).transpose(), str::from_utf8(text))
    else {
        return;
    };
    let text = filled(text);
    let signed = |typ: &str, names: &str| {
        let usual = format!(r#"{{"alg":"EdDSA","typ":"{typ}"{names}}}"#);
        let header = filled(header.unwrap_or(&usual));
        jws::sign(&KEY, &header, text.as_bytes())
    };
    let kid = r#","kid":"@t""#;
    match kind {
        b'o' => check_order(&signed(order::TYP, kid)),
        b'r' => check_receipt(&signed(receipt::TYP, r#","kid":"1""#)),
        b'd' => check_delegation(&signed(delegation::TYP, "")),
        b'p' => check_proof(&signed(
            "dpop+jwt",
            r#","jwk":{"kty":"OKP","crv":"Ed25519","x":"@x"}"#,
        )),
        b'c' => check_commands(&signed(command::TYP, kid)),
        b'a' => check_operator(&signed(operator::TYP, "")),
        b'q' => check_quote(&tagged(QUOTE, &text)),
        b's' => check_capability(&tagged(CAPABILITY, &text)),
        b'b' => bodies(text.as_bytes()),
        _ => {
            check_order(&text);
            check_receipt(&text);
            check_delegation(&text);
            check_proof(&text);
            check_commands(&text);
            check_operator(&text);
            check_quote(&text);
            check_capability(&text);
        }
    }
});

fn secret() -> Key32 {
    Key32::from_bytes([3; 32])
}

/// As quotes and capabilities are written.
fn tagged(purpose: &[u8], text: &str) -> String {
    let tag = hmac_sha256(&secret(), &[purpose, text.as_bytes()].concat());
    format!("{}.{}", b64::encode(text.as_bytes()), b64::encode(&tag))
}

fn now<T>(future: impl Future<Output = Result<T>>) -> Option<T> {
    at_once(future).expect("nothing to wait for").ok()
}

/// What an accepted token says.
fn payload(token: &str) -> Vec<u8> {
    b64::decode(
        token
            .split('.')
            .nth(token.matches('.').count() - 1)
            .unwrap(),
    )
    .unwrap()
}

fn check_order(token: &str) {
    let Ok(unverified) = order::read(token) else {
        return;
    };
    if let Some(order) = now(unverified.verify(&Software, &KEY.public())) {
        assert_faithful(&payload(token), &order);
        let _ = (order.check_tag(), order.check_shape(ISSUER, NOW_S));
        let agreement = order.agreement();
        assert_eq!((&agreement.work, agreement.msat), (&order.work, order.msat));
    }
}

fn check_receipt(token: &str) {
    let jwks = Jwks {
        keys: vec![PublishedKey::of(KID, &KEY.public())],
    };
    if let Some(receipt) = now(receipt::verify(&Software, token, ISSUER, &jwks)) {
        assert_faithful(&payload(token), &receipt);
        assert_eq!((&*receipt.iss, &*receipt.aud), (ISSUER, ISSUER));
        assert_eq!(receipt.sub, receipt.cnf.jkt);
        assert!(receipt::is_handle(&receipt.handle));
    }
}

fn check_delegation(token: &str) {
    if let Some(delegation) = now(delegation::verify(&Software, token, ISSUER, NOW_S)) {
        assert_faithful(&payload(token), &delegation);
        assert_eq!(delegation.aud, ISSUER);
        assert_eq!(delegation.account.as_str(), KEY.public().jkt());
        assert_eq!(delegation.kept().expires, delegation.exp);
    }
}

fn check_proof(token: &str) {
    if let Some(proven) = now(proof::verify(&Software, token, &PROOF)) {
        assert_eq!(proven.key.as_str(), KEY.public().jkt());
        assert!((1..=128).contains(&proven.jti.len()));
    }
}

fn check_commands(token: &str) {
    // One token is one command.
    let count = [
        check_command(
            token,
            now(command::verify::<Register>(&Software, token, ISSUER, NOW_S)),
        ),
        check_command(
            token,
            now(command::verify::<Upload>(&Software, token, ISSUER, NOW_S)),
        ),
        check_command(
            token,
            now(command::verify::<Intake>(&Software, token, ISSUER, NOW_S)),
        ),
        check_command(
            token,
            now(command::verify::<Publish>(&Software, token, ISSUER, NOW_S)),
        ),
    ];
    assert!(count.iter().filter(|accepted| **accepted).count() <= 1);
}

fn check_command<T>(token: &str, command: Option<Command<T>>) -> bool
where
    T: Serialize + PartialEq + Debug,
    Command<T>: FromJson,
{
    if let Some(command) = &command {
        assert_faithful(&payload(token), command);
        assert_eq!(
            (&*command.aud, command.creator.key()),
            (ISSUER, Ok(KEY.public()))
        );
        assert!(command.iat <= command.exp && NOW_S < command.exp);
        let nonce = b64::decode_array(&command.work_nonce).unwrap();
        let work = command::work_id(&KEY.public(), &nonce).unwrap();
        assert_eq!(command.work, work);
        assert_eq!(nonce == WORK_NONCE, work.as_str() == filled("@w"));
    }
    command.is_some()
}

fn check_operator(token: &str) {
    let key = KEY.public();
    if let Some(command) = now(operator::verify(&Software, token, ISSUER, &key, NOW_S)) {
        assert_faithful(&payload(token), &command);
    }
}

fn check_quote(token: &str) {
    if let Ok(quote) = Quote::verify(token, &secret(), ISSUER) {
        assert_faithful(&payload(token), &quote);
        let issued = quote.issue(&secret()).unwrap();
        assert_eq!(
            Quote::verify(&issued, &secret(), ISSUER).as_ref(),
            Ok(&quote)
        );
        // A quote is no capability, whatever it says.
        assert!(issued != token || !is_capability(token));
    }
}

fn is_capability(token: &str) -> bool {
    let session = SessionId::parse(&format!("ses_{}", "a".repeat(32))).unwrap();
    Capability::verify(token, &secret(), ISSUER, &session, NOW_S).is_ok()
}

fn check_capability(token: &str) {
    let session = SessionId::parse(&format!("ses_{}", "a".repeat(32))).unwrap();
    if let Ok(capability) = Capability::verify(token, &secret(), ISSUER, &session, NOW_S) {
        assert_faithful(&payload(token), &capability);
        assert!(capability.exp > NOW_S && capability.session == session);
        assert!(Quote::verify(token, &secret(), ISSUER).is_err());
    }
}

/// Bodies that anybody may send, and answers that a client reads.
fn bodies(text: &[u8]) {
    macro_rules! each {
        ($($type:ty),* $(,)?) => {$(
            if let Ok(body) = satchel_json::from_slice::<$type>(text) {
                assert_faithful(text, &body);
            }
        )*};
    }
    each!(
        api::CommandIn,
        api::Empty,
        api::SignIn,
        api::QuoteIn,
        api::OrderIn,
        api::DelegationIn,
        api::TestMoneyIn,
        api::Record,
        api::QuoteOut,
        api::OrderOut,
        api::KeyOut,
        api::SessionOut,
        api::WindowOut,
        api::AccountOut,
        api::PurchasesOut,
        api::ConfigOut,
    );
    // Unknown members may stand in these.
    if let Ok(problem) = satchel_json::from_slice::<Problem>(text) {
        let written = serde_json::to_vec(&problem).unwrap();
        assert!(satchel_json::from_slice::<Problem>(&written).is_ok());
    }
    if let Ok(jwks) = satchel_json::from_slice::<Jwks>(text) {
        assert_reads_back(&jwks);
    }
}

//! Paying over plain HTTP: what a 402 asks for and how a payment answers it, in the words of x402
//! (versions 2 and 1) and of the `Payment` authentication scheme (draft-httpauth-payment).
//!
//! Either way the payment is the buyer's signed order with a proof of possession for the request, and the
//! ledger decides on it as on any other. Nothing is stored for a demand: the quote in it says what it is worth, and
//! the id of a `Payment` challenge is an HMAC over it.

use satchel_crypto::{Key32, b64, ed25519::SigningKey, hmac_sha256, hmac_verify, jws};
use satchel_domain::{ledger::LedgerId, money::Msat};
use satchel_json::{self as json, FromJson, Value};
use serde::Serialize;

use crate::{ApiError, ErrorCode, Result, api::QuoteOut, internal::Transfer, quote::QUOTE_LIFE_S};

/// `scheme` of x402: exactly the amount that is asked.
pub const SCHEME: &str = "exact";
/// `asset` of x402 and `currency` of `Payment`: thousandths of a satoshi on the issuer's ledger.
pub const ASSET: &str = "msat";
/// `payTo` of x402: the ledger knows who is paid; the account is nobody's business.
pub const PAY_TO: &str = "merchant";
/// `method` of `Payment`.
pub const METHOD: &str = "satchel";
/// Longest header that is read, in bytes.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Longest header of ours, in bytes: proxies cut those beyond 2 KB or so.
pub const MAX_OWN_HEADER_BYTES: usize = 1_536;
const PURPOSE: &[u8] = b"satchel/v1 payment challenge\0";

/// The network of a ledger, as CAIP-2 writes it.
#[must_use]
pub const fn network(ledger: LedgerId) -> &'static str {
    match ledger {
        LedgerId::Live => "satchel:live",
        LedgerId::Test => "satchel:test",
    }
}

fn object(members: Vec<(&'static str, Value<'static>)>) -> Value<'static> {
    let members = members
        .into_iter()
        .map(|(name, value)| (name.into(), value));
    Value::Object(members.collect())
}

/// Base64 with padding (RFC 4648 §4), as x402's headers have it.
fn padded(bytes: &[u8]) -> String {
    let mut text = b64::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Reads base64 in either alphabet, padded or not.
fn unpadded(text: &str) -> Result<Vec<u8>> {
    let text = text.trim().trim_end_matches('=');
    let text = text.replace('+', "-").replace('/', "_");
    b64::decode(&text).map_err(|_| malformed("not base64"))
}

fn malformed(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Malformed, format!("payment: {what}"))
}

fn text<T: Serialize>(value: &T) -> Result<String> {
    json::to_string(value).map_err(|_| ErrorCode::Internal.into())
}

/// What must be paid before an address answers.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The issuer's origin, the realm.
    pub issuer: &'a str,
    /// The address that was asked.
    pub resource: &'a str,
    /// The price, held for some minutes.
    pub quote: &'a QuoteOut,
    /// Unix seconds.
    pub now_s: u64,
}

impl Demand<'_> {
    fn seconds(&self) -> u64 {
        self.quote
            .expires
            .saturating_sub(self.now_s)
            .clamp(1, QUOTE_LIFE_S)
    }

    /// What an order has to say beside its own id and key.
    fn details(&self) -> Value<'static> {
        let quote = self.quote;
        object(vec![
            ("ledger", text_of(quote.ledger).into()),
            ("quote", quote.quote.clone().into()),
            (
                "terms_digest",
                quote.terms_digest.as_str().to_owned().into(),
            ),
            ("usd_micros", quote.usd_micros.into()),
            ("version", u64::from(quote.version).into()),
            ("work", quote.work.as_str().to_owned().into()),
        ])
    }

    /// Value of `PAYMENT-REQUIRED`: x402 version 2. What may be left out is, so that it stays small.
    pub fn x402(&self) -> Result<String> {
        let accepted = object(vec![
            ("scheme", SCHEME.into()),
            ("network", network(self.quote.ledger).into()),
            ("amount", self.quote.msat.get().to_string().into()),
            ("asset", ASSET.into()),
            ("payTo", PAY_TO.into()),
            ("maxTimeoutSeconds", self.seconds().into()),
            ("extra", self.details()),
        ]);
        let identifier = object(vec![(
            "info",
            object(vec![("required", Value::Bool(false))]),
        )]);
        let required = object(vec![
            ("x402Version", 2.into()),
            (
                "resource",
                object(vec![("url", self.resource.to_owned().into())]),
            ),
            ("accepts", Value::List(vec![accepted])),
            (
                "extensions",
                object(vec![("payment-identifier", identifier)]),
            ),
        ]);
        Ok(padded(text(&required)?.as_bytes()))
    }

    /// Members of the body: x402 version 1, and what version 2 leaves out of its header.
    #[must_use]
    pub fn body(&self, offer: String) -> Vec<(&'static str, Value<'static>)> {
        let accepted = object(vec![
            ("scheme", SCHEME.into()),
            ("network", network(self.quote.ledger).into()),
            (
                "maxAmountRequired",
                self.quote.msat.get().to_string().into(),
            ),
            ("resource", self.resource.to_owned().into()),
            ("description", self.quote.title.clone().into()),
            ("mimeType", "application/json".into()),
            ("payTo", PAY_TO.into()),
            ("maxTimeoutSeconds", self.seconds().into()),
            ("asset", ASSET.into()),
            ("extra", self.details()),
        ]);
        let offer = object(vec![
            ("format", "jws".into()),
            ("signature", offer.into()),
            ("acceptIndex", 0.into()),
        ]);
        let offers = object(vec![("offers", Value::List(vec![offer]))]);
        vec![
            ("x402Version", 1.into()),
            ("error", "payment required".into()),
            ("accepts", Value::List(vec![accepted])),
            (
                "extensions",
                object(vec![("offer-receipt", object(vec![("info", offers)]))]),
            ),
        ]
    }

    /// x402's signed offer (extension `offer-receipt`): a compact JWS over canonical JSON.
    pub fn offer(&self, kid: &str, key: &SigningKey) -> Result<String> {
        let payload = object(vec![
            ("amount", self.quote.msat.get().to_string().into()),
            ("asset", ASSET.into()),
            ("network", network(self.quote.ledger).into()),
            ("payTo", PAY_TO.into()),
            ("resourceUrl", self.resource.to_owned().into()),
            ("scheme", SCHEME.into()),
            ("validUntil", self.quote.expires.into()),
            ("version", 1.into()),
        ]);
        sign(self.issuer, kid, key, &payload)
    }

    /// `request` of a `Payment` challenge: canonical JSON, base64url.
    fn request(&self) -> Result<String> {
        let request = object(vec![
            ("amount", self.quote.msat.get().to_string().into()),
            ("currency", ASSET.into()),
            ("methodDetails", self.details()),
        ]);
        Ok(b64::encode(text(&request)?.as_bytes()))
    }

    /// Value of `WWW-Authenticate` for the `Payment` scheme.
    pub fn challenge(&self, key: &Key32) -> Result<String> {
        let challenge = Challenge {
            id: String::new(),
            realm: self.issuer.to_owned(),
            method: METHOD.into(),
            intent: "charge".into(),
            request: self.request()?,
            expires: Some(rfc3339(self.quote.expires)),
        };
        let id = b64::encode(&hmac_sha256(key, &challenge.bound()));
        let Challenge {
            realm,
            method,
            intent,
            request,
            expires,
            ..
        } = challenge;
        let expires = expires.unwrap_or_default();
        Ok(format!(
            r#"Payment id="{id}", realm="{realm}", method="{method}", intent="{intent}", request="{request}", expires="{expires}""#
        ))
    }

    /// Value of `crawler-price`: dollars, without an exponent.
    #[must_use]
    pub fn crawler_price(&self) -> String {
        let micros = self.quote.usd_micros;
        let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
        let part = format!("{part:06}");
        let part = part.trim_end_matches('0');
        format!("USD {whole}.{part:0<2}")
    }
}

const fn text_of(ledger: LedgerId) -> &'static str {
    match ledger {
        LedgerId::Live => "live",
        LedgerId::Test => "test",
    }
}

/// Signs a document of x402's `offer-receipt` extension. `kid` is a DID URL, as the extension wants.
fn sign(issuer: &str, kid: &str, key: &SigningKey, payload: &Value<'_>) -> Result<String> {
    let header = object(vec![
        ("alg", "EdDSA".into()),
        ("kid", did_url(issuer, kid).into()),
    ]);
    Ok(jws::sign(key, &text(&header)?, text(payload)?.as_bytes()))
}

/// `did:web` of an issuer: its origin without the scheme, a port's colon escaped.
#[must_use]
pub fn did(issuer: &str) -> String {
    let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
    format!("did:web:{}", host.replace(':', "%3A"))
}

fn did_url(issuer: &str, kid: &str) -> String {
    format!("{}#{kid}", did(issuer))
}

/// Unix seconds as RFC 3339 in UTC.
#[must_use]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "small factors on values bounded by the divisions before them"
)]
pub fn rfc3339(unix_s: u64) -> String {
    // Days since 0000-03-01, whose years end with February (H. Hinnant, "chrono-compatible
    // low-level date algorithms").
    let (days, second) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

/// Which protocol a payment came by, and is answered in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rail {
    /// x402 version 2, for this ledger.
    X402(LedgerId),
    /// x402 version 1, for this ledger.
    X402V1(LedgerId),
    /// The `Payment` authentication scheme, with the challenge's id.
    Payment(String),
}

/// A payment: the signed order, and the proof that whoever sends it holds the key of its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// By which protocol.
    pub rail: Rail,
    /// The order, a JWS.
    pub order: String,
    /// A proof of possession (RFC 9449) for the request, over the order as token.
    pub proof: String,
    /// x402's `payment-identifier`, if the client has one of its own.
    pub identifier: Option<String>,
}

#[derive(Debug)]
struct Payload {
    order: String,
    proof: String,
}
json::read!(Payload { order, proof });

/// The echoed challenge of a `Payment` credential.
#[derive(Debug, Clone)]
struct Challenge {
    id: String,
    realm: String,
    method: String,
    intent: String,
    request: String,
    expires: Option<String>,
}
json::read!(Challenge {
    id,
    realm,
    method,
    intent,
    request,
    expires,
    ..
});

impl Challenge {
    /// What the id is an HMAC of: `realm|method|intent|request|expires|digest|opaque`, empty slots kept.
    fn bound(&self) -> Vec<u8> {
        let expires = self.expires.as_deref().unwrap_or_default();
        let bound = [
            &self.realm,
            &self.method,
            &self.intent,
            &self.request,
            expires,
            "",
            "",
        ];
        [PURPOSE, bound.join("|").as_bytes()].concat()
    }
}

fn member<'a>(value: &'a Value<'_>, name: &str) -> Option<&'a Value<'a>> {
    let Value::Object(members) = value else {
        return None;
    };
    members
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
}

fn member_text<'a>(value: &'a Value<'_>, name: &str) -> Option<&'a str> {
    match member(value, name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn payload_of(value: &Value<'_>) -> Result<Payload> {
    let payload = member(value, "payload").ok_or_else(|| malformed("no payload"))?;
    Payload::from_json(payload.clone()).map_err(|error| malformed(&format!("payload: {error}")))
}

impl Paid {
    /// Reads `PAYMENT-SIGNATURE` or `X-PAYMENT`.
    pub fn x402(header: &str) -> Result<Self> {
        let bytes = bounded(header).and_then(unpadded)?;
        let value = Value::parse(&bytes).map_err(|error| malformed(&error.to_string()))?;
        let (version, chosen) = match member(&value, "x402Version") {
            Some(Value::Unsigned(2)) => (2, member(&value, "accepted")),
            Some(Value::Unsigned(1)) => (1, Some(&value)),
            _ => return Err(malformed("x402Version is neither 2 nor 1")),
        };
        let chosen = chosen.ok_or_else(|| malformed("no accepted requirements"))?;
        let named = member_text(chosen, "network");
        let ledger = [LedgerId::Live, LedgerId::Test]
            .into_iter()
            .find(|ledger| named == Some(network(*ledger)));
        let Some(ledger) = ledger.filter(|_| member_text(chosen, "scheme") == Some(SCHEME)) else {
            return Err(ApiError::new(
                ErrorCode::PaymentInvalid,
                "another scheme or network",
            ));
        };
        let rail = if version == 2 {
            Rail::X402(ledger)
        } else {
            Rail::X402V1(ledger)
        };
        let extension = member(&value, "extensions").and_then(|e| member(e, "payment-identifier"));
        let identifier = extension
            .and_then(|e| member(e, "info"))
            .and_then(|i| member(i, "id"));
        let identifier = match identifier {
            None => None,
            Some(Value::Text(id)) if is_identifier(id) => Some(id.clone().into_owned()),
            Some(_) => {
                return Err(malformed(
                    "payment-identifier is not 16 to 128 of A-Z a-z 0-9 _ -",
                ));
            }
        };
        let Payload { order, proof } = payload_of(&value)?;
        Ok(Self {
            rail,
            order,
            proof,
            identifier,
        })
    }

    /// Reads the token of `Authorization: Payment TOKEN`.
    pub fn credential(token: &str, issuer: &str, key: &Key32) -> Result<Self> {
        let bytes = bounded(token).and_then(unpadded)?;
        let value = Value::parse(&bytes).map_err(|error| malformed(&error.to_string()))?;
        let challenge = member(&value, "challenge").ok_or_else(|| malformed("no challenge"))?;
        let challenge = Challenge::from_json(challenge.clone())
            .map_err(|error| malformed(&format!("challenge: {error}")))?;
        let id = b64::decode(&challenge.id).unwrap_or_default();
        if !hmac_verify(key, &challenge.bound(), &id) || challenge.realm != issuer {
            return Err(ApiError::new(
                ErrorCode::PaymentInvalid,
                "not a challenge of this issuer",
            ));
        }
        let Payload { order, proof } = payload_of(&value)?;
        // `expires` is the quote's: the ledger, which tells a retry from a late payment, judges it.
        Ok(Self {
            rail: Rail::Payment(challenge.id),
            order,
            proof,
            identifier: None,
        })
    }

    /// Headers that tell the payer that the ledger took it: name and value.
    pub fn settled(
        &self,
        issuer: &str,
        resource: &str,
        transfer: &Transfer,
        kid: &str,
        key: &SigningKey,
    ) -> Result<(&'static str, String)> {
        let order = transfer.agreement.order.as_str();
        let payer = transfer.agreement.cnf.as_str();
        let network = network(transfer.agreement.ledger);
        if let Rail::Payment(challenge) = &self.rail {
            let receipt = object(vec![
                ("challengeId", challenge.clone().into()),
                ("method", METHOD.into()),
                ("reference", order.to_owned().into()),
                ("status", "success".into()),
                ("timestamp", rfc3339(transfer.time).into()),
            ]);
            return Ok(("payment-receipt", b64::encode(text(&receipt)?.as_bytes())));
        }
        let receipt = object(vec![
            ("issuedAt", transfer.time.into()),
            ("network", network.into()),
            ("payer", payer.to_owned().into()),
            ("resourceUrl", resource.to_owned().into()),
            ("transaction", order.to_owned().into()),
            ("version", 1.into()),
        ]);
        let signature = sign(issuer, kid, key, &receipt)?;
        let receipt = object(vec![
            ("format", "jws".into()),
            ("signature", signature.into()),
        ]);
        let extension = object(vec![("info", object(vec![("receipt", receipt)]))]);
        let response = object(vec![
            ("success", Value::Bool(true)),
            ("payer", payer.to_owned().into()),
            ("transaction", order.to_owned().into()),
            ("network", network.into()),
            ("amount", transfer.agreement.msat.get().to_string().into()),
            ("extensions", object(vec![("offer-receipt", extension)])),
        ]);
        Ok((self.response_header(), padded(text(&response)?.as_bytes())))
    }

    const fn response_header(&self) -> &'static str {
        match self.rail {
            Rail::X402(_) => "payment-response",
            Rail::X402V1(_) => "x-payment-response",
            Rail::Payment(_) => "payment-receipt",
        }
    }

    /// The header that tells an x402 client why the ledger did not take it; none for `Payment`, whose
    /// clients read the problem.
    pub fn refused(&self, error: &ApiError) -> Result<Option<(&'static str, String)>> {
        let (Rail::X402(ledger) | Rail::X402V1(ledger)) = self.rail else {
            return Ok(None);
        };
        let reason = match error.code {
            ErrorCode::InsufficientBalance => "insufficient_funds",
            ErrorCode::QuoteExpired | ErrorCode::OrderExpired => "payment_expired",
            code => code.as_str(),
        };
        let response = object(vec![
            ("success", Value::Bool(false)),
            ("errorReason", reason.into()),
            ("transaction", "".into()),
            ("network", network(ledger).into()),
        ]);
        Ok(Some((
            self.response_header(),
            padded(text(&response)?.as_bytes()),
        )))
    }
}

fn bounded(header: &str) -> Result<&str> {
    if header.len() <= MAX_HEADER_BYTES {
        Ok(header)
    } else {
        Err(malformed("the header is too long"))
    }
}

fn is_identifier(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (16..=128).contains(&id.len()) && id.bytes().all(plain)
}

/// Answer to a paid request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaidOut {
    /// The work.
    pub work: String,
    /// The version bought.
    pub version: u32,
    /// What it cost.
    pub msat: Msat,
    /// `download` or `stream`.
    pub rights: String,
    /// The receipt for the key that the order names.
    pub receipt: String,
    /// The content key, base64url; works that are only streamed have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_key: Option<String>,
}

#[cfg(test)]
mod tests;

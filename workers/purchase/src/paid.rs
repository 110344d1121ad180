//! Buying over plain HTTP: an address that answers 402 with its price, and the content key once it is paid.
//!
//! `GET /v1/keys/{work}` (and `/v1/sessions/{work}`, the same for works that are streamed) speaks x402 and the `Payment`
//! authentication scheme (`wire::paid`). What is sent as payment is an order; the ledger treats it like any other.

use satchel_domain::{
    id::{Thumbprint, WorkId},
    terms::Use,
};
use satchel_edge::{
    Call, Env, Platform, Response, Settings, json, json_cached, json_status, now_s, object, problem,
};
use satchel_json::Value;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Done, OrderIn, OrderPendingOut, OrderStatus, QuoteIn},
    internal::{Claim, Posted},
    order,
    paid::{self, Demand, Paid, PaidOut},
    proof::{self, Expected},
    receipt::{self, Receipt},
};

use crate::routes::{content_key, decided, issue, published, quoted, receipt_key};

/// How long others may keep the DID document, seconds.
const DID_AGE_S: u32 = 300;

/// `GET` and `POST /v1/keys/{work}`, `/v1/sessions/{work}`.
pub(crate) async fn ask(call: &Call, env: &Env, work: &str) -> Result<Response> {
    let work =
        WorkId::parse(work).map_err(|_| ApiError::new(ErrorCode::Malformed, "not a work id"))?;
    let settings = Settings::of(env);
    let issuer = settings.issuer()?;
    let asked = Asked {
        env,
        resource: format!("{issuer}{}", call.path()),
        method: call.method(),
        issuer,
        work,
    };
    let authorization = call.header("authorization").unwrap_or_default();
    let scheme = authorization.split(' ').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("dpop") {
        return asked.bought(call).await;
    }
    let x402 = call
        .header("payment-signature")
        .or_else(|| call.header("x-payment"));
    let paid = if let Some(header) = x402 {
        Paid::x402(&header)
    } else if scheme.eq_ignore_ascii_case("payment") {
        let token = authorization.split_once(' ').map_or("", |(_, token)| token);
        Paid::credential(token, &asked.issuer, &settings.key("QUOTE_KEY")?)
    } else {
        return asked.demand(&ErrorCode::PaymentRequired.into()).await;
    };
    match paid {
        Ok(paid) => match asked.settle(&paid).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let mut answer = asked.refuse(&error).await?;
                if let Some((name, value)) = paid.refused(&error)? {
                    put(&mut answer, name, &value)?;
                }
                Ok(answer)
            }
        },
        Err(error) => asked.refuse(&error).await,
    }
}

fn put(answer: &mut Response, name: &str, value: &str) -> Result<()> {
    answer
        .headers_mut()
        .set(name, value)
        .map_err(satchel_edge::internal)
}

struct Asked<'a> {
    env: &'a Env,
    issuer: String,
    /// ISSUER + path.
    resource: String,
    method: &'a str,
    work: WorkId,
}

impl Asked<'_> {
    /// 402: what it costs now, in every language we speak.
    async fn demand(&self, why: &ApiError) -> Result<Response> {
        let asked = QuoteIn {
            work: self.work.clone(),
            usd_micros: None,
        };
        let quote = quoted(self.env, &asked).await?;
        let demand = Demand {
            issuer: &self.issuer,
            resource: &self.resource,
            quote: &quote,
            now_s: now_s(),
        };
        let (kid, key) = receipt_key(self.env)?;
        let mut told = why.clone();
        for (name, value) in demand.body(demand.offer(&kid, &key)?) {
            told = told.with(name, value);
        }
        let mut answer = problem(&told).with_status(402);
        put(&mut answer, "payment-required", &demand.x402()?)?;
        let challenge = demand.challenge(&Settings::of(self.env).key("QUOTE_KEY")?)?;
        put(&mut answer, "www-authenticate", &challenge)?;
        put(&mut answer, "crawler-price", &demand.crawler_price())?;
        Ok(answer)
    }

    /// Another try may help where the price or the balance was the trouble: it is asked for anew. Anything else is
    /// answered as it is.
    async fn refuse(&self, error: &ApiError) -> Result<Response> {
        match error.code {
            ErrorCode::PaymentInvalid
            | ErrorCode::InsufficientBalance
            | ErrorCode::QuoteInvalid
            | ErrorCode::QuoteExpired
            | ErrorCode::OrderExpired => self.demand(error).await,
            _ => Ok(problem(error)),
        }
    }

    async fn settle(&self, paid: &Paid) -> Result<Response> {
        let order = order::read(&paid.order)?.claims;
        if order.work != self.work {
            return Err(ApiError::new(
                ErrorCode::PaymentInvalid,
                "the order is for another work",
            ));
        }
        let expected = Expected {
            method: self.method,
            url: &format!("{}/v1/keys/{}", self.issuer, self.work),
            token: Some(&paid.order),
            now_s: now_s(),
        };
        let proven = proof::verify(&Platform, &paid.proof, &expected).await?;
        if proven.key != order.cnf.jkt {
            return Err(ErrorCode::WrongKey.into());
        }
        let known = paid
            .identifier
            .as_deref()
            .filter(|id| *id != order.order.as_str());
        if let Some(id) = known {
            self.claim(id, &proven.key, &paid.order).await?;
        }
        let sent = OrderIn {
            order: paid.order.clone(),
            pickup: Some(false),
        };
        let posted = match decided(self.env, &sent).await {
            Err(error) if error.code == ErrorCode::OrderPending => {
                let pending = OrderPendingOut {
                    status: OrderStatus::Pending,
                    order: order.order,
                };
                let mut answer = json_status(202, &pending)?;
                put(&mut answer, "retry-after", "1")?;
                return Ok(answer);
            }
            posted => posted?,
        };
        self.hand_over(paid, &posted).await
    }

    /// An idempotency key of the client's own names one order.
    async fn claim(&self, id: &str, key: &Thumbprint, order: &str) -> Result<()> {
        let name = format!("payment {} {id}", key.as_str());
        let digest = satchel_crypto::b64::encode(&satchel_crypto::sha256(order.as_bytes()));
        let claim = Claim { digest };
        let claimed = object(self.env, "PICKUP", &name)?
            .post::<_, Done>("/claim", &claim)
            .await?;
        if claimed.done {
            return Ok(());
        }
        let conflict = ApiError::new(
            ErrorCode::OrderConflict,
            "payment-identifier was used with another payment",
        );
        Err(conflict.with("member", "payment-identifier"))
    }

    async fn hand_over(&self, paid: &Paid, posted: &Posted) -> Result<Response> {
        let transfer = &posted.transfer;
        let receipt = Receipt::of(transfer, &self.issuer);
        let mut answer = json(&self.out(&receipt, issue(self.env, transfer)?).await?)?;
        let (kid, key) = receipt_key(self.env)?;
        let (name, value) = paid.settled(&self.issuer, &self.resource, transfer, &kid, &key)?;
        put(&mut answer, name, &value)?;
        Ok(answer)
    }

    async fn out(&self, receipt: &Receipt, token: String) -> Result<PaidOut> {
        let content_key = match receipt.rights {
            Use::Download => Some(content_key(self.env, receipt).await?.content_key),
            Use::Stream => None,
        };
        Ok(PaidOut {
            work: receipt.work.as_str().to_owned(),
            version: receipt.version,
            msat: receipt.msat,
            rights: receipt.rights.as_str().to_owned(),
            receipt: token,
            content_key,
        })
    }

    /// Who has a receipt pays no more.
    async fn bought(&self, call: &Call) -> Result<Response> {
        let token = call.token()?;
        let receipt =
            receipt::verify(&Platform, &token, &self.issuer, &published(self.env)?).await?;
        let proven = call.proof(&self.issuer, Some(&token)).await?;
        if proven.key != receipt.cnf.jkt || receipt.work != self.work {
            return Err(ErrorCode::WrongKey.into());
        }
        json(&self.out(&receipt, token).await?)
    }
}

/// `GET /.well-known/did.json`: the receipt keys as x402's `offer-receipt` extension looks for them.
pub(crate) fn did(env: &Env) -> Result<Response> {
    let did = paid::did(&Settings::of(env).issuer()?);
    let text = |text: &str| Value::from(text.to_owned());
    let object = |members: Vec<(&'static str, Value<'static>)>| {
        Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    };
    let jwks = published(env)?;
    let ids = jwks
        .keys
        .iter()
        .map(|key| text(&format!("{did}#{}", key.kid)))
        .collect();
    let methods = jwks.keys.iter().map(|key| {
        object(vec![
            ("id", text(&format!("{did}#{}", key.kid))),
            ("type", text("JsonWebKey2020")),
            ("controller", text(&did)),
            (
                "publicKeyJwk",
                object(vec![
                    ("kty", text(&key.kty)),
                    ("crv", text(&key.crv)),
                    ("x", text(&key.x)),
                ]),
            ),
        ])
    });
    let document = object(vec![
        (
            "@context",
            Value::List(vec![text("https://www.w3.org/ns/did/v1")]),
        ),
        ("id", text(&did)),
        ("verificationMethod", Value::List(methods.collect())),
        ("assertionMethod", Value::List(ids)),
    ]);
    json_cached(&document, DID_AGE_S)
}

//! The purchase worker's entry: reads requests, asks the ledger, issues receipts.

use satchel_crypto::ed25519::SigningKey;
use satchel_domain::{id::OrderId, terms::Use, work::WorkState};
use satchel_edge::{
    Call, Env, Platform, Response, Settings, internal, json, json_cached, json_status, now_s,
    object, random, service,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{
        CommandIn, DelegationIn, DelegationOut, Done, Empty, GrantSeen, IntakeOut, KeyOut, OrderIn,
        OrderOut, OrderPendingOut, OrderSeen, OrderStatus, QuoteIn, QuoteOut, RateOut,
    },
    command::{self, Intake},
    delegation,
    error::state_error,
    internal::{Entitlement, OrderFound, Posted, RateRecord, Transfer, WorkSnapshot},
    order,
    receipt::{self, Jwks, PublishedKey, Receipt},
};

use crate::{
    keys::{self, Wrapping},
    quotes,
};

/// How long others may keep the JWKS, seconds.
const JWKS_AGE_S: u32 = 300;

/// The methods of a known path, for 405.
pub(crate) fn methods(path: &[&str]) -> &'static [&'static str] {
    match path {
        ["v1", "quotes" | "orders" | "grants" | "intake" | "keys"] => &["POST"],
        ["v1", "keys" | "sessions", _] => &["GET", "POST"],
        ["v1", "orders" | "grants", _] | [".well-known", "jwks.json" | "did.json"] => &["GET"],
        _ => &[],
    }
}

/// `POST /v1/quotes`.
pub(crate) async fn quote(mut call: Call, env: &Env) -> Result<Response> {
    let asked: QuoteIn = call.json().await?;
    json(&quoted(env, &asked).await?)
}

/// A price in both moneys, held for some minutes.
pub(crate) async fn quoted(env: &Env, asked: &QuoteIn) -> Result<QuoteOut> {
    let settings = Settings::of(env);
    let ledger = service(env, "LEDGER")?;
    let work: WorkSnapshot = ledger
        .get(&format!("/internal/works/{}", asked.work))
        .await?;
    if work.record.state != WorkState::Published {
        return Err(state_error(work.record.state).into());
    }
    let rate: RateRecord = ledger.get("/internal/rate").await?;
    let rate = rate.rate.ok_or(ErrorCode::RateStale)?;
    let quote = quotes::quote(&work.record, asked, &rate, &settings.issuer()?, now_s())?;
    Ok(QuoteOut {
        quote: quote.issue(&settings.key("QUOTE_KEY")?)?,
        work: quote.work,
        version: quote.version,
        title: work.record.title,
        terms: work.record.terms,
        terms_digest: quote.terms_digest,
        usd_micros: quote.usd_micros,
        msat: quote.msat,
        ledger: quote.ledger,
        rate: RateOut::from(&rate),
        expires: quote.exp,
    })
}

pub(crate) fn receipt_key(env: &Env) -> Result<(String, SigningKey)> {
    Settings::of(env).signing_key("RECEIPT_KEYS")
}

pub(crate) fn issue(env: &Env, transfer: &Transfer) -> Result<String> {
    let (kid, key) = receipt_key(env)?;
    Receipt::of(transfer, &Settings::of(env).issuer()?).sign(&kid, &key)
}

/// `POST /v1/orders`. The ledger verifies and decides; an unknown outcome is never called a failure,
/// and the same order may always be sent again.
pub(crate) async fn order(mut call: Call, env: &Env) -> Result<Response> {
    let body: OrderIn = call.json().await?;
    // Only the shape is looked at here, so that nonsense does not travel.
    let sent = order::read(&body.order)?.claims.order;
    let leave = body.pickup.unwrap_or(true);
    let posted = match decided(env, &body).await {
        // Money is reserved, a copy not yet: neither bought nor refused.
        Err(error) if error.code == ErrorCode::OrderPending => {
            let pending = OrderPendingOut {
                status: OrderStatus::Pending,
                order: sent,
            };
            return json_status(202, &pending);
        }
        answer => answer?,
    };
    let order = posted.transfer.agreement.order.clone();
    if leave {
        object(env, "PICKUP", order.as_str())?
            .post::<_, Done>("/", &posted.transfer)
            .await?;
    }
    json(&OrderOut {
        status: OrderStatus::Posted,
        replayed: posted.replayed,
        owned: posted.owned,
        receipt: issue(env, &posted.transfer)?,
        order,
    })
}

/// What the ledger says of an order.
pub(crate) async fn decided(env: &Env, order: &OrderIn) -> Result<Posted> {
    let ledger = service(env, "LEDGER")?;
    ledger.post("/internal/orders", order).await
}

/// `GET /v1/orders/{order}`: the receipt, for the key it is for.
pub(crate) async fn pick_up(call: &Call, env: &Env, order: &str) -> Result<Response> {
    let order = OrderId::parse(order)
        .map_err(|_| ApiError::new(ErrorCode::Malformed, "not an order id"))?;
    let proven = call.proof(&Settings::of(env).issuer()?, None).await?;
    let found: OrderFound = object(env, "PICKUP", order.as_str())?.get("/").await?;
    let Some(transfer) = found.transfer else {
        return json(&OrderSeen {
            status: OrderStatus::Waiting,
            receipt: None,
        });
    };
    if transfer.agreement.cnf != proven.key {
        return Err(ErrorCode::WrongKey.into());
    }
    json(&OrderSeen {
        status: OrderStatus::Posted,
        receipt: Some(issue(env, &transfer)?),
    })
}

/// `POST /v1/grants`: a delegation for a key that does not know the account. The ledger verifies and keeps it;
/// here it is left for that key.
pub(crate) async fn grant(mut call: Call, env: &Env) -> Result<Response> {
    let body: DelegationIn = call.json().await?;
    let account = delegation::read(&body.delegation)?.claims.account;
    let path = format!("/v1/accounts/{account}/delegations");
    let kept: DelegationOut = service(env, "LEDGER")?.post(&path, &body).await?;
    object(env, "PICKUP", kept.key.as_str())?
        .post::<_, Done>("/grant", &body)
        .await?;
    json_status(201, &kept)
}

/// `GET /v1/grants/{key}`: what a key was given, for itself alone.
pub(crate) async fn granted(call: &Call, env: &Env, key: &str) -> Result<Response> {
    let proven = call.proof(&Settings::of(env).issuer()?, None).await?;
    if proven.key.as_str() != key {
        return Err(ErrorCode::WrongKey.into());
    }
    let seen: GrantSeen = object(env, "PICKUP", key)?.get("/grant").await?;
    json(&seen)
}

/// `POST /v1/intake`.
pub(crate) async fn intake(mut call: Call, env: &Env) -> Result<Response> {
    let settings = Settings::of(env);
    let issuer = settings.issuer()?;
    let body: CommandIn = call.json().await?;
    let command = command::verify::<Intake>(&Platform, &body.command, &issuer, now_s()).await?;
    let wrapping = Wrapping {
        content: &settings.keyring("WRAPPING_KEYS")?,
        stream: &settings.keyring("STREAM_WRAPPING_KEYS")?,
        content_nonce: random()?,
        root_nonce: random()?,
    };
    let kept = keys::take_in(&command, &issuer, &wrapping)?;
    let path = format!("/internal/works/{}/intake", command.work);
    service(env, "LEDGER")?
        .post::<_, Done>(&path, &kept)
        .await?;
    json(&IntakeOut {
        work: command.work,
        version: command.body.version,
        stored: true,
    })
}

pub(crate) fn published(env: &Env) -> Result<Jwks> {
    let ring = Settings::of(env).keyring("RECEIPT_KEYS")?;
    let keys = ring.keys().map(|(version, seed)| {
        PublishedKey::of(&version.to_string(), &SigningKey::from_seed(seed).public())
    });
    Ok(Jwks {
        keys: keys.collect(),
    })
}

/// `GET /.well-known/jwks.json`.
pub(crate) fn jwks(env: &Env) -> Result<Response> {
    json_cached(&published(env)?, JWKS_AGE_S)
}

/// `POST /v1/keys`: the receipt proves, the entitlement decides.
pub(crate) async fn key(mut call: Call, env: &Env) -> Result<Response> {
    let settings = Settings::of(env);
    let issuer = settings.issuer()?;
    let token = call.token()?;
    let receipt = receipt::verify(&Platform, &token, &issuer, &published(env)?).await?;
    let proven = call.proof(&issuer, Some(&token)).await?;
    if proven.key != receipt.cnf.jkt {
        return Err(ErrorCode::WrongKey.into());
    }
    let Empty {} = call.json().await?;
    json(&content_key(env, &receipt).await?)
}

/// The content key behind a receipt that is proven to be its sender's: the entitlement decides.
pub(crate) async fn content_key(env: &Env, receipt: &Receipt) -> Result<KeyOut> {
    // Rights are to the work: the entitlement is asked for the version of the receipt.
    let path = format!(
        "/internal/entitlements/{}/{}",
        receipt.handle, receipt.version
    );
    let entitled: Entitlement = service(env, "LEDGER")?.get(&path).await?;
    if entitled.work != receipt.work || entitled.version != receipt.version || !entitled.active {
        return Err(ErrorCode::NotEntitled.into());
    }
    if entitled.state == WorkState::TakenDown {
        return Err(ErrorCode::WorkTakenDown.into());
    }
    if entitled.usage != Use::Download {
        return Err(ErrorCode::StreamingOnly.into());
    }
    let ring = Settings::of(env).keyring("WRAPPING_KEYS")?;
    let key = keys::release(&ring, &entitled.keys, &entitled.work)
        .map_err(|_| internal("a wrapped key does not open"))?;
    Ok(KeyOut {
        work: entitled.work,
        version: entitled.version,
        content_key: satchel_crypto::b64::encode(key.as_bytes()),
    })
}

//! The ledger's entry: reads requests, asks its objects, answers.

use std::{cell::RefCell, rc::Rc};

use satchel_domain::{
    id::{AccountId, OrderId, WorkId},
    ledger::LedgerId,
    money::Rate,
    work::WorkState,
};
use satchel_edge::{
    Call, Env, Platform, Remote, Response, Settings, TtlCache, json, json_cached, json_status,
    now_ms, now_s, object, text,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{
        AccountOut, CommandIn, DelegationIn, OrderIn, RateOut, RefundIn, SignOutIn, TestMoneyIn,
    },
    delegation,
    internal::{
        AccountOrder, CsvPage, Entitlement, Fund, OrderFound, OrderedWork, RateRecord, RefundOrder,
        Sale, StateChange, WorkSnapshot,
    },
    jose,
    operator::{self, Operator, SetRate},
    order, refund, signout,
};

use crate::{
    account::Seen,
    book::{self, Waiting},
    host::encode,
};

/// Snapshots of published works are kept this long for orders; whoever releases keys reads afresh.
const SNAPSHOT_LIFE_MS: u64 = 20_000;
const RATE_LIFE_MS: u64 = 5_000;
const CACHED_WORKS: usize = 1_000;

thread_local! {
    static SNAPSHOTS: TtlCache<Rc<WorkSnapshot>> = TtlCache::new(SNAPSHOT_LIFE_MS, CACHED_WORKS);
    static RATE: RefCell<Option<(u64, Option<Rate>)>> = const { RefCell::new(None) };
}

/// The methods of a known path, for 405.
pub(crate) fn methods(path: &[&str]) -> &'static [&'static str] {
    match path {
        ["v1", "config"]
        | ["v1", "accounts", _]
        | [
            "v1",
            "accounts",
            _,
            "purchases" | "transfers" | "transfers.csv",
        ] => &["GET"],
        ["v1", "operator" | "refunds"] | ["v1", "accounts", _, "test-money" | "sign-out"] => {
            &["POST"]
        }
        ["v1", "accounts", _, "delegations"] => &["GET", "POST"],
        _ => &[],
    }
}

fn account_object(env: &Env, account: &str) -> Result<Remote> {
    object(env, "ACCOUNT", account)
}

fn work_object(env: &Env, work: &WorkId) -> Result<Remote> {
    object(env, "WORK", work.as_str())
}

fn account_id(text: &str) -> Result<AccountId> {
    AccountId::parse(text).map_err(|_| ApiError::new(ErrorCode::Malformed, "not an account id"))
}

fn work_id(text: &str) -> Result<WorkId> {
    WorkId::parse(text).map_err(|_| ApiError::new(ErrorCode::Malformed, "not a work id"))
}

fn ledger_id(env: &Env) -> Result<LedgerId> {
    crate::world_do::ledger_id(Settings::of(env))
}

fn test_money_on(env: &Env) -> Result<bool> {
    let on = Settings::of(env).optional("TEST_MONEY").as_deref() == Some("on");
    Ok(on && ledger_id(env)? == LedgerId::Test)
}

/// `GET /v1/config`: what pages of this issuer need to know.
pub(crate) fn config(env: &Env) -> Result<Response> {
    let settings = Settings::of(env);
    let config = satchel_wire::api::ConfigOut {
        issuer: settings.issuer()?,
        wallet: settings.var("WALLET_ORIGIN")?,
        ledger: ledger_id(env)?,
        test_money: test_money_on(env)?,
        fee_bps: settings.number("FEE_BPS")?,
    };
    json_cached(&config, 300)
}

/// `POST /v1/operator`.
pub(crate) async fn operator(mut call: Call, env: &Env) -> Result<Response> {
    let settings = Settings::of(env);
    let body: CommandIn = call.json().await?;
    let key = settings.public_key("OPERATOR_KEY")?;
    let (issuer, now) = (settings.issuer()?, now_s());
    let command = operator::verify(&Platform, &body.command, &issuer, &key, now).await?;
    let Told {
        binding,
        name,
        path,
        body,
    } = told(command, env)?;
    let answer = object(env, binding, &name)?
        .pass_bytes(200, &path, &body)
        .await;
    // Whatever came of it: an answer that is lost may still have changed something.
    SNAPSHOTS.with(|cache| cache.forget(&name));
    RATE.with_borrow_mut(|cached| *cached = None);
    answer
}

/// What an object is told on the operator's word.
struct Told {
    binding: &'static str,
    name: String,
    path: String,
    body: Vec<u8>,
}

fn told(command: Operator, env: &Env) -> Result<Told> {
    let to = |binding, name: &str, path: String, body| {
        let name = book::audited_name(name)?.to_owned();
        Ok(Told {
            binding,
            name,
            path,
            body,
        })
    };
    match command {
        Operator::SetRate(SetRate {
            usd_micros_per_btc,
            time,
            source,
            max_age_s,
            ..
        }) => {
            // A rate from the future, or one without an end, would never be stale.
            let endless = max_age_s == 0 && ledger_id(env)? == LedgerId::Live;
            let early = time > now_s().saturating_add(jose::MAX_SKEW_S);
            if usd_micros_per_btc == 0 || source.len() > 100 || endless || early {
                return Err(ApiError::new(ErrorCode::Malformed, "not a rate"));
            }
            let rate = Rate {
                usd_micros_per_btc,
                time,
                source,
                max_age_s,
            };
            let record = encode(&RateRecord { rate: Some(rate) })?;
            to("ISSUER_OBJECT", "issuer", "/rate".to_owned(), record)
        }
        Operator::TakeDown(on) => {
            let change = encode(&StateChange::TakeDown)?;
            to("WORK", on.work.as_str(), "/state".to_owned(), change)
        }
        Operator::Reinstate(on) => {
            let change = encode(&StateChange::Reinstate)?;
            to("WORK", on.work.as_str(), "/state".to_owned(), change)
        }
        Operator::Correct(correct) => {
            let sending = book::correction(correct)?;
            to(
                "ACCOUNT",
                &sending.from,
                "/send".to_owned(),
                encode(&sending)?,
            )
        }
        Operator::AuditDirectory(asked) => {
            let path = format!("/list/{}", book::audited_name(&asked.after)?);
            to("DIRECTORY", &asked.shard.to_string(), path, Vec::new())
        }
        Operator::AuditAccount(asked) => {
            let path = format!("/audit/{}/{}", asked.cut, asked.after);
            to("ACCOUNT", &asked.account, path, Vec::new())
        }
        Operator::AuditInbox(asked) => {
            let path = format!("/audit/{}/{}", asked.cut, book::audited_name(&asked.after)?);
            to("INBOX", &asked.inbox, path, Vec::new())
        }
    }
}

async fn current_rate(env: &Env) -> Result<Rate> {
    let now = now_ms();
    let cached = RATE.with_borrow(Clone::clone);
    let set = match cached {
        Some((at, rate)) if now.saturating_sub(at) < RATE_LIFE_MS => rate,
        _ => {
            let record: RateRecord = object(env, "ISSUER_OBJECT", "issuer")?.get("/rate").await?;
            RATE.with_borrow_mut(|cached| *cached = Some((now, record.rate.clone())));
            record.rate
        }
    };
    let test = match ledger_id(env)? {
        LedgerId::Live => None,
        LedgerId::Test => Settings::of(env)
            .optional("TEST_RATE_USD_MICROS_PER_BTC")
            .and_then(|rate| rate.parse().ok()),
    };
    book::rate_in_force(set, test, now_s())
}

/// `GET /internal/rate`.
pub(crate) async fn rate(env: &Env) -> Result<Response> {
    json(&RateRecord {
        rate: Some(current_rate(env).await?),
    })
}

/// `POST /v1/accounts/{account}/delegations`.
pub(crate) async fn delegate(mut call: Call, env: &Env, account: &str) -> Result<Response> {
    let account = account_id(account)?;
    let body: DelegationIn = call.json().await?;
    let delegation = delegation::verify(
        &Platform,
        &body.delegation,
        &Settings::of(env).issuer()?,
        now_s(),
    )
    .await?;
    if delegation.account != account {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "signed for another account",
        ));
    }
    account_object(env, account.as_str())?
        .pass_post(201, "/delegations", &delegation)
        .await
}

/// `GET /v1/accounts/{account}`.
pub(crate) async fn account(call: &Call, env: &Env, account: &str) -> Result<Response> {
    let account = account_id(account)?;
    let proven = call.proof(&Settings::of(env).issuer()?, None).await?;
    let seen: Seen = account_object(env, account.as_str())?
        .get(&format!("/account/{}", proven.key))
        .await?;
    let out = AccountOut {
        ledger: ledger_id(env)?,
        test_money: test_money_on(env)?,
        balance_msat: seen.balances.available()?,
        pending_msat: seen.balances.debits_pending,
        incoming_msat: incoming(env, &account, &seen.inboxes).await?,
        epoch: seen.epoch,
        rate: current_rate(env).await.ok().as_ref().map(RateOut::from),
        account,
    };
    json(&out)
}

/// What lies in inboxes for an account, not yet folded into its balance.
async fn incoming(
    env: &Env,
    account: &AccountId,
    inboxes: &[String],
) -> Result<satchel_domain::money::Msat> {
    let path = format!("/waiting/{account}");
    let mut sum = satchel_domain::money::Msat::ZERO;
    for inbox in inboxes {
        // One that does not answer is told: who is owed must not be shown a smaller sum.
        let waiting: Waiting = object(env, "INBOX", inbox)?.get(&path).await?;
        sum = sum.plus(waiting.net)?;
    }
    Ok(sum)
}

/// A line of the journal given in the query.
fn cursor(call: &Call, name: &str) -> Result<Option<u64>> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    let line = text.parse().ok().filter(|n| *n <= u64::MAX >> 11);
    line.map(Some)
        .ok_or_else(|| ApiError::new(ErrorCode::Malformed, format!("{name} is not a cursor")))
}

/// `GET /v1/accounts/{account}/transfers?after=|before=`, and as CSV.
pub(crate) async fn transfers(
    call: &Call,
    env: &Env,
    account: &str,
    csv: bool,
) -> Result<Response> {
    let account = account_id(account)?;
    let issuer = Settings::of(env).issuer()?;
    let proven = call.proof(&issuer, None).await?;
    let (side, line) = match (cursor(call, "after")?, cursor(call, "before")?) {
        (None, None) if csv => ("csv", 0),
        (Some(after), None) => (if csv { "csv" } else { "after" }, after),
        (None, Some(before)) if !csv => ("before", before),
        (None, None) => ("before", u64::MAX >> 11),
        _ => {
            return Err(ApiError::new(
                ErrorCode::Malformed,
                "after or before, not both",
            ));
        }
    };
    let path = format!("/transfers/{}/{side}/{line}", proven.key);
    let object = account_object(env, account.as_str())?;
    if !csv {
        return object.pass(&path).await;
    }
    let page: CsvPage = object.get(&path).await?;
    let next = page.next.map(|next| {
        let path = format!("/v1/accounts/{account}/transfers.csv?after={next}");
        format!("<{issuer}{path}>; rel=\"next\"")
    });
    let mut headers = vec![("cache-control", "no-store")];
    headers.extend(next.as_deref().map(|link| ("link", link)));
    Ok(text(200, "text/csv; charset=utf-8", &headers, &page.csv))
}

/// `POST /v1/accounts/{account}/sign-out`.
pub(crate) async fn sign_out(mut call: Call, env: &Env, account: &str) -> Result<Response> {
    let account = account_id(account)?;
    let body: SignOutIn = call.json().await?;
    let issuer = Settings::of(env).issuer()?;
    let asked = signout::verify(&Platform, &body.sign_out, &issuer, now_s()).await?;
    if asked.account != account {
        return Err(ApiError::new(
            ErrorCode::WrongKey,
            "signed for another account",
        ));
    }
    account_object(env, account.as_str())?
        .pass_post(200, "/sign-out", &asked)
        .await
}

/// `POST /v1/refunds`. The account that was paid verifies it; here only the sale is looked up.
pub(crate) async fn refund(mut call: Call, env: &Env) -> Result<Response> {
    let body: RefundIn = call.json().await?;
    let claims = refund::read(&body.refund)?.claims;
    let key = Settings::of(env).key("HANDLE_KEY")?;
    let unknown = |error: ApiError| match error.code {
        ErrorCode::NotEntitled => ErrorCode::UnknownSale.into(),
        _ => error,
    };
    let (buyer, order) = book::read_handle(&key, &claims.purchase).map_err(unknown)?;
    let sale: Sale = account_object(env, buyer.as_str())?
        .get(&format!("/sale/{order}"))
        .await?;
    let refund = RefundOrder {
        refund: body.refund,
        sale,
    };
    let account = account_object(env, claims.account.as_str())?;
    let out: satchel_wire::api::RefundOut = account.post("/refund", &refund).await?;
    let pending = out.status == satchel_wire::api::OrderStatus::Pending;
    json_status(if pending { 202 } else { 200 }, &out)
}

/// `GET /v1/accounts/{account}/{purchases|delegations}`.
pub(crate) async fn listed(call: &Call, env: &Env, account: &str, what: &str) -> Result<Response> {
    let account = account_id(account)?;
    let proven = call.proof(&Settings::of(env).issuer()?, None).await?;
    let before = cursor(call, "after")?.unwrap_or(u64::MAX >> 11);
    let path = format!("/{what}/{}/{before}", proven.key);
    account_object(env, account.as_str())?.pass(&path).await
}

/// `POST /v1/accounts/{account}/test-money`; there is no such route unless the configuration says so.
pub(crate) async fn test_money(mut call: Call, env: &Env, account: &str) -> Result<Response> {
    if !test_money_on(env)? {
        return Err(ErrorCode::NotFound.into());
    }
    let account = account_id(account)?;
    let proven = call.proof(&Settings::of(env).issuer()?, None).await?;
    let body: TestMoneyIn = call.json().await?;
    if body.msat.get() == 0 || body.msat.get() > book::MAX_TEST_MONEY {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "test money: 1 to 100,000,000 msat",
        ));
    }
    let fund = Fund {
        key: proven.key,
        id: body.id.to_string(),
        msat: body.msat,
    };
    account_object(env, account.as_str())?
        .pass_post(200, &format!("/fund/{account}"), &fund)
        .await
}

async fn snapshot(env: &Env, work: &WorkId) -> Result<Option<WorkSnapshot>> {
    match work_object(env, work)?.get::<WorkSnapshot>("/").await {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) if error.code == ErrorCode::UnknownWork => Ok(None),
        Err(error) => Err(error),
    }
}

/// From the cache if it knows `version`.
async fn snapshot_for_order(
    env: &Env,
    work: &WorkId,
    version: u32,
) -> Result<Option<Rc<WorkSnapshot>>> {
    let known = SNAPSHOTS.with(|cache| cache.get(work.as_str(), now_ms()));
    if let Some(known) = known.filter(|known| known.record.version >= version) {
        return Ok(Some(known));
    }
    let fresh = snapshot(env, work).await?.map(Rc::new);
    if let Some(fresh) = &fresh
        && fresh.record.state == WorkState::Published
    {
        SNAPSHOTS.with(|cache| cache.put(work.as_str(), Rc::clone(fresh), now_ms()));
    }
    Ok(fresh)
}

/// `POST /internal/orders`. The account object verifies the order; here only the work is looked up.
pub(crate) async fn order(mut call: Call, env: &Env) -> Result<Response> {
    let body: OrderIn = call.json().await?;
    let claims = order::read(&body.order)?.claims;
    let work = snapshot_for_order(env, &claims.work, claims.version).await?;
    let ordered = work.map(|work| OrderedWork {
        offer: work.offer(),
        manifest_digest: work
            .version(claims.version)
            .map(|v| v.manifest_digest.clone()),
        usage: work.record.terms.usage,
        title: work.record.title.clone(),
        slots: work.slots,
        // Whoever signs manifests is the creator.
        creator: work.record.versions.last().map(|it| it.signer.clone()),
        splits: work.splits.clone(),
    });
    let order = AccountOrder {
        order: body.order,
        work: ordered,
    };
    account_object(env, claims.account.as_str())?
        .pass_post(200, "/order", &order)
        .await
}

/// `GET /internal/orders/{account}/{order}`.
pub(crate) async fn find_order(env: &Env, account: &str, order: &str) -> Result<Response> {
    let account = account_id(account)?;
    let order = OrderId::parse(order)
        .map_err(|_| ApiError::new(ErrorCode::Malformed, "not an order id"))?;
    account_object(env, account.as_str())?
        .pass(&format!("/order/{order}"))
        .await
}

/// `GET /internal/entitlements/{handle}`: read afresh from account and work, never cached here.
pub(crate) async fn entitlement(env: &Env, handle: &str) -> Result<Response> {
    let key = Settings::of(env).key("HANDLE_KEY")?;
    let (account, order) = book::read_handle(&key, handle)?;
    let found: OrderFound = account_object(env, account.as_str())?
        .get(&format!("/order/{order}"))
        .await?;
    // Nothing, if it was paid back.
    let transfer = found.transfer.ok_or(ErrorCode::NotEntitled)?;
    let agreement = transfer.agreement;
    let work = snapshot(env, &agreement.work)
        .await?
        .ok_or(ErrorCode::UnknownWork)?;
    let keys = work
        .keys(agreement.version)
        .cloned()
        .ok_or(ErrorCode::NotEntitled)?;
    json(&Entitlement {
        work: agreement.work,
        version: agreement.version,
        usage: transfer.usage,
        active: true,
        state: work.record.state,
        keys,
        hls: work.record.listing.and_then(|listing| listing.hls),
    })
}

/// `GET /internal/works/{work}`.
pub(crate) async fn work(env: &Env, work: &str) -> Result<Response> {
    let work = work_id(work)?;
    let mut known = snapshot(env, &work).await?.ok_or(ErrorCode::UnknownWork)?;
    known.record.ledger = ledger_id(env)?;
    json(&known)
}

/// `POST /internal/works/{work}/{register|intake|publish|offered}`. The object reads the body.
pub(crate) async fn change_work(mut call: Call, env: &Env, work: &str) -> Result<Response> {
    let work = work_id(work)?;
    let path = match call.segments().last().copied() {
        Some("register") => format!("/register/{work}/{}", ledger_name(env)?),
        Some("intake") => "/intake".to_owned(),
        Some("offered") => "/offered".to_owned(),
        _ => "/publish".to_owned(),
    };
    let body = call.body().await?;
    let answer = work_object(env, &work)?.pass_bytes(200, &path, &body).await;
    // Whatever came of it: an answer that is lost may still have changed the work.
    SNAPSHOTS.with(|cache| cache.forget(work.as_str()));
    answer
}

fn ledger_name(env: &Env) -> Result<&'static str> {
    Ok(match ledger_id(env)? {
        LedgerId::Live => "live",
        LedgerId::Test => "test",
    })
}

//! The ledger's entry: reads requests, asks its objects, answers.

use std::{cell::RefCell, rc::Rc};

use satchel_domain::{
    id::{AccountId, OrderId, Thumbprint, WorkId},
    ledger::LedgerId,
    money::{Msat, Rate},
    work::WorkState,
};
use satchel_edge::{
    Call, Env, Platform, Response, Settings, TtlCache, internal, json, json_bytes, json_cached,
    now_ms, now_s, object, read_json as read, text,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{
        AccountOut, CommandIn, DelegationIn, OrderIn, OrderStatus, RateOut, RefundIn, RefundOut,
        SignOutIn, TestMoneyIn,
    },
    delegation,
    internal::{
        AccountOrder, CsvPage, Entitlement, Fund, OrderFound, OrderedWork, RateRecord, RefundOrder,
        StateChange, WorkSnapshot,
    },
    jose,
    operator::{self, Operator, SetRate},
    order, refund, signout,
};

use crate::{
    account::Seen,
    book,
    host::{Waiting, decode, encode},
};

/// Snapshots of published works are kept this long for orders; whoever releases keys reads afresh.
const SNAPSHOT_LIFE_MS: u64 = 20_000;
const RATE_LIFE_MS: u64 = 5_000;
const CACHED_WORKS: usize = 1_000;

thread_local! {
    static SNAPSHOTS: TtlCache<Rc<WorkSnapshot>> = TtlCache::new(SNAPSHOT_LIFE_MS, CACHED_WORKS);
    static RATE: RefCell<Option<(u64, Option<Rate>)>> = const { RefCell::new(None) };
}

/// The methods of a known path.
fn methods(path: &[&str]) -> &'static [&'static str] {
    match path {
        ["v1", "config"]
        | ["v1", "accounts", _]
        | [
            "v1",
            "accounts",
            _,
            "purchases" | "transfers" | "transfers.csv",
        ]
        | ["internal", "orders" | "entitlements", _, _]
        | ["internal", "entitlements" | "works", _]
        | ["internal", "rate"] => &["GET"],
        ["v1", "accounts", _, "delegations"] => &["GET", "POST"],
        ["v1", "operator" | "refunds"]
        | ["v1", "accounts", _, "test-money" | "sign-out"]
        | ["internal", "orders"]
        | [
            "internal",
            "works",
            _,
            "register" | "intake" | "publish" | "offered",
        ] => &["POST"],
        _ => &[],
    }
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
fn config(env: &Env) -> Result<Response> {
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

/// Asks one of our objects: one future for all of them.
fn ask<'a>(env: &'a Env, told: &'a Told) -> Waiting<'a, Vec<u8>> {
    Box::pin(async move {
        object(env, told.binding, &told.name)?
            .post_bytes(&told.path, &told.body)
            .await
    })
}

fn told(binding: &'static str, name: &str, path: String, body: Vec<u8>) -> Told {
    Told {
        binding,
        name: name.to_owned(),
        path,
        body,
    }
}

fn of_account(name: &str, path: String, body: Vec<u8>) -> Told {
    told("ACCOUNT", name, path, body)
}

/// Answers a request. What routes have in common is done in one place each, proof, body, the object's
/// answer: a step of its own for every route was a third of this worker's code.
pub(crate) async fn answer(mut call: Call, env: &Env) -> Result<Response> {
    let segments: Vec<String> = call.segments().into_iter().map(ToOwned::to_owned).collect();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.method().to_owned();
    let posted = method == "POST";
    let fits = methods(&path);
    if !fits.contains(&method.as_str()) {
        return Err(call.refuse(fits));
    }
    let issuer = Settings::of(env).issuer()?;
    let mut proven = String::new();
    if let ["v1", "accounts", id, rest @ ..] = &path[..] {
        if *rest == ["test-money"] && !test_money_on(env)? {
            return Err(ErrorCode::NotFound.into());
        }
        account_id(id)?;
        if !(posted && matches!(rest, ["delegations" | "sign-out"])) {
            proven = call.proof(&issuer, None).await?.key.to_string();
        }
    }
    let body = match path.first() {
        Some(&"internal") if posted => call.body().await?,
        _ if posted => call.json_body().await?,
        _ => Vec::new(),
    };
    let now = now_s();
    let mut status = 200;
    let told = match &path[..] {
        ["v1", "config"] => return config(env),
        ["v1", "operator"] => {
            let body: CommandIn = read(&body)?;
            let key = Settings::of(env).public_key("OPERATOR_KEY")?;
            let command = operator::verify(&Platform, &body.command, &issuer, &key, now).await?;
            command_told(command, env)?
        }
        ["v1", "refunds"] => refund_told(env, &body).await?,
        ["v1", "accounts", id, "delegations"] if posted => {
            let body: DelegationIn = read(&body)?;
            let signed = delegation::verify(&Platform, &body.delegation, &issuer, now).await?;
            same_account(&signed.account, id)?;
            status = 201;
            of_account(id, "/delegations".to_owned(), encode(&signed)?)
        }
        ["v1", "accounts", id, "sign-out"] => {
            let body: SignOutIn = read(&body)?;
            let signed = signout::verify(&Platform, &body.sign_out, &issuer, now).await?;
            same_account(&signed.account, id)?;
            of_account(id, "/sign-out".to_owned(), encode(&signed)?)
        }
        ["v1", "accounts", id, "test-money"] => test_money_told(id, &proven, &body)?,
        ["v1", "accounts", id] => of_account(id, format!("/account/{proven}"), body),
        ["v1", "accounts", id, what @ ("purchases" | "delegations")] => {
            let before = cursor(&call, "after")?.unwrap_or(u64::MAX >> 11);
            of_account(id, format!("/{what}/{proven}/{before}"), body)
        }
        ["v1", "accounts", id, last] => {
            let page = transfers_page(&call, *last == "transfers.csv")?;
            of_account(id, format!("/transfers/{proven}/{page}"), body)
        }
        ["internal", "orders"] => order_told(env, &body).await?,
        ["internal", "orders", account, order] => {
            account_id(account)?;
            let order = OrderId::parse(order);
            let order =
                order.map_err(|_| ApiError::new(ErrorCode::Malformed, "not an order id"))?;
            of_account(account, format!("/order/{order}"), body)
        }
        ["internal", "entitlements", handle, version @ ..] => {
            let version = version.first().and_then(|version| version.parse().ok());
            return json(&entitlement(env, handle, version).await?);
        }
        ["internal", "works", work] => {
            let known = snapshot(env, &work_id(work)?).await?;
            let mut known = known.ok_or(ErrorCode::UnknownWork)?;
            known.record.ledger = ledger_id(env)?;
            return json(&known);
        }
        ["internal", "works", work, change] => work_told(env, work, change, body)?,
        _ => {
            return json(&RateRecord {
                rate: Some(current_rate(env).await?),
            });
        }
    };
    let answer = asked(env, &told).await?;
    match &path[..] {
        ["v1", "refunds"] => {
            let out: RefundOut = decode(&answer)?;
            if out.status == OrderStatus::Pending {
                status = 202;
            }
        }
        ["v1", "accounts", id] => return account(env, id, &answer).await,
        ["v1", "accounts", id, "transfers.csv"] => return statement(&issuer, id, &answer),
        _ => {}
    }
    Ok(json_bytes(status, answer))
}

/// Asks an object. Whatever came of it: an answer that is lost may still have changed something.
async fn asked(env: &Env, told: &Told) -> Result<Vec<u8>> {
    let answer = ask(env, told).await;
    match told.binding {
        "WORK" => SNAPSHOTS.with(|cache| cache.forget(&told.name)),
        "ISSUER_OBJECT" => RATE.with_borrow_mut(|cached| *cached = None),
        _ => {}
    }
    answer
}

/// A change of a work, on another worker's word.
fn work_told(env: &Env, work: &str, change: &str, body: Vec<u8>) -> Result<Told> {
    work_id(work)?;
    let path = match change {
        "register" => match ledger_id(env)? {
            LedgerId::Live => format!("/register/{work}/live"),
            LedgerId::Test => format!("/register/{work}/test"),
        },
        change => format!("/{change}"),
    };
    Ok(told("WORK", work, path, body))
}

fn same_account(signed: &AccountId, asked: &str) -> Result<()> {
    if signed.as_str() == asked {
        return Ok(());
    }
    let other = "signed for another account";
    Err(ApiError::new(ErrorCode::WrongKey, other))
}

/// What an object is told on the operator's word.
struct Told {
    binding: &'static str,
    name: String,
    path: String,
    body: Vec<u8>,
}

fn command_told(command: Operator, env: &Env) -> Result<Told> {
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
            let told = told("ISSUER_OBJECT", "issuer", "/rate".to_owned(), Vec::new());
            let record: RateRecord = decode(&ask(env, &told).await?)?;
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

/// `GET /v1/accounts/{account}`.
async fn account(env: &Env, account: &str, seen: &[u8]) -> Result<Response> {
    let seen: Seen = decode(seen)?;
    let mut incoming = Msat::ZERO;
    for inbox in &seen.inboxes {
        // One that does not answer is told: who is owed must not be shown a smaller sum.
        let told = told("INBOX", inbox, format!("/waiting/{account}"), Vec::new());
        let waiting: book::Waiting = decode(&ask(env, &told).await?)?;
        incoming = incoming.plus(waiting.net)?;
    }
    json(&AccountOut {
        ledger: ledger_id(env)?,
        test_money: test_money_on(env)?,
        balance_msat: seen.balances.available()?,
        pending_msat: seen.balances.debits_pending,
        incoming_msat: incoming,
        epoch: seen.epoch,
        rate: current_rate(env).await.ok().as_ref().map(RateOut::from),
        account: account_id(account)?,
    })
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

/// Which page of a journal the query asks for: `GET /v1/accounts/{account}/transfers?after=|before=`, and
/// as CSV.
fn transfers_page(call: &Call, csv: bool) -> Result<String> {
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
    Ok(format!("{side}/{line}"))
}

fn statement(issuer: &str, account: &str, page: &[u8]) -> Result<Response> {
    let page: CsvPage = decode(page)?;
    let next = page.next.map(|next| {
        let path = format!("/v1/accounts/{account}/transfers.csv?after={next}");
        format!("<{issuer}{path}>; rel=\"next\"")
    });
    let mut headers = vec![("cache-control", "no-store")];
    headers.extend(next.as_deref().map(|link| ("link", link)));
    Ok(text(200, "text/csv; charset=utf-8", &headers, &page.csv))
}

/// `POST /v1/refunds`. The account that was paid verifies it; here only the sale is looked up.
async fn refund_told(env: &Env, body: &[u8]) -> Result<Told> {
    let body: RefundIn = read(body)?;
    let claims = refund::read(&body.refund)?.claims;
    let key = Settings::of(env).key("HANDLE_KEY")?;
    let unknown = |error: ApiError| match error.code {
        ErrorCode::NotEntitled => ErrorCode::UnknownSale.into(),
        _ => error,
    };
    let (buyer, order) = book::read_handle(&key, &claims.purchase).map_err(unknown)?;
    let sale = of_account(buyer.as_str(), format!("/sale/{order}"), Vec::new());
    let refund = RefundOrder {
        refund: body.refund,
        sale: decode(&ask(env, &sale).await?)?,
    };
    let path = "/refund".to_owned();
    Ok(of_account(claims.account.as_str(), path, encode(&refund)?))
}

/// `POST /v1/accounts/{account}/test-money`; there is no such route unless the configuration says so.
fn test_money_told(account: &str, key: &str, body: &[u8]) -> Result<Told> {
    let body: TestMoneyIn = read(body)?;
    if body.msat.get() == 0 || body.msat.get() > book::MAX_TEST_MONEY {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "test money: 1 to 100,000,000 msat",
        ));
    }
    let fund = Fund {
        key: Thumbprint::parse(key).map_err(internal)?,
        id: body.id.to_string(),
        msat: body.msat,
    };
    let path = format!("/fund/{account}");
    Ok(of_account(account, path, encode(&fund)?))
}

async fn snapshot(env: &Env, work: &WorkId) -> Result<Option<WorkSnapshot>> {
    let told = told("WORK", work.as_str(), "/".to_owned(), Vec::new());
    match ask(env, &told).await {
        Ok(snapshot) => decode(&snapshot).map(Some),
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
async fn order_told(env: &Env, body: &[u8]) -> Result<Told> {
    let body: OrderIn = read(body)?;
    let claims = order::read(&body.order)?.claims;
    let work = snapshot_for_order(env, &claims.work, claims.version).await?;
    let ordered = work.map(|work| OrderedWork::of(&work, claims.version));
    let order = AccountOrder {
        order: body.order,
        work: ordered,
    };
    let path = "/order".to_owned();
    Ok(of_account(claims.account.as_str(), path, encode(&order)?))
}

/// `GET /internal/entitlements/{handle}[/{version}]`: read afresh from account and work, never cached
/// here. Rights are to the work: a receipt of any version that is published opens that version.
async fn entitlement(env: &Env, handle: &str, version: Option<u32>) -> Result<Entitlement> {
    let key = Settings::of(env).key("HANDLE_KEY")?;
    let (account, order) = book::read_handle(&key, handle)?;
    let found = of_account(account.as_str(), format!("/order/{order}"), Vec::new());
    let found: OrderFound = decode(&ask(env, &found).await?)?;
    // Nothing, if it was paid back.
    let transfer = found.transfer.ok_or(ErrorCode::NotEntitled)?;
    let agreement = transfer.agreement;
    let work = snapshot(env, &agreement.work).await?;
    let work = work.ok_or(ErrorCode::UnknownWork)?;
    let version = version.unwrap_or(agreement.version);
    let published = work.version(version).zip(work.keys(version));
    let (usage, keys) = published
        .map(|(record, keys)| (record.usage, keys.clone()))
        .ok_or(ErrorCode::NotEntitled)?;
    Ok(Entitlement {
        version,
        usage,
        active: true,
        state: work.record.state,
        keys,
        work: agreement.work,
        hls: work.record.listing.and_then(|listing| listing.hls),
    })
}

//! The shop from outside: who may ask for what. Everything is for the creator, who proves possession of
//! the creator key, except what the ledger tells.

use std::collections::BTreeMap;

use satchel_crypto::b32;
use satchel_domain::id::{Thumbprint, WorkId};
use satchel_edge::{
    Call, Env, Remote, Response, Settings, TtlCache, json, now_ms, object, pause, service, text,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::Done,
    internal::WorkSnapshot,
    shopfront::{ShelfIn, ShopOut, WebhookIn},
};

use crate::{
    hook_url::Rules,
    hooks,
    shop::{ALL, Feed, Views},
    together::together,
    views::{BEACON_BYTES, GATHER_MS, Gathered},
};

/// How long it is remembered whose a work is, which never changes, milliseconds.
const CREATOR_LIFE_MS: u64 = 3_600_000;
/// How long it is remembered that there is no such work.
const UNKNOWN_LIFE_MS: u64 = 60_000;
const REMEMBERED: usize = 2_000;
/// Largest number in a query.
const MAX_NUMBER: u64 = (1 << 53) - 1;
/// Days of statistics unless said.
const DAYS: u64 = 30;

thread_local! {
    static GATHERED: std::cell::RefCell<Gathered> = std::cell::RefCell::default();
    static CREATORS: TtlCache<String> = TtlCache::new(CREATOR_LIFE_MS, REMEMBERED);
    static NO_WORKS: TtlCache<()> = TtlCache::new(UNKNOWN_LIFE_MS, REMEMBERED);
}

/// A request for a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'a> {
    Works,
    Shelf(&'a str),
    Sales,
    Stats,
    Events,
    Hooks,
    MakeHook,
    /// Delete, rotate, enable, test.
    Hook(&'a str, &'static str),
    Deliveries(&'a str),
    Resend(&'a str, &'a str),
}

/// `path` is what follows `/v1/shops/{creator}`.
fn asked<'a>(method: &str, path: &[&'a str]) -> Result<Asked<'a>> {
    let (allowed, asked): (&'static [&'static str], Asked<'a>) = match (path, method) {
        ([], _) => (&["GET"], Asked::Works),
        (["sales"], _) => (&["GET"], Asked::Sales),
        (["stats"], _) => (&["GET"], Asked::Stats),
        (["events"], _) => (&["GET"], Asked::Events),
        (["works", work], _) => (&["POST"], Asked::Shelf(work)),
        (["webhooks"], "POST") => (&["GET", "POST"], Asked::MakeHook),
        (["webhooks"], _) => (&["GET", "POST"], Asked::Hooks),
        (["webhooks", id], _) => (&["DELETE"], Asked::Hook(id, "delete")),
        (["webhooks", id, "secret"], _) => (&["POST"], Asked::Hook(id, "rotate")),
        (["webhooks", id, "enable"], _) => (&["POST"], Asked::Hook(id, "enable")),
        (["webhooks", id, "test"], _) => (&["POST"], Asked::Hook(id, "test")),
        (["webhooks", id, "deliveries"], _) => (&["GET"], Asked::Deliveries(id)),
        (["webhooks", id, "deliveries", seq, "resend"], _) => (&["POST"], Asked::Resend(id, seq)),
        _ => return Err(ErrorCode::NotFound.into()),
    };
    if allowed.contains(&method) {
        Ok(asked)
    } else {
        let list = allowed.join(", ");
        Err(ApiError::from(ErrorCode::MethodNotAllowed).with("allow", list))
    }
}

fn malformed(what: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Malformed, what)
}

fn creator_of(text: &str) -> Result<Thumbprint> {
    Thumbprint::parse(text).map_err(|_| malformed("not a creator's thumbprint"))
}

fn work_id(text: &str) -> Result<WorkId> {
    WorkId::parse(text).map_err(|_| malformed("not a work id"))
}

/// An id of ours goes into the path to the object: nothing else must.
fn hook_id(text: &str) -> Result<&str> {
    let known = text
        .strip_prefix("whk_")
        .is_some_and(|body| b32::decode_array::<16>(body).is_ok());
    if known {
        Ok(text)
    } else {
        Err(ErrorCode::UnknownWebhook.into())
    }
}

/// A number of the query.
fn number(call: &Call, name: &str) -> Result<Option<u64>> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && *n <= MAX_NUMBER);
    number
        .map(Some)
        .ok_or_else(|| malformed(format!("{name} is not a number of this list")))
}

/// A cursor as a piece of the path to the object.
fn cursor(call: &Call) -> Result<String> {
    Ok(number(call, "after")?.map_or_else(|| ALL.to_owned(), |n| n.to_string()))
}

/// The work of the query, or all.
fn work_asked(call: &Call) -> Result<String> {
    match call.query("work") {
        None => Ok(ALL.to_owned()),
        Some(work) => Ok(work_id(&work)?.as_str().to_owned()),
    }
}

pub(crate) fn shop(env: &Env, creator: &str) -> Result<Remote> {
    object(env, "SHOP", creator)
}

/// `/v1/shops/{creator}…`
pub(crate) async fn answer(mut call: Call, env: &Env, segments: &[String]) -> Result<Response> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["v1", "shops", creator, rest @ ..] = &path[..] else {
        return Err(ErrorCode::NotFound.into());
    };
    let asked = asked(call.method(), rest)?;
    let creator = creator_of(creator)?;
    let settings = Settings::of(env);
    let issuer = settings.issuer()?;
    let proven = call.proof(&issuer, None).await?;
    if proven.key != creator {
        return Err(ErrorCode::WrongKey.into());
    }
    let shop = shop(env, creator.as_str())?;
    match asked {
        Asked::Works => {
            let path = format!("/works/{creator}/{}", cursor(&call)?);
            works(env, shop.get(&path).await?).await
        }
        Asked::Shelf(work) => {
            let (work, body): (WorkId, ShelfIn) = (work_id(work)?, call.json().await?);
            shop.pass_post(200, &format!("/work/{work}"), &body).await
        }
        Asked::Sales => {
            let path = format!("/sales/{}/{}", cursor(&call)?, work_asked(&call)?);
            shop.pass(&path).await
        }
        Asked::Stats => {
            let days = number(&call, "days")?.unwrap_or(DAYS);
            let path = format!("/stats/{}/{days}", work_asked(&call)?);
            shop.pass(&path).await
        }
        Asked::Events => shop.pass(&format!("/events/{}", cursor(&call)?)).await,
        Asked::Hooks => shop.pass("/hooks").await,
        Asked::MakeHook => {
            let body: WebhookIn = call.json().await?;
            let rules = Rules {
                loopback: settings.optional("WEBHOOKS_HTTP").as_deref() == Some("loopback"),
                ours: &[&issuer],
            };
            hooks::check(&body, &rules)?;
            shop.pass_post(201, &format!("/hooks/make/{creator}"), &body)
                .await
        }
        Asked::Hook(id, what) => {
            let path = format!("/hooks/{}/{what}", hook_id(id)?);
            shop.pass_bytes(200, &path, b"").await
        }
        Asked::Deliveries(id) => {
            let path = format!("/hooks/{}/deliveries", hook_id(id)?);
            shop.pass(&path).await
        }
        Asked::Resend(id, seq) => {
            let seq: u64 = seq.parse().map_err(|_| ErrorCode::UnknownWebhook)?;
            let path = format!("/hooks/{}/resend/{seq}", hook_id(id)?);
            shop.pass_bytes(200, &path, b"").await
        }
    }
}

/// With what the ledger says of each work now. One that can't be read just now is shown without it.
async fn works(env: &Env, mut out: ShopOut) -> Result<Response> {
    let snapshots = together(out.works.iter().map(|shown| async {
        let path = format!("/internal/works/{}", shown.work);
        service(env, "LEDGER")?.get::<WorkSnapshot>(&path).await
    }));
    for (shown, snapshot) in snapshots.await.into_iter().enumerate() {
        if let (Ok(snapshot), Some(work)) = (snapshot, out.works.get_mut(shown)) {
            work.record = Some(snapshot.record);
            work.splits = snapshot.splits;
        }
    }
    json(&out)
}

/// `POST /internal/shops/{creator}/sales`: the ledger tells what was sold and paid back.
pub(crate) async fn feed(mut call: Call, env: &Env, segments: &[String]) -> Result<Response> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["internal", "shops", creator, "sales"] = path[..] else {
        return Err(ErrorCode::NotFound.into());
    };
    if call.method() != "POST" {
        return Err(call.refuse(&["POST"]));
    }
    let creator = creator_of(creator)?;
    let body = call.body_from_ourselves().await?;
    let feed: Feed =
        satchel_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
    if !feed.fits() {
        return Err(malformed("too many sales for one batch"));
    }
    shop(env, creator.as_str())?
        .pass_bytes(200, "/sales/feed", &body)
        .await
}

/// `POST /v1/works/{work}/view`: a beacon of the frame or the work page. Whether the caller is to wait
/// for [`tell_views`].
pub(crate) async fn view(call: &mut Call, work: &WorkId) -> Result<(Response, bool)> {
    // Whatever a browser's beacon calls it: nothing of it is read but that it is small.
    let body = call.body().await?;
    if body.len() > BEACON_BYTES || !matches!(body.trim_ascii(), b"" | b"{}") {
        return Err(malformed("a view says nothing but {}"));
    }
    let tells = GATHERED.with_borrow_mut(|gathered| gathered.add(work, now_ms()));
    Ok((
        text(204, "text/plain", &[("cache-control", "no-store")], ""),
        tells,
    ))
}

/// Waits a while, then tells the shops what was viewed. A batch that fails is lost: views are no money.
pub(crate) async fn tell_views(env: &Env) {
    pause(GATHER_MS).await;
    let gathered = GATHERED.with_borrow_mut(Gathered::take);
    let creators = together(gathered.keys().map(|work| creator_of_work(env, work))).await;
    let mut by_creator: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((work, count), creator) in gathered.into_iter().zip(creators) {
        if let Some(creator) = creator {
            by_creator.entry(creator).or_default().insert(work, count);
        }
    }
    let told = by_creator.into_iter().map(|(creator, views)| async move {
        let views = Views { views };
        shop(env, &creator)?.post::<_, Done>("/views", &views).await
    });
    together(told).await;
}

/// Whose a work is; nobody's if there is none.
async fn creator_of_work(env: &Env, work: &str) -> Option<String> {
    let now = now_ms();
    if let Some(known) = CREATORS.with(|cache| cache.get(work, now)) {
        return Some(known);
    }
    if NO_WORKS.with(|cache| cache.get(work, now)).is_some() {
        return None;
    }
    let asked = service(env, "LEDGER").ok()?;
    let snapshot: Result<WorkSnapshot> = asked.get(&format!("/internal/works/{work}")).await;
    let Ok(snapshot) = snapshot else {
        NO_WORKS.with(|cache| cache.put(work, (), now));
        return None;
    };
    let creator = snapshot.record.creator.key().ok()?.jkt();
    CREATORS.with(|cache| cache.put(work, creator.clone(), now));
    Some(creator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_route_is_found() {
        let found = |method, path: &str| {
            let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
            // Told apart by what they print: the pieces live as long as the path.
            asked(method, &segments).map(|asked| format!("{asked:?}"))
        };
        for (method, path, expected) in [
            ("GET", "", "Works"),
            ("POST", "works/w", "Shelf(\"w\")"),
            ("GET", "sales", "Sales"),
            ("GET", "stats", "Stats"),
            ("GET", "events", "Events"),
            ("GET", "webhooks", "Hooks"),
            ("POST", "webhooks", "MakeHook"),
            ("DELETE", "webhooks/h", "Hook(\"h\", \"delete\")"),
            ("POST", "webhooks/h/secret", "Hook(\"h\", \"rotate\")"),
            ("POST", "webhooks/h/enable", "Hook(\"h\", \"enable\")"),
            ("POST", "webhooks/h/test", "Hook(\"h\", \"test\")"),
            ("GET", "webhooks/h/deliveries", "Deliveries(\"h\")"),
            (
                "POST",
                "webhooks/h/deliveries/7/resend",
                "Resend(\"h\", \"7\")",
            ),
        ] {
            assert_eq!(found(method, path).unwrap(), expected, "{method} {path}");
        }
        for (method, path, code) in [
            ("POST", "", ErrorCode::MethodNotAllowed),
            ("GET", "works", ErrorCode::NotFound),
            ("DELETE", "webhooks", ErrorCode::MethodNotAllowed),
            ("GET", "webhooks/h", ErrorCode::MethodNotAllowed),
            ("GET", "webhooks/h/x", ErrorCode::NotFound),
            ("GET", "webhooks/h/deliveries/7", ErrorCode::NotFound),
            ("POST", "feed", ErrorCode::NotFound),
        ] {
            assert_eq!(
                found(method, path).unwrap_err().code,
                code,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn only_ids_of_ours_reach_an_object() {
        assert!(hook_id(&format!("whk_{}", "a".repeat(26))).is_ok());
        for bad in [
            "make",
            "whk_",
            "whk_../feed",
            &format!("whk_{}", "A".repeat(26)),
            &format!("hook_{}", "a".repeat(26)),
        ] {
            assert!(hook_id(bad).is_err(), "{bad}");
        }
    }
}

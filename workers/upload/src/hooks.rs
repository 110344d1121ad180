//! Webhooks of a shop, after the Standard Webhooks convention: who is told what, when it is tried
//! again, and when nobody is told any more. Decides over [`Tables`]; the object sends.
//!
//! A webhook has a place in the row of the shop's events and at most [`IN_HAND`] messages in hand, each
//! with its own tries. Where its server is down its place simply stays: nothing piles up, nothing is lost.

use satchel_crypto::{
    b32, b64,
    hash::{HmacKey, sha256_parts},
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    shop::{ShopRefund, ShopSale},
    shopfront::{
        DeliveriesOut, Delivery, DeliveryState, EventKind, HookState, WebhookIn, WebhookOut,
        WebhooksOut, WorkNews,
    },
};
use serde::Serialize;

use crate::{
    hook_url,
    shop::{Head, event, head},
    shop_rows::{DELIVERIES, HOOKS, Tables, list, newest, pair, read, write},
    shop_time::moment,
};

/// Webhooks of a shop.
pub(crate) const MAX_HOOKS: usize = 5;
/// Messages of a webhook that are tried independently of each other.
pub(crate) const IN_HAND: usize = 32;
/// Events looked at in one go; the object wakes at once for the others.
const PASSED: u32 = 1_000;
/// Messages of a webhook sent at once.
const AT_ONCE: usize = 8;
/// Deliveries that are remembered.
pub(crate) const LOG: u64 = 100;
/// Until a try is given up, milliseconds.
pub(crate) const TIMEOUT_MS: u64 = 10_000;
/// Should we die while sending: tried again after this, milliseconds.
const LEASE_MS: u64 = 60_000;
/// Pauses after a try that failed, seconds: 28 hours in all.
pub(crate) const PAUSES_S: [u64; 11] = [
    5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800, 14_400, 28_800, 32_400,
];
/// How long signatures by the secret before stand beside the new ones, seconds.
pub(crate) const OVERLAP_S: u64 = 86_400;
/// A server that says so wants no more.
const GONE: u16 = 410;
/// All that can be asked for.
const KINDS: [EventKind; 5] = [
    EventKind::SaleCreated,
    EventKind::SaleRefunded,
    EventKind::WorkPublished,
    EventKind::WorkUpdated,
    EventKind::WorkUnpublished,
];

/// A message in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct InHand {
    /// The delivery.
    seq: u64,
    /// The event; none in a test.
    event: Option<u64>,
    /// When it was taken in hand, Unix seconds.
    since: u64,
    tries: u32,
    next_ms: u64,
}
satchel_json::read!(InHand {
    seq,
    event,
    since,
    tries,
    next_ms,
    ..
});

/// A secret that is no longer given, and until when it still signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Before {
    secret: String,
    until: u64,
}
satchel_json::read!(Before { secret, until, .. });

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Hook {
    id: String,
    /// Whose shop it is.
    creator: String,
    url: String,
    kinds: Vec<EventKind>,
    created: u64,
    state: HookState,
    /// 24 bytes.
    secret: String,
    before: Option<Before>,
    /// Events up to this one were taken in hand, or are not for it.
    place: u64,
    /// The number of its last delivery.
    seq: u64,
    in_hand: Vec<InHand>,
    /// When something was last taken, Unix seconds.
    taken: Option<u64>,
    failing_since: Option<u64>,
}
satchel_json::read!(Hook {
    id,
    creator,
    url,
    kinds,
    created,
    state,
    secret,
    before,
    place,
    seq,
    in_hand,
    taken,
    failing_since,
    ..
});

/// The body of a message.
#[derive(Debug, Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: EventKind,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    creator: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sale: Option<ShopSale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<ShopRefund>,
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<WorkNews>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) hook: String,
    pub(crate) seq: u64,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What came of sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) hook: String,
    pub(crate) seq: u64,
    /// 0 where there was no answer.
    pub(crate) status: u16,
    pub(crate) ms: u64,
    pub(crate) error: Option<String>,
}

fn unknown() -> ApiError {
    ErrorCode::UnknownWebhook.into()
}

/// The base64 of RFC 4648 §4, which the convention wants; of a multiple of three bytes or padded.
fn standard(bytes: &[u8]) -> String {
    let mut text = b64::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn secret(bytes: &[u8]) -> String {
    format!("whsec_{}", standard(bytes))
}

fn sign(secret: &str, message: &str, time_s: u64, body: &str) -> Result<String> {
    let key = b64::decode(secret).map_err(|_| ErrorCode::Internal)?;
    let signed = format!("{message}.{time_s}.{body}");
    let tag = HmacKey::new(&key).tag(signed.as_bytes());
    Ok(format!("v1,{}", standard(&tag)))
}

/// `webhook-id`: the same whenever this event is sent, so that receivers can tell a repetition.
fn message_id(creator: &str, hook: &str, seq: u64, event: Option<u64>) -> String {
    let digest = match event {
        Some(n) => sha256_parts(&[creator.as_bytes(), b"\0event\0", &n.to_be_bytes()]),
        None => sha256_parts(&[hook.as_bytes(), b"\0test\0", &seq.to_be_bytes()]),
    };
    let short = digest.first_chunk::<20>().copied().unwrap_or_default();
    format!("msg_{}", b32::encode(&short))
}

fn all(tables: &dyn Tables) -> Result<Vec<Hook>> {
    list(tables, &HOOKS, &[], &[0xff], MAX_HOOKS as u64)
}

fn find(tables: &dyn Tables, id: &str) -> Result<Hook> {
    read(tables, &HOOKS, id.as_bytes())?.ok_or_else(unknown)
}

fn save(tables: &dyn Tables, hook: &Hook) -> Result<()> {
    write(tables, &HOOKS, hook.id.as_bytes(), hook)
}

fn log_key(hook: &str, seq: u64) -> Vec<u8> {
    pair(hook, &newest(seq))
}

fn shown(hook: &Hook, head: &Head, secret: Option<String>) -> WebhookOut {
    let in_hand = hook.in_hand.len() as u64;
    WebhookOut {
        id: hook.id.clone(),
        url: hook.url.clone(),
        events: hook.kinds.clone(),
        created: hook.created,
        state: hook.state,
        failing_since: hook.failing_since,
        // At most: those that are not for it are passed over when it gets there.
        waiting: head.n.saturating_sub(hook.place).saturating_add(in_hand),
        secret,
    }
}

/// All webhooks.
pub(crate) fn hooks(tables: &dyn Tables) -> Result<WebhooksOut> {
    let head = head(tables)?;
    let hooks = all(tables)?;
    Ok(WebhooksOut {
        webhooks: hooks.iter().map(|hook| shown(hook, &head, None)).collect(),
    })
}

/// Whether a webhook may be made so; also what the outside asks before it asks us.
pub(crate) fn check(asked: &WebhookIn, rules: &hook_url::Rules<'_>) -> Result<()> {
    hook_url::check(&asked.url, rules)
        .map_err(|why| ApiError::new(ErrorCode::WebhookRefused, why))?;
    let kinds = asked.events.as_deref().unwrap_or(&KINDS);
    if kinds.is_empty()
        || kinds.len() > KINDS.len()
        || kinds.iter().any(|kind| !KINDS.contains(kind))
    {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "events are those of the table, each once",
        ));
    }
    Ok(())
}

/// Makes a webhook. What has happened before it is not told.
pub(crate) fn create(
    tables: &dyn Tables,
    creator: &str,
    asked: &WebhookIn,
    random: &[u8; 40],
    now_s: u64,
) -> Result<WebhookOut> {
    if all(tables)?.len() >= MAX_HOOKS {
        return Err(ErrorCode::WebhookLimit.into());
    }
    let (key, name) = random.split_at(24);
    let head = head(tables)?;
    let hook = Hook {
        id: format!("whk_{}", b32::encode(name)),
        creator: creator.to_owned(),
        url: asked.url.clone(),
        kinds: asked.events.clone().unwrap_or_else(|| KINDS.to_vec()),
        created: now_s,
        state: HookState::Active,
        secret: b64::encode(key),
        before: None,
        place: head.n,
        seq: 0,
        in_hand: Vec::new(),
        taken: None,
        failing_since: None,
    };
    save(tables, &hook)?;
    Ok(shown(&hook, &head, Some(secret(key))))
}

/// Ends a webhook; its log goes with it.
pub(crate) fn remove(tables: &dyn Tables, id: &str) -> Result<()> {
    let hook = find(tables, id)?;
    for (key, _) in tables.scan(
        &DELIVERIES,
        &pair(id, &[]),
        &pair(id, &[0xff; 9]),
        LOG.saturating_mul(2),
    )? {
        tables.delete(&DELIVERIES, &key)?;
    }
    tables.delete(&HOOKS, hook.id.as_bytes())
}

/// Gives a webhook a new secret. For a day signatures by the old one stand beside the new.
pub(crate) fn rotate(
    tables: &dyn Tables,
    id: &str,
    random: &[u8; 40],
    now_s: u64,
) -> Result<WebhookOut> {
    let mut hook = find(tables, id)?;
    let (key, _) = random.split_at(24);
    let old = std::mem::replace(&mut hook.secret, b64::encode(key));
    hook.before = Some(Before {
        secret: old,
        until: now_s.saturating_add(OVERLAP_S),
    });
    save(tables, &hook)?;
    Ok(shown(&hook, &head(tables)?, Some(secret(key))))
}

/// Serves a disabled webhook again, from where it stood.
pub(crate) fn enable(tables: &dyn Tables, id: &str, now_ms: u64) -> Result<WebhookOut> {
    let mut hook = find(tables, id)?;
    if hook.state == HookState::Disabled {
        hook.state = HookState::Active;
        hook.failing_since = None;
        save(tables, &hook)?;
        tables.wake(now_ms);
    }
    Ok(shown(&hook, &head(tables)?, None))
}

/// Takes a test in hand.
pub(crate) fn test(tables: &dyn Tables, id: &str, now_ms: u64) -> Result<Delivery> {
    by_hand(tables, id, None, EventKind::Test, now_ms)
}

/// Sends what a delivery told once more, as a delivery of its own with the same message.
pub(crate) fn resend(tables: &dyn Tables, id: &str, seq: u64, now_ms: u64) -> Result<Delivery> {
    let old: Option<Delivery> = read(tables, &DELIVERIES, &log_key(id, seq))?;
    let old = old.ok_or_else(unknown)?;
    by_hand(tables, id, old.event, old.kind, now_ms)
}

fn by_hand(
    tables: &dyn Tables,
    id: &str,
    event: Option<u64>,
    kind: EventKind,
    now_ms: u64,
) -> Result<Delivery> {
    let mut hook = find(tables, id)?;
    if hook.state == HookState::Disabled {
        return Err(ErrorCode::WebhookDisabled.into());
    }
    // As many again as events may take: a person must not be held up by them, nor hold them up.
    if hook.in_hand.len() >= IN_HAND.saturating_mul(2) {
        return Err(ApiError::from(ErrorCode::TooMany).retry_after(60));
    }
    let delivery = take(tables, &mut hook, event, kind, now_ms)?;
    save(tables, &hook)?;
    tables.wake(now_ms);
    Ok(delivery)
}

/// Takes a message in hand: a new line of the log.
fn take(
    tables: &dyn Tables,
    hook: &mut Hook,
    event: Option<u64>,
    kind: EventKind,
    now_ms: u64,
) -> Result<Delivery> {
    let seconds = now_ms / 1_000;
    hook.seq = hook.seq.saturating_add(1);
    hook.in_hand.push(InHand {
        seq: hook.seq,
        event,
        since: seconds,
        tries: 0,
        next_ms: now_ms,
    });
    let delivery = Delivery {
        seq: hook.seq,
        message: message_id(&hook.creator, &hook.id, hook.seq, event),
        kind,
        event,
        state: DeliveryState::Waiting,
        tries: 0,
        created: seconds,
        tried: None,
        status: None,
        ms: None,
        error: None,
        next_try: Some(seconds),
    };
    write(tables, &DELIVERIES, &log_key(&hook.id, hook.seq), &delivery)?;
    if let Some(old) = hook.seq.checked_sub(LOG) {
        tables.delete(&DELIVERIES, &log_key(&hook.id, old))?;
    }
    Ok(delivery)
}

/// The log of a webhook, newest first.
pub(crate) fn deliveries(tables: &dyn Tables, id: &str) -> Result<DeliveriesOut> {
    find(tables, id)?;
    let (from, below) = (pair(id, &[]), pair(id, &[0xff; 9]));
    let deliveries = list(tables, &DELIVERIES, &from, &below, LOG)?;
    Ok(DeliveriesOut { deliveries })
}

/// Wakes the object if a webhook has something to be told.
pub(crate) fn stir(tables: &dyn Tables, now_ms: u64) -> Result<()> {
    let n = head(tables)?.n;
    let mut hooks = all(tables)?.into_iter();
    if hooks.any(|hook| hook.state == HookState::Active && hook.place < n) {
        tables.wake(now_ms);
    }
    Ok(())
}

/// What is to be sent now, and wakes the object for what comes later.
pub(crate) fn due(tables: &dyn Tables, now_ms: u64) -> Result<Vec<Letter>> {
    let n = head(tables)?.n;
    let mut letters = Vec::new();
    for mut hook in all(tables)? {
        if hook.state == HookState::Active {
            let before = hook.clone();
            fill(tables, &mut hook, n, now_ms)?;
            letters.extend(letters_of(tables, &mut hook, now_ms)?);
            let waits = hook.place < n && hook.in_hand.len() < IN_HAND;
            let next = hook.in_hand.iter().map(|message| message.next_ms).min();
            if let Some(at) = if waits { Some(now_ms) } else { next } {
                tables.wake(at);
            }
            if hook != before {
                save(tables, &hook)?;
            }
        }
    }
    Ok(letters)
}

/// Moves on in the row of events, as far as there is room.
fn fill(tables: &dyn Tables, hook: &mut Hook, n: u64, now_ms: u64) -> Result<()> {
    for _ in 0..PASSED {
        if hook.place >= n || hook.in_hand.len() >= IN_HAND {
            break;
        }
        hook.place = hook.place.saturating_add(1);
        let place = hook.place;
        let Some(event) = event(tables, place)? else {
            continue;
        };
        if hook.kinds.contains(&event.kind) {
            take(tables, hook, Some(place), event.kind, now_ms)?;
        }
    }
    Ok(())
}

fn letters_of(tables: &dyn Tables, hook: &mut Hook, now_ms: u64) -> Result<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut forgotten = Vec::new();
    let mut in_hand = std::mem::take(&mut hook.in_hand);
    for message in &mut in_hand {
        if message.next_ms > now_ms || letters.len() >= AT_ONCE {
            continue;
        }
        if let Some(letter) = letter(tables, hook, message, now_ms)? {
            message.next_ms = now_ms.saturating_add(LEASE_MS);
            letters.push(letter);
        } else {
            forgotten.push(message.seq);
        }
    }
    // An event that is kept no longer can't be told.
    in_hand.retain(|message| !forgotten.contains(&message.seq));
    hook.in_hand = in_hand;
    Ok(letters)
}

fn letter(
    tables: &dyn Tables,
    hook: &Hook,
    message: &InHand,
    now_ms: u64,
) -> Result<Option<Letter>> {
    let mut data = Data {
        creator: &hook.creator,
        sale: None,
        refund: None,
        work: None,
    };
    let (kind, time) = match message.event {
        None => (EventKind::Test, message.since),
        Some(n) => {
            let Some(event) = event(tables, n)? else {
                return Ok(None);
            };
            (data.sale, data.refund, data.work) = (event.sale, event.refund, event.work);
            (event.kind, event.time)
        }
    };
    let body = Message {
        kind,
        timestamp: moment(time),
        data,
    };
    let body = satchel_json::to_string(&body).map_err(satchel_edge::internal)?;
    let id = message_id(&hook.creator, &hook.id, message.seq, message.event);
    let seconds = now_ms / 1_000;
    let mut signatures = sign(&hook.secret, &id, seconds, &body)?;
    if let Some(before) = hook.before.as_ref().filter(|old| seconds < old.until) {
        signatures.push(' ');
        signatures.push_str(&sign(&before.secret, &id, seconds, &body)?);
    }
    Ok(Some(Letter {
        hook: hook.id.clone(),
        seq: message.seq,
        url: hook.url.clone(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "Satchel-Webhooks/1".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures),
        ],
        body,
    }))
}

/// Takes in what came of sending.
pub(crate) fn settle(tables: &dyn Tables, outcome: &Outcome, now_ms: u64) -> Result<()> {
    // Removed, or disabled by the message beside it, in the meantime.
    let hook: Option<Hook> = read(tables, &HOOKS, outcome.hook.as_bytes())?;
    let Some(mut hook) = hook else { return Ok(()) };
    let Some(at) = hook.in_hand.iter().position(|m| m.seq == outcome.seq) else {
        return Ok(());
    };
    let mut message = hook.in_hand.remove(at);
    message.tries = message.tries.saturating_add(1);
    let seconds = now_ms / 1_000;
    let taken = (200..300).contains(&outcome.status);
    let pause = usize::try_from(message.tries.saturating_sub(1))
        .ok()
        .and_then(|tries| PAUSES_S.get(tries));
    let mut next = None;
    if taken {
        hook.taken = Some(seconds);
        hook.failing_since = None;
    } else {
        hook.failing_since.get_or_insert(seconds);
        if outcome.status == GONE {
            disable(&mut hook, message.event);
        } else if let Some(pause) = pause {
            next = Some(seconds.saturating_add(*pause));
            message.next_ms = now_ms.saturating_add(pause.saturating_mul(1_000));
            tables.wake(message.next_ms);
            hook.in_hand.insert(at, message.clone());
        } else if hook.taken.is_none_or(|taken| taken < message.since) {
            // Nothing was taken all the while: it is not this message that is at fault.
            disable(&mut hook, message.event);
        }
    }
    let key = log_key(&hook.id, message.seq);
    let line: Option<Delivery> = read(tables, &DELIVERIES, &key)?;
    if let Some(line) = line {
        let state = match (taken, next) {
            (true, _) => DeliveryState::Delivered,
            (false, Some(_)) => DeliveryState::Waiting,
            (false, None) => DeliveryState::Failed,
        };
        let line = Delivery {
            state,
            tries: message.tries,
            tried: Some(seconds),
            status: (outcome.status > 0).then_some(outcome.status),
            ms: Some(outcome.ms),
            error: outcome.error.clone(),
            next_try: next,
            ..line
        };
        write(tables, &DELIVERIES, &key, &line)?;
    }
    save(tables, &hook)
}

/// Ends its service. It will go on from the first event that it has not taken.
fn disable(hook: &mut Hook, event: Option<u64>) {
    let in_hand = std::mem::take(&mut hook.in_hand);
    let events = in_hand.iter().filter_map(|message| message.event);
    if let Some(first) = events.chain(event).min() {
        hook.place = hook.place.min(first.saturating_sub(1));
    }
    hook.state = HookState::Disabled;
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
#[path = "hooks_tests.rs"]
mod tests;

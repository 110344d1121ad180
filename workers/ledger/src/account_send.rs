//! Money sent from account to account outside of a purchase: refunds and an operator's corrections.
//!
//! The giver reserves, asks the receiver, then posts or gives up; the receiver decides for good and
//! once. What the operator and collaborators bear of a refund follows by transfers of their own, and the
//! creator's shop is told.

use satchel_domain::{id::RefundId, ledger::Spent, money::Msat, splits};
use satchel_edge::internal;
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{Done, OrderStatus, RefundOut},
    internal::{Part, Received, RefundOrder, Sending},
    refund,
};
use serde::Serialize;

use crate::{
    account::{Account, Answering, credit, delegation, in_force, signer_key, strike},
    account_lines::{self, back_id},
    book::{self, Entry, OutCredit, fees_of, sending_key},
    host::{self, Host, Place, Tables, decode, encode},
    rows::{Head, Kind, State, TransferRow},
};

fn text(value: &impl Serialize) -> Result<String> {
    satchel_json::to_string(value).map_err(internal)
}

impl Account {
    /// Pays back for a sale, on the signed word of a key of the account that was paid.
    pub(crate) async fn refund<H: Host>(&self, host: &H, asked: RefundOrder) -> Result<Vec<u8>> {
        let (config, now) = (host.config()?, host.now_s());
        let unverified = refund::read(&asked.refund)?;
        let signer = unverified.header.kid.clone().unwrap_or_default();
        let public = signer_key(host.tables(), &signer)?.ok_or(ErrorCode::WrongKey)?;
        let claims = unverified.verify(host.verifier(), &public).await?;
        claims.check_shape(&config.issuer, now)?;
        let (sale, ledger) = (asked.sale, config.ledger);
        let id = refund::id(&sale.order, claims.seq)?.to_string();
        let now_ms = host.now_ms();
        let wanted = id.clone();
        host.transact(move |tables| {
            let key = sending_key(&wanted);
            if let Some(known) = TransferRow::load(tables, &key)? {
                let as_before = known.kind == Kind::Refund && known.msat == claims.msat;
                return if as_before {
                    Ok(())
                } else {
                    Err(ErrorCode::RefundConflict.into())
                };
            }
            let head = Head::load(tables)?;
            let delegation = delegation(tables, &signer)?.ok_or(ErrorCode::WrongKey)?;
            in_force(&delegation, &head, now)?;
            if !delegation.spend {
                return Err(ErrorCode::ScopeMissing.into());
            }
            if sale.payee != claims.account || ledger != claims.ledger {
                return Err(ErrorCode::UnknownSale.into());
            }
            if claims.msat > sale.left {
                return Err(exceeds(sale.left));
            }
            delegation.check_caps(claims.msat, Spent::default())?;
            if delegation.is_counted() {
                // A site's grant is for buying.
                return Err(ErrorCode::ScopeMissing.into());
            }
            let sending = Sending {
                id: wanted.clone(),
                from: claims.account.to_string(),
                to: sale.buyer.to_string(),
                msat: claims.msat,
                time: now,
                sale: Some(sale.clone()),
                reason: None,
                parts: None,
                told: None,
                fee_due: None,
                fee_back: None,
                left: None,
            };
            reserve(tables, head, Kind::Refund, &sending, now_ms)
        })
        .await?;
        let fresh = self.drive_sending(host, &id).await?;
        refunded(host.tables(), &id, !fresh)
    }

    /// Moves money by an operator's word.
    pub(crate) async fn send<H: Host>(&self, host: &H, sending: Sending) -> Result<Vec<u8>> {
        let (id, now_ms) = (sending.id.clone(), host.now_ms());
        host.transact(move |tables| {
            let key = sending_key(&sending.id);
            let sending = Sending {
                time: now_ms.checked_div(1_000).unwrap_or(0),
                ..sending.clone()
            };
            if let Some(known) = TransferRow::load(tables, &key)? {
                let sent: Sending = decode(known.body.as_bytes())?;
                let same = Sending {
                    time: sending.time,
                    left: None,
                    ..sent
                } == sending;
                return if same {
                    Ok(())
                } else {
                    Err(ErrorCode::RefundConflict.into())
                };
            }
            reserve(
                tables,
                Head::load(tables)?,
                Kind::CorrectionOut,
                &sending,
                now_ms,
            )
        })
        .await?;
        self.drive_sending(host, &id).await?;
        let row = TransferRow::load(host.tables(), &sending_key(&id))?;
        match row.map(|row| row.state) {
            Some(State::Posted) => encode(&Done { done: true }),
            _ => Err(ErrorCode::Unavailable.into()),
        }
    }

    /// Brings a sending as far as the others answer; gives whether it was posted only now.
    pub(crate) async fn drive_sending<H: Host>(&self, host: &H, id: &str) -> Result<bool> {
        let key = sending_key(id);
        let load = || TransferRow::must(host.tables(), &key);
        let mut row = load()?;
        let fresh = row.state == State::Pending;
        if fresh {
            let sending: Sending = decode(row.body.as_bytes())?;
            let place = Place::Account(&sending.to);
            let answered = host.ask::<_, Received>(place, "/receive", &sending).await;
            let (key, now_ms) = (key.clone(), host.now_ms());
            match answered {
                Ok(received) => {
                    host.transact(move |tables| post(tables, &key, &received, now_ms))
                        .await?;
                }
                Err(error) if error.code == ErrorCode::RefundExceeds => {
                    let left = match error.member("left_msat") {
                        Some(satchel_json::Value::Unsigned(n)) => Msat::new(*n)?,
                        _ => Msat::ZERO,
                    };
                    host.transact(move |tables| give_up(tables, &key, left))
                        .await?;
                }
                // Unknown: the alarm asks again.
                Err(_) => return Ok(false),
            }
            row = load()?;
        }
        if row.state == State::Posted {
            follow_up(host, &key, &row).await?;
        }
        Ok(fresh)
    }
}

/// What is left to do of a posted refund: everybody gives back what they bear, the shop is told. Nobody
/// holds up another.
async fn follow_up<H: Host>(host: &H, key: &[u8], row: &TransferRow) -> Result<()> {
    let sent: Sending = decode(row.body.as_bytes())?;
    let parts = book::parts_of(&sent);
    let (mut asked, mut asks) = (Vec::new(), Vec::new());
    for (at, part) in parts.iter().enumerate() {
        if part.back.is_none() {
            let back = Sending {
                id: back_id(&sent.id, &part.account),
                from: part.account.clone(),
                to: sent.from.clone(),
                msat: part.msat,
                parts: None,
                ..sent.clone()
            };
            let place = Place::Account(&part.account);
            asks.push(host.ask_json(place, "/give-back", encode(&back)?));
            asked.push((at, back));
        }
    }
    let sale = sent.sale.as_ref().filter(|_| sent.told == Some(false));
    let shop = sale.and_then(|sale| Some((sale, sale.creator.as_ref()?)));
    if let Some((sale, creator)) = shop {
        // As `ShopSales` would be written: none of it needs quoting.
        let (id, order, work, msat) = (&sent.id, &sale.order, &sale.work, sent.msat.get());
        let news = format!(
            r#"{{"source":"{id}","number":1,"sales":[],"refunds":[{{"order":"{order}","refund":"{id}","work":"{work}","msat":{msat},"time":{}}}]}}"#,
            row.time
        );
        asks.push(host.ask_json(Place::Shop(creator.as_str()), "/sales", news.into_bytes()));
    }
    let mut answers = host::all(asks).await;
    let told = shop.is_some() && answers.pop().is_some_and(|answer| answer.is_ok());
    let mut got = Vec::new();
    for ((at, back), answer) in asked.into_iter().zip(answers) {
        if let Ok(answer) = answer {
            got.push((at, back, decode::<Received>(&answer)?));
        }
    }
    let (key, now) = (key.to_vec(), host.now_s());
    if got.is_empty() && !told {
        return Ok(());
    }
    host.transact(move |tables| {
        let mut row = TransferRow::must(tables, &key)?;
        let mut sent: Sending = decode(row.body.as_bytes())?;
        let mut head = Head::load(tables)?;
        let mut parts = book::parts_of(&sent);
        for (at, back, got) in &got {
            let Some(part) = parts.get_mut(*at).filter(|part| part.back.is_none()) else {
                continue;
            };
            part.back = Some(got.msat);
            if got.msat > Msat::ZERO {
                let kind = if book::takes_fees(&part.account) {
                    Kind::FeeIn
                } else {
                    Kind::SplitIn
                };
                let key = sending_key(&back.id);
                let body = Sending {
                    msat: got.msat,
                    ..back.clone()
                };
                let row = credit(&mut head, kind, got.msat, now, text(&body)?)?;
                account_lines::append(tables, &mut head, &key)?;
                row.save(tables, &key)?;
            }
        }
        if told && sent.told == Some(false) {
            sent.told = Some(true);
        }
        if parts.iter().all(|part| part.back.is_some()) && sent.told != Some(false) {
            strike(&mut head, key.get(1..).unwrap_or_default());
        }
        sent.parts = Some(parts);
        row.body = text(&sent)?;
        row.save(tables, &key)?;
        head.save(tables)
    })
    .await
}

fn exceeds(left: Msat) -> ApiError {
    ApiError::from(ErrorCode::RefundExceeds).with("left_msat", left.get())
}

/// Sets money aside for a sending, if there is enough.
fn reserve(
    tables: &impl Tables,
    mut head: Head,
    kind: Kind,
    sending: &Sending,
    now_ms: u64,
) -> Result<()> {
    let available = head.balances.available()?;
    if available < sending.msat {
        return Err(ApiError::from(ErrorCode::RefundUnfunded)
            .with("balance_msat", available.get())
            .with("needed_msat", sending.msat.get()));
    }
    let key = sending_key(&sending.id);
    head.balances = head.balances.reserve(sending.msat)?;
    head.todo
        .extend_from_slice(key.get(1..).unwrap_or_default());
    tables.wake(now_ms.saturating_add(FIRST_WAKE_MS));
    head.save(tables)?;
    TransferRow {
        kind,
        state: State::Pending,
        msat: sending.msat,
        time: sending.time,
        balance: Msat::ZERO,
        refunded: Msat::ZERO,
        body: text(sending)?,
    }
    .save(tables, &key)
}

/// A sending is tried again after this, should its request have ended.
const FIRST_WAKE_MS: u64 = 2_000;

/// The receiver has taken it, and says what others bear of it.
fn post(tables: &impl Tables, key: &[u8], received: &Received, now_ms: u64) -> Result<()> {
    let mut row = TransferRow::must(tables, key)?;
    if row.state != State::Pending {
        return Ok(());
    }
    let mut head = Head::load(tables)?;
    let mut sent: Sending = decode(row.body.as_bytes())?;
    head.balances = head.balances.post(row.msat)?;
    row.state = State::Posted;
    row.time = now_ms.checked_div(1_000).unwrap_or(0);
    row.balance = head.balances.posted()?;
    let mut parts = received.parts.clone().unwrap_or_default();
    parts.retain(|part| part.msat > Msat::ZERO);
    let shop = sent.sale.as_ref().and_then(|sale| sale.creator.as_ref());
    sent.told = shop.map(|_| false);
    if parts.is_empty() && sent.told.is_none() {
        strike(&mut head, key.get(1..).unwrap_or_default());
    }
    sent.parts = sent.sale.as_ref().map(|_| parts);
    row.body = text(&sent)?;
    account_lines::append(tables, &mut head, key)?;
    head.save(tables)?;
    row.save(tables, key)
}

/// What each of those who got a part of a sale bears of a refund of it: in proportion to what is left to
/// them, by largest remainder, so that parts add up exactly and all of it gives everybody's part back.
fn bear(entry: &mut Entry, row: &TransferRow, msat: Msat) -> Result<Vec<Part>> {
    let Some(OutCredit { credit, .. }) = &entry.credit else {
        return Ok(Vec::new());
    };
    let mut parts = vec![Part {
        account: fees_of(credit.payee.as_str()),
        msat: credit.fee,
        back: None,
    }];
    parts.extend(credit.splits.iter().flatten().cloned());
    // Before there were collaborators the operator's share was rounded down.
    let mut borne = entry.borne.take().unwrap_or_default();
    if borne.is_empty() {
        borne.clone_from(&parts);
        for part in &mut borne {
            part.msat = Msat::ZERO;
        }
        if let Some(first) = borne.first_mut() {
            first.msat = share(credit.fee, row.refunded, row.msat)?;
        }
    }
    let mut rest = row.msat.minus(row.refunded)?;
    let mut left = Vec::with_capacity(parts.len().saturating_add(1));
    for (part, borne) in parts.iter().zip(&borne) {
        let its = part.msat.minus(borne.msat)?;
        rest = rest.minus(its)?;
        left.push(its.get());
    }
    left.push(rest.get());
    let shares = splits::apportion(msat, &left)?;
    for ((part, borne), share) in parts.iter_mut().zip(&mut borne).zip(shares) {
        borne.msat = borne.msat.plus(share)?;
        part.msat = share;
    }
    entry.borne = Some(borne);
    Ok(parts)
}

/// `fee × part ÷ whole`, rounded down.
fn share(fee: Msat, part: Msat, whole: Msat) -> Result<Msat> {
    let product = u128::from(fee.get()).checked_mul(u128::from(part.get()));
    let quotient = product.and_then(|n| n.checked_div(u128::from(whole.get())));
    let quotient = quotient.and_then(|n| u64::try_from(n).ok());
    Ok(Msat::new(quotient.ok_or(ErrorCode::Internal)?)?)
}

/// The receiver has refused it for good.
fn give_up(tables: &impl Tables, key: &[u8], left: Msat) -> Result<()> {
    let mut row = TransferRow::must(tables, key)?;
    if row.state != State::Pending {
        return Ok(());
    }
    let mut head = Head::load(tables)?;
    let mut sent: Sending = decode(row.body.as_bytes())?;
    head.balances = head.balances.void(row.msat)?;
    strike(&mut head, key.get(1..).unwrap_or_default());
    sent.left = Some(left);
    row.state = State::Void;
    row.body = text(&sent)?;
    head.save(tables)?;
    row.save(tables, key)
}

fn refunded(tables: &impl Tables, id: &str, replayed: bool) -> Result<Vec<u8>> {
    let row = TransferRow::must(tables, &sending_key(id))?;
    let sent: Sending = decode(row.body.as_bytes())?;
    let status = match row.state {
        State::Void => return Err(exceeds(sent.left.unwrap_or(Msat::ZERO))),
        State::Pending => OrderStatus::Pending,
        State::Posted | State::Ended => OrderStatus::Posted,
    };
    let (mut fee, mut split) = (Msat::ZERO, None);
    for part in book::parts_of(&sent) {
        let back = part.back.unwrap_or(Msat::ZERO);
        if book::takes_fees(&part.account) {
            fee = back;
        } else {
            split = Some(split.unwrap_or(Msat::ZERO).plus(back)?);
        }
    }
    encode(&RefundOut {
        replayed: replayed && status == OrderStatus::Posted,
        status,
        refund: RefundId::parse(id).map_err(internal)?,
        msat: row.msat,
        fee_returned_msat: fee,
        splits_returned_msat: split,
    })
}

/// Takes money that another account has set aside, once and for good: of a refund, together with what
/// it does to the purchase.
pub(crate) fn receive<T: Tables>(sending: Sending, now: u64) -> Answering<T> {
    Box::new(move |tables| {
        let key = sending_key(&sending.id);
        if let Some(known) = TransferRow::load(tables, &key)? {
            return encode(&Received {
                msat: known.refunded,
                parts: decode::<Sending>(known.body.as_bytes())?.parts,
            });
        }
        let mut head = Head::load(tables)?;
        let mut sending = sending.clone();
        let (mut kind, mut before) = (Kind::CorrectionIn, Msat::ZERO);
        if let Some(sale) = &sending.sale {
            let bought = book::order_key(&sale.order)?;
            let purchase = TransferRow::load(tables, &bought)?;
            let standing = |row: &TransferRow| matches!(row.state, State::Posted | State::Ended);
            let mut purchase = purchase
                .filter(standing)
                .ok_or_else(|| exceeds(Msat::ZERO))?;
            let left = purchase.msat.minus(purchase.refunded)?;
            if sending.msat > left {
                return Err(exceeds(left));
            }
            before = purchase.refunded;
            let mut agreed = entry(&purchase)?;
            sending.parts = Some(bear(&mut agreed, &purchase, sending.msat)?);
            purchase.body = text(&agreed)?;
            purchase.refunded = purchase.refunded.plus(sending.msat)?;
            if purchase.refunded == purchase.msat {
                purchase.state = State::Ended;
            }
            purchase.save(tables, &bought)?;
            kind = Kind::Refunded;
        }
        let mut row = credit(&mut head, kind, sending.msat, now, text(&sending)?)?;
        row.refunded = before;
        account_lines::append(tables, &mut head, &key)?;
        row.save(tables, &key)?;
        head.save(tables)?;
        encode(&Received {
            msat: before,
            parts: sending.parts,
        })
    })
}

/// Who is asked to give back more than they have is asked again while the very money may still be on its
/// way to them: nothing is decided before it has come.
pub(crate) async fn has_come_home<H: Host>(host: &H, asked: &Sending) -> Result<()> {
    let tables = host.tables();
    let enough = Head::load(tables)?.balances.available()? >= asked.msat;
    if enough || TransferRow::load(tables, &sending_key(&asked.id))?.is_some() {
        return Ok(());
    }
    let sale = asked.sale.as_ref();
    let Some((sale, inbox)) = sale.and_then(|sale| Some((sale, sale.inbox.as_ref()?))) else {
        return Ok(());
    };
    let path = format!("/home/{}/{}", sale.order, asked.from);
    let home = host
        .ask_json(Place::Inbox(inbox), &path, Vec::new())
        .await?;
    if decode::<Done>(&home)?.done {
        Ok(())
    } else {
        Err(ErrorCode::Unavailable.into())
    }
}

/// The operator or a collaborator gives back what they bear of a refund, as far as they have it.
pub(crate) fn give_back<T: Tables>(asked: Sending, now: u64) -> Answering<T> {
    Box::new(move |tables| {
        let key = sending_key(&asked.id);
        let received = |msat| encode(&Received { msat, parts: None });
        if let Some(known) = TransferRow::load(tables, &key)? {
            return received(known.msat);
        }
        let mut head = Head::load(tables)?;
        let msat = asked.msat.min(head.balances.available()?);
        head.balances = head.balances.debit(msat)?;
        let row = TransferRow {
            kind: if book::takes_fees(&asked.from) {
                Kind::FeeOut
            } else {
                Kind::SplitOut
            },
            state: State::Posted,
            msat,
            time: now,
            balance: head.balances.posted()?,
            refunded: Msat::ZERO,
            body: text(&Sending {
                msat,
                ..asked.clone()
            })?,
        };
        account_lines::append(tables, &mut head, &key)?;
        row.save(tables, &key)?;
        head.save(tables)?;
        received(msat)
    })
}

/// What stands in a purchase's row, for who only has the row.
pub(crate) fn entry(row: &TransferRow) -> Result<Entry> {
    decode(row.body.as_bytes())
}

//! `Account`: one balance, its transfers, its delegated keys.
//!
//! A `transfers` row is journal, entitlement and outbox entry at once. What is not yet delivered is
//! listed in the account's own row, so that an order writes two rows and an alarm and nothing else.

use std::cell::Cell;

use satchel_crypto::Key32;
use satchel_domain::{
    id::{OrderId, Thumbprint},
    ledger::{self, Balances, Decision, Facts, LedgerId},
    money::Msat,
};
use satchel_edge::{
    Call, Platform, Settings, Tables, Value, Write, internal, json, log, now_ms, now_s, object,
    random, rearm, serve_object,
};
use satchel_wire::{
    ApiError, ErrorCode, Result,
    api::{DelegationOut, Done, PurchasesOut, TestMoneyOut},
    delegation::Delegation,
    internal::{AccountOrder, Credit, Fold, Fund, OrderFound, OrderedWork, Posted, Transfer},
    order,
    quote::Quote,
};
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    account_store::{Head, SCHEMA, Store, purchase, transfer_row},
    book::{self, Entry, ID_BYTES, Kind, OutCredit},
};

/// Milliseconds before undelivered credits are tried again; doubled with each failure.
const RETRY_MS: u64 = 500;
const MAX_RETRY_MS: u64 = 30_000;

/// What the entry may see of an account.
#[derive(Debug, Serialize)]
pub(crate) struct Seen {
    pub(crate) balances: Balances,
}
satchel_json::read!(Seen { balances, .. });

/// The object.
#[durable_object(alarm)]
pub struct Account {
    state: State,
    env: Env,
    store: Store,
    /// Failed deliveries in a row: only paces retries, so memory is enough.
    failures: Cell<u32>,
}

impl DurableObject for Account {
    fn new(state: State, env: Env) -> Self {
        let store = Store(Tables::of(&state, SCHEMA));
        Self {
            state,
            env,
            store,
            failures: Cell::new(0),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        serve_object(request, |mut call| async move {
            let method = call.method().to_owned();
            let segments: Vec<String> = call.segments().into_iter().map(Into::into).collect();
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            match (method.as_str(), &segments[..]) {
                ("POST", ["order"]) => self.order(&call.json::<AccountOrder>().await?).await,
                ("GET", ["order", order]) => self.find(order),
                ("POST", ["delegations"]) => self.delegate(&call.json::<Delegation>().await?).await,
                ("GET", ["account", key]) => self.look(key),
                ("GET", ["purchases", key, after]) => self.purchases(key, after),
                ("POST", ["fund", account]) => {
                    self.fund(account, &call.json::<Fund>().await?).await
                }
                ("POST", ["fold", account]) => {
                    self.fold(account, &call.json::<Fold>().await?).await
                }
                _ => Err(Call::refuse(&call, &[])),
            }
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // An alarm that throws seven times is gone for good: every error is caught and re-armed.
        if let Err(error) = self.deliver().await {
            let failures = self.failures.get().saturating_add(1);
            self.failures.set(failures);
            let jitter = random::<1>().map_or(0, |[byte]| u64::from(byte));
            let wait = RETRY_MS
                .saturating_mul(1 << failures.min(6))
                .min(MAX_RETRY_MS);
            let told = format!("{}, again in {wait} ms", error.code.as_str());
            log("warn", "delivery", &told);
            let at = now_ms().saturating_add(wait).saturating_add(jitter);
            if let Err(error) = rearm(&self.state, at).await {
                // Throwing makes the runtime itself try again.
                return Err(worker::Error::from(error.code.as_str()));
            }
        } else {
            self.failures.set(0);
        }
        Response::empty()
    }
}

impl Account {
    async fn delegate(&self, delegation: &Delegation) -> Result<Response> {
        let key = delegation.key.key()?.jkt();
        let kept = delegation.kept();
        let (head, _) = self.store.head_or_new()?;
        kept.check(head.epoch, now_s())?;
        if self
            .store
            .delegation(&key)?
            .is_some_and(|old| old.issued > kept.issued)
        {
            // Or whoever still has an older, wider one could bring it back.
            return Err(ApiError::new(
                ErrorCode::DelegationExpired,
                "this key has a newer delegation",
            ));
        }
        let count = self.store.0.row(
            "SELECT count(*) FROM delegations WHERE expires > ? AND key <> ?",
            vec![Value::Int(now_s()), Value::from(key.as_str())],
        )?;
        if count.map_or(Ok(0), |row| row.int(0))? >= book::MAX_DELEGATIONS {
            return Err(
                ApiError::new(ErrorCode::TooMany, "this account has 64 keys already")
                    .retry_after(3_600),
            );
        }
        let body = satchel_json::to_string(&kept).map_err(internal)?;
        let writes = vec![
            // Ended ones are kept for a while: a retry of what they signed must still verify.
            Write::new(
                "DELETE FROM delegations WHERE expires <= ?",
                vec![Value::Int(now_s().saturating_sub(book::EPOCH_S))],
            ),
            Write::new(
                "INSERT OR REPLACE INTO delegations VALUES (?, ?, ?, ?)",
                vec![
                    Value::from(key.as_str()),
                    Value::from(delegation.key.x.as_str()),
                    Value::Int(kept.expires),
                    Value::Text(body),
                ],
            ),
        ];
        self.store.0.commit(&self.state, writes, None).await?;
        json(&DelegationOut {
            account: delegation.account.clone(),
            key: Thumbprint::parse(&key).map_err(internal)?,
            expires: kept.expires,
        })
    }

    fn look(&self, key: &str) -> Result<Response> {
        self.store.allowed(key, |d| d.read)?;
        let balances = self
            .store
            .head()?
            .map_or_else(Balances::default, |head| head.balances);
        json(&Seen { balances })
    }

    fn purchases(&self, key: &str, after: &str) -> Result<Response> {
        self.store.allowed(key, |d| d.read)?;
        let after: u64 = after.parse().map_err(internal)?;
        let rows = self.store.0.rows(
            "SELECT seq, body FROM transfers WHERE kind = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            vec![
                Value::Int(Kind::Purchase as u64),
                Value::Int(after),
                Value::Int(book::PAGE),
            ],
        )?;
        let full = rows.len() as u64 == book::PAGE;
        let last = rows.last().map(|row| row.int(0)).transpose()?;
        let purchases = rows.iter().map(purchase).collect::<Result<Vec<_>>>()?;
        let next = last.filter(|_| full).map(|seq| seq.to_string());
        json(&PurchasesOut { purchases, next })
    }

    fn find(&self, order: &str) -> Result<Response> {
        let order = OrderId::parse(order).map_err(internal)?;
        let entry = self.store.entry(book::order_key(&order)?)?;
        json(&OrderFound {
            transfer: entry.map(|entry| entry.transfer),
        })
    }

    /// Verifies and decides an order, then writes it: no `await` between the facts and the write.
    async fn order(&self, ordered: &AccountOrder) -> Result<Response> {
        let settings = Settings::of(&self.env);
        let (issuer, now) = (settings.issuer()?, now_s());
        let unverified = order::read(&ordered.order)?;
        let signer = unverified.header.kid.clone().unwrap_or_default();
        let public = self.store.signer_key(&signer)?;
        let order = match public {
            Some(key) => unverified.verify(&Platform, &key).await?,
            // Nobody delegated this key: there is nothing to verify it with.
            None => return Err(ErrorCode::WrongKey.into()),
        };
        order.check_shape(&issuer, now)?;
        let agreement = order.agreement();
        let key = book::order_key(&order.order)?;
        let known = self.store.entry(key.clone())?;
        let owned = self.store.owned(&order)?;
        if known.is_none() {
            order.check_tag()?;
        }
        let (head, exists) = self.store.head_or_new()?;
        let delegation = self.store.delegation(&signer)?;
        let quote = Quote::verify(&order.quote, &settings.key("QUOTE_KEY")?, &issuer).ok();
        let quoted = quote.as_ref().map(Quote::quoted);
        let facts = Facts {
            known: known.as_ref().map(|entry| &entry.transfer.agreement),
            delegation: delegation.as_ref(),
            epoch: head.epoch,
            owned: owned.is_some(),
            work: ordered.work.as_ref().map(|work| &work.offer),
            quote: quoted.as_ref(),
            order_expires: order.exp,
            ledger: self.ledger_id()?,
            balances: head.balances,
            fee_bps: settings.number("FEE_BPS")?,
            now_s: now,
        };
        match ledger::decide(&agreement, &facts)? {
            Decision::Replay => {
                let entry = known.ok_or_else(|| internal("a replay without a transfer"))?;
                let owned = entry.credit.is_none();
                json(&Posted {
                    transfer: entry.transfer,
                    replayed: true,
                    owned,
                })
            }
            Decision::Reissue => {
                let first = owned.ok_or_else(|| internal("owned without a transfer"))?;
                let transfer = Transfer {
                    agreement: ledger::Agreement {
                        // What was really paid and for which version stays what it was.
                        version: first.transfer.agreement.version,
                        terms_digest: first.transfer.agreement.terms_digest.clone(),
                        usd_micros: first.transfer.agreement.usd_micros,
                        msat: first.transfer.agreement.msat,
                        ..agreement
                    },
                    time: now,
                    ..first.transfer
                };
                let entry = Entry {
                    transfer,
                    credit: None,
                };
                let row = transfer_row(key, Kind::Reissue, head.next(), 0, now, &entry)?;
                self.store
                    .0
                    .commit(&self.state, vec![head.write(exists), row], None)
                    .await?;
                json(&Posted {
                    transfer: entry.transfer,
                    replayed: false,
                    owned: true,
                })
            }
            Decision::Post { balances, fee } => {
                let work = ordered.work.as_ref().ok_or(ErrorCode::UnknownWork)?;
                let quote = quote.ok_or(ErrorCode::QuoteInvalid)?;
                let sale = Sale {
                    agreement,
                    work,
                    quote: &quote,
                    fee,
                };
                let posted = self.post(key, head, exists, balances, sale).await?;
                json(&posted)
            }
        }
    }

    async fn post(
        &self,
        key: Vec<u8>,
        head: Head,
        exists: bool,
        balances: Balances,
        sale: Sale<'_>,
    ) -> Result<Posted> {
        let Sale {
            agreement,
            work,
            quote,
            fee,
        } = sale;
        if head.outbox.len() >= book::MAX_OUTBOX.saturating_mul(ID_BYTES) {
            return Err(ApiError::new(
                ErrorCode::Unavailable,
                "too many sales under way",
            ));
        }
        let settings = Settings::of(&self.env);
        let handle_key: Key32 = settings.key("HANDLE_KEY")?;
        let slots = settings
            .optional("INBOX_SLOTS")
            .and_then(|n| n.parse().ok())
            .unwrap_or(1);
        let now = now_s();
        let transfer = Transfer {
            handle: book::purchase_handle(&handle_key, &agreement.account, &agreement.order)?,
            time: now,
            manifest_digest: work
                .manifest_digest
                .clone()
                .ok_or(ErrorCode::QuoteInvalid)?,
            usage: work.usage,
            rate: quote.rate.clone(),
            title: work.title.clone(),
            agreement,
        };
        let credit = Credit {
            payee: work.offer.payee.clone(),
            order: transfer.agreement.order.clone(),
            gross: transfer.agreement.msat,
            fee,
            time: now,
        };
        let inbox = book::inbox_name(&credit.payee, now, &credit.order, slots);
        let entry = Entry {
            transfer,
            credit: Some(OutCredit { inbox, credit }),
        };
        let mut outbox = head.outbox.clone();
        outbox.extend_from_slice(key.get(1..).unwrap_or_default());
        let msat = entry.transfer.agreement.msat.get();
        let row = transfer_row(key, Kind::Purchase, head.next(), msat, now, &entry)?;
        let head = Head {
            balances,
            outbox,
            ..head
        };
        self.store
            .0
            .commit(&self.state, vec![head.write(exists), row], Some(now_ms()))
            .await?;
        Ok(Posted {
            transfer: entry.transfer,
            replayed: false,
            owned: false,
        })
    }

    fn ledger_id(&self) -> Result<LedgerId> {
        match Settings::of(&self.env).var("LEDGER_ID")?.as_str() {
            "live" => Ok(LedgerId::Live),
            "test" => Ok(LedgerId::Test),
            _ => Err(internal("LEDGER_ID is neither live nor test")),
        }
    }

    async fn fund(&self, account: &str, fund: &Fund) -> Result<Response> {
        self.store.allowed(fund.key.as_str(), |d| d.spend)?;
        let key = book::other_key(Kind::Fund, &fund.id);
        if let Some(row) = self.store.row_of(&key)? {
            if row.int(0)? != fund.msat.get() {
                return Err(ApiError::new(
                    ErrorCode::OrderConflict,
                    "msat is not as before",
                ));
            }
            let balance = self.store.head_or_new()?.0.balances.available()?;
            return json(&TestMoneyOut {
                balance_msat: balance,
                replayed: true,
            });
        }
        let balance_msat = self
            .credit(account, Kind::Fund, key, fund.msat, "{}".into())
            .await?;
        json(&TestMoneyOut {
            balance_msat,
            replayed: false,
        })
    }

    async fn fold(&self, account: &str, fold: &Fold) -> Result<Response> {
        let key = book::other_key(Kind::Fold, &fold.id);
        if self.store.row_of(&key)?.is_none() {
            let body = satchel_json::to_string(fold).map_err(internal)?;
            self.credit(account, Kind::Fold, key, fold.msat, body)
                .await?;
        }
        json(&Done { done: true })
    }

    /// Credits once; the account is in the directory before its first credit, so that an audit
    /// finds every balance there is.
    async fn credit(
        &self,
        account: &str,
        kind: Kind,
        key: Vec<u8>,
        msat: Msat,
        body: String,
    ) -> Result<Msat> {
        if !self.store.head_or_new()?.0.registered {
            let directory = object(&self.env, "DIRECTORY", &crate::directory_do::shard(account))?;
            directory.post::<_, Done>("/register", &account).await?;
        }
        // Read again: the object served others while it waited.
        let (head, exists) = self.store.head_or_new()?;
        if self.store.row_of(&key)?.is_some() {
            return Ok(head.balances.available()?);
        }
        let balances = head.balances.credit(msat)?;
        let row = Write::new(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                Value::Blob(key),
                Value::Int(kind as u64),
                Value::Int(head.next()),
                Value::Int(msat.get()),
                Value::Int(now_s()),
                Value::Text(body),
            ],
        );
        let head = Head {
            balances,
            registered: true,
            ..head
        };
        self.store
            .0
            .commit(&self.state, vec![head.write(exists), row], None)
            .await?;
        Ok(balances.available()?)
    }

    /// Delivers what the outbox lists, inbox by inbox; whatever the inbox acknowledged is struck off.
    async fn deliver(&self) -> Result<()> {
        let Some(head) = self.store.head()? else {
            return Ok(());
        };
        let mut inboxes: Vec<(String, Vec<Credit>, Vec<u8>)> = Vec::new();
        for id in head.outbox.chunks_exact(ID_BYTES) {
            let key = [&[1][..], id].concat();
            let entry = self
                .store
                .entry(key)?
                .ok_or_else(|| internal("an outbox id has no row"))?;
            let Some(OutCredit { inbox, credit }) = entry.credit else {
                continue;
            };
            match inboxes.iter_mut().find(|(name, ..)| *name == inbox) {
                Some((_, credits, ids)) => {
                    credits.push(credit);
                    ids.extend_from_slice(id);
                }
                None => inboxes.push((inbox, vec![credit], id.to_vec())),
            }
        }
        for (inbox, credits, ids) in inboxes {
            let ids = ids.chunks(book::BATCH.saturating_mul(ID_BYTES));
            for (credits, ids) in credits.chunks(book::BATCH).zip(ids) {
                object(&self.env, "INBOX", &inbox)?
                    .post::<_, Done>("/credits", &credits)
                    .await?;
                self.strike_off(ids).await?;
            }
        }
        // New sales may have come in while this ran.
        if self
            .store
            .head()?
            .is_some_and(|head| !head.outbox.is_empty())
        {
            rearm(&self.state, now_ms()).await?;
        }
        Ok(())
    }

    async fn strike_off(&self, delivered: &[u8]) -> Result<()> {
        let Some(head) = self.store.head()? else {
            return Ok(());
        };
        let left = head
            .outbox
            .chunks_exact(ID_BYTES)
            .filter(|id| !delivered.chunks_exact(ID_BYTES).any(|done| done == *id))
            .collect::<Vec<_>>()
            .concat();
        self.store
            .0
            .commit(
                &self.state,
                vec![
                    Head {
                        outbox: left,
                        ..head
                    }
                    .write(true),
                ],
                None,
            )
            .await
    }
}

/// A sale about to be written.
struct Sale<'a> {
    agreement: ledger::Agreement,
    work: &'a OrderedWork,
    quote: &'a Quote,
    fee: Msat,
}

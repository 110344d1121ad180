//! The object `Shop`, one per creator: lets [`crate::shop`] and [`crate::hooks`] decide within one
//! transaction each, sends what webhooks are to be told, and wakes who waits for events.

use std::{cell::RefCell, rc::Rc};

use satchel_edge::{
    Bell, Call, Letter, Store, alarmed, internal, json_bytes, log, now_ms, object_fetched, random,
    send_all,
};
use satchel_json::FromJson;
use satchel_wire::{ApiError, ErrorCode, Result, api::Done, shopfront::ShelfIn};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, Response, State,
    js_sys::Promise,
    worker_sys::{DurableObjectState, web_sys::Request},
};

use crate::{
    hooks::{self, Outcome, TIMEOUT_MS},
    shop,
    shop_rows::{SHOP, Tables},
};

/// How long somebody waits for events, milliseconds.
const WAIT_MS: u32 = 25_000;
/// How many may wait; others are answered at once.
const WAITING: u32 = 32;
/// Letters are sent in so many rounds before others get their turn.
const ROUNDS: u32 = 20;
/// Until a failed alarm is tried again, milliseconds.
const RETRY_MS: u64 = 30_000;

type Job = Rc<dyn Fn(&dyn Tables) -> Result<Vec<u8>>>;

/// The object.
#[wasm_bindgen]
pub struct Shop(Rc<Here>);

struct Here {
    store: Store,
    bell: Bell,
}

#[wasm_bindgen]
impl Shop {
    /// Of its state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, _env: Env) -> Self {
        Self(Rc::new(Here {
            store: Store::of(State::from(state), &SHOP),
            bell: Bell::default(),
        }))
    }

    /// Answers the upload worker.
    pub fn fetch(&self, request: &Request) -> Promise {
        let here = Rc::clone(&self.0);
        object_fetched(request, |mut call: Call| async move {
            let path: Vec<String> = call.segments().into_iter().map(Into::into).collect();
            let body = call.body_from_ourselves().await?;
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let answer = here.serve(&path, &body).await?;
            Ok(json_bytes(200, answer))
        })
    }

    /// Tells webhooks what is due.
    pub fn alarm(&self) -> Promise {
        let here = Rc::clone(&self.0);
        alarmed(async move {
            here.store.awoke();
            if let Err(error) = here.deliver().await {
                log("error", "alarm", &error.code.as_str());
                // Only if this fails too does it throw, which makes the runtime try again.
                let at = now_ms().saturating_add(RETRY_MS);
                let armed = here.transact(move |tables| {
                    tables.wake(at);
                    Ok(Vec::new())
                });
                armed
                    .await
                    .map_err(|error| worker::Error::from(error.code.as_str()))?;
            }
            Response::empty()
        })
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    satchel_json::to_vec(value).map_err(internal)
}

fn decode<T: FromJson>(body: &[u8]) -> Result<T> {
    satchel_json::from_slice(body).map_err(internal)
}

fn done() -> Result<Vec<u8>> {
    encode(&Done { done: true })
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(internal)
}

/// `-` where there is no cursor.
fn cursor(text: &str) -> Option<u64> {
    text.parse().ok()
}

impl Here {
    async fn serve(&self, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        let now_s = now_ms() / 1_000;
        match path {
            ["sales", "feed"] | ["told" | "views"] => self.take(path, body).await,
            ["works", creator, after] => encode(&shop::page(&self.store, creator, cursor(after))?),
            ["sales", after, work] => encode(&shop::sales(&self.store, cursor(after), work)?),
            ["stats", work, days] => {
                let days = u32::try_from(number(days)?).unwrap_or(u32::MAX);
                encode(&shop::stats(&self.store, work, days, now_s)?)
            }
            ["events", after] => self.events(cursor(after)).await,
            ["work", work] => {
                let (work, asked): (String, ShelfIn) = ((*work).to_owned(), decode(body)?);
                let hide = move |tables: &dyn Tables| {
                    shop::hide(tables, &work, asked.hidden)?;
                    done()
                };
                self.transact(hide).await
            }
            ["hooks", rest @ ..] => self.hooks(rest, body).await,
            _ => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Takes in what has happened, and tells those who wait.
    async fn take(&self, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        let now = now_ms();
        let now_s = now / 1_000;
        match path {
            ["sales", "feed"] => {
                let feed = decode(body)?;
                let take = move |tables: &dyn Tables| {
                    if shop::feed(tables, &feed, now_s)? {
                        hooks::stir(tables, now)?;
                    }
                    done()
                };
                self.transact(take).await?;
            }
            ["told"] => {
                let told = decode(body)?;
                let take = move |tables: &dyn Tables| {
                    if shop::told(tables, &told, now_s)? {
                        hooks::stir(tables, now)?;
                    }
                    done()
                };
                self.transact(take).await?;
            }
            _ => {
                let views = decode(body)?;
                let take = move |tables: &dyn Tables| {
                    shop::views(tables, &views, now_s)?;
                    done()
                };
                // Nobody waits for views.
                return self.transact(take).await;
            }
        }
        self.bell.ring();
        done()
    }

    async fn events(&self, after: Option<u64>) -> Result<Vec<u8>> {
        let found = shop::events(&self.store, after)?;
        let waits = after.is_some() && found.events.is_empty() && self.bell.waiting() < WAITING;
        if !waits {
            return encode(&found);
        }
        self.bell.wait(WAIT_MS).await;
        encode(&shop::events(&self.store, after)?)
    }

    async fn hooks(&self, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        let now = now_ms();
        let random: [u8; 40] = random()?;
        let text = |text: &str| text.to_owned();
        match *path {
            [] => encode(&hooks::hooks(&self.store)?),
            ["make", creator] => {
                let (creator, asked) = (text(creator), decode(body)?);
                let make = move |tables: &dyn Tables| {
                    encode(&hooks::create(
                        tables,
                        &creator,
                        &asked,
                        &random,
                        now / 1_000,
                    )?)
                };
                self.transact(make).await
            }
            [id, "deliveries"] => encode(&hooks::deliveries(&self.store, id)?),
            [id, "resend", seq] => {
                let (id, seq) = (text(id), number(seq)?);
                let resend =
                    move |tables: &dyn Tables| encode(&hooks::resend(tables, &id, seq, now)?);
                self.transact(resend).await
            }
            [id, what] => {
                let (id, what) = (text(id), text(what));
                let change = move |tables: &dyn Tables| match what.as_str() {
                    "delete" => hooks::remove(tables, &id).and_then(|()| done()),
                    "rotate" => encode(&hooks::rotate(tables, &id, &random, now / 1_000)?),
                    "enable" => encode(&hooks::enable(tables, &id, now)?),
                    "test" => encode(&hooks::test(tables, &id, now)?),
                    _ => Err(ErrorCode::NotFound.into()),
                };
                self.transact(change).await
            }
            _ => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Sends what is due, round after round.
    async fn deliver(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            let letters = self.due().await?;
            if letters.is_empty() {
                return Ok(());
            }
            let outside: Vec<Letter<'_>> = letters
                .iter()
                .map(|letter| (&*letter.url, &*letter.headers, &*letter.body))
                .collect();
            let limit_ms = u32::try_from(TIMEOUT_MS).unwrap_or(u32::MAX);
            let sent = send_all(&outside, limit_ms).await?;
            let outcomes = letters.iter().zip(sent).map(|(letter, sent)| Outcome {
                hook: letter.hook.clone(),
                seq: letter.seq,
                status: sent.status,
                ms: sent.ms,
                error: sent.error,
            });
            let (outcomes, now): (Vec<Outcome>, u64) = (outcomes.collect(), now_ms());
            let settle = move |tables: &dyn Tables| {
                for outcome in &outcomes {
                    hooks::settle(tables, outcome, now)?;
                }
                done()
            };
            self.transact(settle).await?;
        }
        // What is left has woken us already.
        Ok(())
    }

    async fn due(&self) -> Result<Vec<hooks::Letter>> {
        let now = now_ms();
        let slot: Rc<RefCell<Vec<hooks::Letter>>> = Rc::default();
        let filled = Rc::clone(&slot);
        let find = move |tables: &dyn Tables| {
            *filled.borrow_mut() = hooks::due(tables, now)?;
            Ok(Vec::new())
        };
        self.transact(find).await?;
        Ok(slot.take())
    }

    /// Runs a job in one storage transaction. It may run again if one beside it fails.
    async fn transact(
        &self,
        job: impl Fn(&dyn Tables) -> Result<Vec<u8>> + 'static,
    ) -> Result<Vec<u8>> {
        self.transact_it(Rc::new(job)).await
    }

    async fn transact_it(&self, job: Job) -> Result<Vec<u8>> {
        let slot: Rc<RefCell<Vec<u8>>> = Rc::default();
        let filled = Rc::clone(&slot);
        let committed = self.store.commit(Rc::new(move |store| {
            *filled.borrow_mut() = job(store)?;
            Ok(())
        }));
        committed.await.map_err(|error: ApiError| error)?;
        Ok(slot.take())
    }
}

//! The world of the ledger's objects on Cloudflare's runtime.

use std::cell::OnceCell;

use satchel_domain::ledger::LedgerId;
use satchel_edge::{
    Platform, Schema, Settings, Store, internal, log, now_ms, object, random, service,
};
use satchel_wire::{Result, api::Done};
use worker::{Env, Response, State};

use crate::{
    host::{Config, Host, Job, Place, Waiting, encode},
    rows::{BOOK, HEAD, HELD, KEYS},
};

/// Tables of which an object reads the same few rows all the time.
const KEPT: &[&str] = &[HEAD.name, KEYS.name, HELD.name, BOOK.name];

/// What an object has of the runtime.
pub(crate) struct World {
    env: Env,
    pub(crate) store: Store,
    config: OnceCell<Config>,
}

impl World {
    pub(crate) fn of(state: State, env: Env, schema: &'static Schema) -> Self {
        Self {
            env,
            store: Store::keeping(state, schema, KEPT),
            config: OnceCell::new(),
        }
    }
}

/// Which money the deployment is for.
pub(crate) fn ledger_id(settings: Settings<'_>) -> Result<LedgerId> {
    match settings.var("LEDGER_ID")?.as_str() {
        "live" => Ok(LedgerId::Live),
        "test" => Ok(LedgerId::Test),
        _ => Err(internal("LEDGER_ID is neither live nor test")),
    }
}

/// Ends an alarm. Only if its own re-arming failed does it throw, which makes the runtime try again.
pub(crate) fn ended(done: Result<()>) -> worker::Result<Response> {
    match done {
        Ok(()) => Response::empty(),
        Err(error) => {
            log("error", "alarm", &error.code.as_str());
            Err(worker::Error::from(error.code.as_str()))
        }
    }
}

impl Host for World {
    type Tables = Store;
    type Verifier = Platform;

    fn tables(&self) -> &Store {
        &self.store
    }

    fn verifier(&self) -> &Platform {
        &Platform
    }

    fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let settings = Settings::of(&self.env);
        let config = Config {
            issuer: settings.issuer()?,
            ledger: ledger_id(settings)?,
            fee_bps: settings.number("FEE_BPS")?,
            quote_key: settings.key("QUOTE_KEY")?,
            handle_key: settings.key("HANDLE_KEY")?,
        };
        Ok(self.config.get_or_init(|| config))
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn dice(&self) -> u8 {
        random::<1>().map_or(0, |[byte]| byte)
    }

    fn commit(&self, job: Job<Store>) -> Waiting<'_, ()> {
        Box::pin(self.store.commit(job))
    }

    fn ask_json<'a>(
        &'a self,
        place: Place<'a>,
        path: &'a str,
        body: Vec<u8>,
    ) -> Waiting<'a, Vec<u8>> {
        Box::pin(async move {
            let (binding, name) = place.address();
            if let Place::Shop(creator) = place {
                // Without that worker there are no shops to be told anything.
                let Ok(shops) = service(&self.env, binding) else {
                    return encode(&Done { done: true });
                };
                let path = format!("/internal/shops/{creator}{path}");
                return shops.post_bytes(&path, &body).await;
            }
            object(&self.env, binding, name)?
                .post_bytes(path, &body)
                .await
        })
    }
}

//! `Issuer`: what the operator sets for the whole deployment. Read through caches, never per purchase.

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, State,
    js_sys::Promise,
    worker_sys::{DurableObjectState, web_sys::Request},
};

use satchel_edge::{Value, internal, object_asked};
use satchel_wire::{ErrorCode, api::Done, internal::RateRecord};

use crate::{
    host::{Host as _, decode, encode},
    rows::{ISSUER, ONE, SET, Taken},
    world_do::World,
};

/// The object.
#[wasm_bindgen]
pub struct Issuer(Rc<Here>);

struct Here {
    world: World,
}

#[wasm_bindgen]
impl Issuer {
    /// Of its state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Rc::new(Here {
            world: World::of(State::from(state), env, &ISSUER),
        }))
    }

    /// Answers a request.
    pub fn fetch(&self, request: &Request) -> Promise {
        let here = Rc::clone(&self.0);
        object_asked(request, |path, body| async move {
            match path.first().map(String::as_str) {
                Some("rate") if body.is_empty() => match here.world.tables().get(&SET, ONE)? {
                    None => encode(&RateRecord { rate: None }),
                    Some(row) => Ok(Taken::of(row).text()?.into_bytes()),
                },
                Some("rate") => {
                    // Read, so that nothing else is ever stored.
                    let record: RateRecord = decode(&body)?;
                    let text = satchel_json::to_string(&record).map_err(internal)?;
                    let set = move |tables: &satchel_edge::Store| {
                        tables.put(&SET, ONE, vec![Value::Text(text.clone())])
                    };
                    here.world.transact(set).await?;
                    encode(&Done { done: true })
                }
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
    }
}

//! `Account` on the runtime (account.rs).

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, State,
    js_sys::Promise,
    worker_sys::{DurableObjectState, web_sys::Request},
};

use satchel_edge::{alarmed, object_asked};

use crate::{
    account,
    rows::ACCOUNT,
    world_do::{World, ended},
};

/// The object.
#[wasm_bindgen]
pub struct Account(Rc<Here>);

struct Here {
    world: World,
    account: account::Account,
}

#[wasm_bindgen]
impl Account {
    /// Of its state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Rc::new(Here {
            world: World::of(State::from(state), env, &ACCOUNT),
            account: account::Account::default(),
        }))
    }

    /// Answers a request.
    pub fn fetch(&self, request: &Request) -> Promise {
        let here = Rc::clone(&self.0);
        object_asked(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            here.account.serve(&here.world, &path, &body).await
        })
    }

    /// Does what is due.
    pub fn alarm(&self) -> Promise {
        let here = Rc::clone(&self.0);
        alarmed(async move {
            here.world.store.awoke();
            ended(here.account.alarm(&here.world).await)
        })
    }
}

//! `Inbox` on the runtime (inbox.rs).

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, State,
    js_sys::Promise,
    worker_sys::{DurableObjectState, web_sys::Request},
};

use satchel_edge::{alarmed, object_asked};

use crate::{
    inbox,
    rows::INBOX,
    world_do::{World, ended},
};

/// The object.
#[wasm_bindgen]
pub struct Inbox(Rc<Here>);

struct Here {
    world: World,
    inbox: inbox::Inbox,
}

#[wasm_bindgen]
impl Inbox {
    /// Of its state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Rc::new(Here {
            world: World::of(State::from(state), env, &INBOX),
            inbox: inbox::Inbox::default(),
        }))
    }

    /// Answers a request.
    pub fn fetch(&self, request: &Request) -> Promise {
        let here = Rc::clone(&self.0);
        object_asked(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            here.inbox.serve(&here.world, &path, &body).await
        })
    }

    /// Does what is due.
    pub fn alarm(&self) -> Promise {
        let here = Rc::clone(&self.0);
        alarmed(async move {
            here.world.store.awoke();
            ended(here.inbox.alarm(&here.world).await)
        })
    }
}

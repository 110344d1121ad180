//! `Directory` on the runtime (directory.rs).

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, State,
    js_sys::Promise,
    worker_sys::{DurableObjectState, web_sys::Request},
};

use satchel_edge::object_asked;

use crate::{directory, rows::DIRECTORY, world_do::World};

/// The object.
#[wasm_bindgen]
pub struct Directory(Rc<Here>);

struct Here {
    world: World,
}

#[wasm_bindgen]
impl Directory {
    /// Of its state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Rc::new(Here {
            world: World::of(State::from(state), env, &DIRECTORY),
        }))
    }

    /// Answers a request.
    pub fn fetch(&self, request: &Request) -> Promise {
        let here = Rc::clone(&self.0);
        object_asked(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            directory::serve(&here.world, &path, &body).await
        })
    }
}

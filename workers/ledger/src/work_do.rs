//! `Work` on the runtime (work.rs).

use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    rows::WORK,
    work,
    world_do::{World, answer},
};

/// The object.
#[durable_object(fetch)]
pub struct Work {
    world: World,
    work: Rc<work::Work>,
}

impl DurableObject for Work {
    fn new(state: State, env: Env) -> Self {
        Self {
            world: World::of(state, env, &WORK),
            work: Rc::default(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        answer(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            work::Work::serve(&self.work, &self.world, &path, &body).await
        })
        .await
    }
}

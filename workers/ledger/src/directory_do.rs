//! `Directory` on the runtime (directory.rs).

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    directory,
    rows::DIRECTORY,
    world_do::{World, answer},
};

/// The object.
#[durable_object(fetch)]
pub struct Directory {
    world: World,
}

impl DurableObject for Directory {
    fn new(state: State, env: Env) -> Self {
        Self {
            world: World::of(state, env, &DIRECTORY),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        answer(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            directory::serve(&self.world, &path, &body).await
        })
        .await
    }
}

//! `Inbox` on the runtime (inbox.rs).

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    inbox,
    rows::INBOX,
    world_do::{World, answer, ended},
};

/// The object.
#[durable_object(alarm)]
pub struct Inbox {
    world: World,
    inbox: inbox::Inbox,
}

impl DurableObject for Inbox {
    fn new(state: State, env: Env) -> Self {
        Self {
            world: World::of(state, env, &INBOX),
            inbox: inbox::Inbox::default(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        answer(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.inbox.serve(&self.world, &path, &body).await
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.world.store.awoke();
        ended(self.inbox.alarm(&self.world).await)
    }
}

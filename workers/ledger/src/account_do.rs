//! `Account` on the runtime (account.rs).

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    account,
    rows::ACCOUNT,
    world_do::{World, answer, ended},
};

/// The object.
#[durable_object(alarm)]
pub struct Account {
    world: World,
    account: account::Account,
}

impl DurableObject for Account {
    fn new(state: State, env: Env) -> Self {
        Self {
            world: World::of(state, env, &ACCOUNT),
            account: account::Account::default(),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        answer(request, |path, body| async move {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.account.serve(&self.world, &path, &body).await
        })
        .await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.world.store.awoke();
        ended(self.account.alarm(&self.world).await)
    }
}

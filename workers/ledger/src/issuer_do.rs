//! `Issuer`: what the operator sets for the whole deployment. Read through caches, never per purchase.

use satchel_edge::{Value, internal};
use satchel_wire::{ErrorCode, api::Done, internal::RateRecord};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::{
    host::{Host as _, decode, encode},
    rows::{ISSUER, ONE, SET, Taken},
    world_do::{World, answer},
};

/// The object.
#[durable_object(fetch)]
pub struct Issuer {
    world: World,
}

impl DurableObject for Issuer {
    fn new(state: State, env: Env) -> Self {
        Self {
            world: World::of(state, env, &ISSUER),
        }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        answer(request, |path, body| async move {
            match path.first().map(String::as_str) {
                Some("rate") if body.is_empty() => match self.world.tables().get(&SET, ONE)? {
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
                    self.world.transact(set).await?;
                    encode(&Done { done: true })
                }
                _ => Err(ErrorCode::NotFound.into()),
            }
        })
        .await
    }
}

//! Serves packed files: exact Range, immutable caching.
//!
//! In scope: which bytes of which object, and the headers of RFC 9110. The bytes themselves go from
//! the bucket to the client as the runtime's own stream and never enter this program.
#![forbid(unsafe_code)]

mod answer;
mod file;
mod range;
mod respond;
mod serve;

use file::File;
use satchel_edge::{self as edge, Call, Env, Response};
use satchel_wire::{ErrorCode, Result};
use serve::{Found, Look, Store, Stored};
use worker::{Bucket, Conditional, Object, ObjectBody, Range, ResponseBody};

#[worker::event(fetch)]
async fn fetch(request: worker::Request, env: Env, _: worker::Context) -> worker::Result<Response> {
    edge::serve(request, |call| async move {
        match (call.method(), call.segments().as_slice()) {
            ("GET" | "HEAD", ["f", work, name]) => packed(&call, &env, work, name).await,
            (_, ["f", _, _]) => Err(call.refuse(&["GET", "HEAD"])),
            _ => Err(call.refuse(&[])),
        }
    })
    .await
}

async fn packed(call: &Call, env: &Env, work: &str, name: &str) -> Result<Response> {
    let file = File::parse(work, name).ok_or(ErrorCode::UnknownWork)?;
    let bucket = env.bucket("BUCKET").map(R2).map_err(edge::internal)?;
    let mut served = serve::serve(&bucket, &file, &respond::asked(call)).await?;
    let body = served.body.take().unwrap_or(ResponseBody::Empty);
    let response = Response::from_body(body).map_err(edge::internal)?;
    respond::complete(&file, &served, response)
}

struct R2(Bucket);

impl Store for R2 {
    type Body = ResponseBody;

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        let object = self.0.head(key).await.map_err(edge::internal)?;
        Ok(object.as_ref().map(stored))
    }

    async fn get(&self, key: &str, look: Look<'_>) -> Result<Option<Found<ResponseBody>>> {
        let mut get = self.0.get(key);
        if let Some((offset, length)) = look.part {
            get = get.range(Range::OffsetWithLength { offset, length });
        }
        if let Some(tag) = look.same {
            let etag_matches = Some(tag.to_owned());
            get = get.only_if(Conditional {
                etag_matches,
                ..Conditional::default()
            });
        }
        let Some(object) = get.execute().await.map_err(edge::internal)? else {
            return Ok(None);
        };
        let body = object.body().map(ObjectBody::response_body).transpose();
        let body = body.map_err(edge::internal)?;
        Ok(Some(Found::new(stored(&object), body)))
    }
}

fn stored(object: &Object) -> Stored {
    Stored::new(object.size(), object.etag())
}

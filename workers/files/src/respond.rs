//! Between HTTP and [`crate::answer`].

use satchel_edge::{self as edge, Call, Response};
use satchel_wire::{ErrorCode, Result};

use crate::{
    answer::{Answer, Asked},
    file::File,
    serve::Served,
};

/// The headers of a request that decide.
pub(crate) fn asked(call: &Call) -> Asked {
    Asked {
        head: call.method() == "HEAD",
        range: call.header("range"),
        if_range: call.header("if-range"),
        if_none_match: call.header("if-none-match"),
    }
}

/// Completes an answer that has its bytes.
pub(crate) fn complete<B>(file: &File, served: &Served<B>, response: Response) -> Result<Response> {
    let mut response = match served.answer {
        Answer::Unsatisfiable => edge::problem(&ErrorCode::RangeNotSatisfiable.into()),
        answer => response.with_status(answer.status()),
    };
    for (name, value) in served.answer.headers(file, &served.stored) {
        response
            .headers_mut()
            .set(name, &value)
            .map_err(edge::internal)?;
    }
    Ok(response)
}

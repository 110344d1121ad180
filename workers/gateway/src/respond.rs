//! What the gateway answers itself.

use satchel_edge::{self as edge, Call, PageKind, Response};
use satchel_wire::{ErrorCode, Result, api::Health};

use crate::routes::Destination;

/// Says that there is nothing here. It loads nothing: it must be right even when nothing else is.
const NOT_FOUND: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"robots\" content=\"noindex\">
<link rel=\"icon\" href=\"data:,\">
<title>Nothing here · Satchel</title>
</head>
<body>
<main>
<h1>There is nothing here</h1>
<p>No page has this address. If you followed a link, it may be mistyped or cut off.</p>
<p><a href=\"/\">To the start</a></p>
</main>
</body>
</html>
";

/// Answers from here, where no other worker and no file does.
pub(crate) fn own(call: &Call, destination: Destination) -> Result<Response> {
    match destination {
        Destination::Health => edge::json(&Health { ok: true }),
        Destination::Redirect(to) => Ok(edge::redirect(&to)),
        Destination::NotFound { api: false } => Ok(not_found()),
        Destination::WrongMethod => Err(call.refuse(&["GET", "HEAD"])),
        Destination::WrongHost => Err(ErrorCode::MisdirectedRequest.into()),
        Destination::NotFound { api: true } | Destination::Worker(_) | Destination::Asset(_) => {
            Err(call.refuse(&[]))
        }
    }
}

/// 404 for people.
pub(crate) fn not_found() -> Response {
    let mut headers = edge::page_headers(PageKind::Page);
    headers.push(("cache-control", "no-store"));
    edge::html(404, &headers, NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::NOT_FOUND;

    #[test]
    fn the_page_needs_no_script_and_no_style() {
        for part in ["<script", "<style", "style=", "src="] {
            assert!(!NOT_FOUND.contains(part), "{part}");
        }
    }
}

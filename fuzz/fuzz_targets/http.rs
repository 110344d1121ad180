//! What of a request is read by our own code: `Range`, names of files, paths.
//!
//! The workers themselves only run on their platform; these modules of theirs need nothing of it.
#![no_main]

#[path = "../../workers/files/src/file.rs"]
mod file;
#[path = "../../workers/gateway/src/routes.rs"]
mod gateway;
#[path = "../../workers/files/src/range.rs"]
mod range;
#[path = "../../workers/stream/src/route.rs"]
mod stream;
#[path = "../../workers/upload/src/route.rs"]
mod upload;

use gateway::{Destination, Origins};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use range::Selection;

const ISSUER: &str = "https://satchel.example";
const WALLET: &str = "https://wallet.satchel.example";

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    size: u64,
    post: bool,
    on_wallet: bool,
    text: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let Input { size, text, .. } = input;
    for header in [text, &format!("bytes={text}")] {
        if let Selection::Part(part) = range::select(header, size) {
            assert!(part.length() > 0);
            let end = part.offset().checked_add(part.length()).unwrap();
            assert!(end <= size);
            let said = format!("bytes {}-{}/{size}", part.offset(), end - 1);
            assert_eq!(part.content_range(size), said);
        }
    }

    let segments: Vec<&str> = text.split('/').collect();
    if let [work, name] = segments[..]
        && let Some(file) = file::File::parse(work, name)
    {
        // One file has one address.
        assert_eq!(file.key(), text);
        // Nothing of a name reaches a header but what was checked.
        let plain = |value: &str| value.bytes().all(|b| (b' '..=b'~').contains(&b));
        assert!(file.headers().iter().all(|(_, value)| plain(value)));
    }
    let method = if input.post { "POST" } else { "GET" };
    if stream::Route::of(method, &segments).is_ok() || upload::Route::of(method, &segments).is_ok()
    {
        assert!(text.is_ascii() && text.starts_with("v1/"));
    }
    let origins = Origins::new(ISSUER, WALLET).unwrap();
    let origin = if input.on_wallet { WALLET } else { ISSUER };
    leads_where_it_may(&origins, method, &format!("{origin}/{text}"));
    leads_where_it_may(&origins, method, text);
});

/// Nothing reaches the workers' doors for each other, and no answer names another host.
fn leads_where_it_may(origins: &Origins, method: &str, url: &str) {
    match gateway::route(origins, method, url) {
        Destination::Worker(_) => {
            let path = url
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('/'));
            assert!(!path.unwrap().1.starts_with("internal"));
        }
        Destination::Asset(path) => {
            assert!(path.starts_with('/') && path.split('/').all(|part| part != ".."));
        }
        Destination::Redirect(to) => {
            let home = |origin: &str| {
                to.strip_prefix(origin)
                    .is_some_and(|rest| rest.starts_with('/'))
            };
            assert!(to.starts_with('/') && !to.starts_with("//") || home(ISSUER) || home(WALLET));
        }
        _ => {}
    }
}

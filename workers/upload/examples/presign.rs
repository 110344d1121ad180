//! Signs what stands on its input, a JSON document a line, with the very code of the worker: so that
//! other programs can compare (`tests/presign.test.mjs`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "for tests only: what is wrong with its input is told by a panic"
)]

use std::io::{BufWriter, Write as _, stdin, stdout};

use satchel_upload_worker::sigv4::{Credentials, Request, Signer};
use serde_json::Value;

fn main() {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut signer = None;
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let of = |name: &str| line.get(name).unwrap();
        let pairs = |name: &str| -> Vec<(String, String)> {
            let members = of(name).as_object().unwrap();
            let pair = |(name, value): (&String, &Value)| (name.clone(), text(value));
            members.iter().map(pair).collect()
        };
        let (query, headers) = (pairs("query"), pairs("headers"));
        let borrowed = |pairs: &[(String, String)]| -> Vec<(&'static str, String)> {
            let name = |name: &str| &*name.to_owned().leak();
            pairs.iter().map(|(n, v)| (name(n), v.clone())).collect()
        };
        // One signer for all lines, as in the worker: its key of the day is made again when the day changes.
        let signer = signer.get_or_insert_with(|| {
            Signer::new(Credentials {
                access_key_id: text(of("access_key_id")),
                secret_access_key: text(of("secret_access_key")),
                region: text(of("region")),
                session_token: line.get("session_token").map(text),
            })
        });
        let (method, origin, path) = (text(of("method")), text(of("origin")), text(of("path")));
        let request = Request {
            method: &method,
            origin: &origin,
            path: &path,
            query: &borrowed(&query),
            headers: &borrowed(&headers),
        };
        let number = |name: &str| of(name).as_u64().unwrap();
        let (at, seconds) = (number("now"), number("life"));
        let names: Vec<&str> = query.iter().map(|(name, _)| &**name).collect();
        let url = match (&names[..], &headers[..]) {
            // As the worker signs parts.
            (["partNumber", "uploadId"], [(_, bytes)]) => {
                let [(_, part), (_, id)] = &query[..] else {
                    panic!("two parameters")
                };
                let parts = [(part.parse().unwrap(), bytes.parse().unwrap())];
                let urls = signer.presign_parts(&origin, &path, id, &parts, at, seconds);
                urls.unwrap().remove(0)
            }
            _ => signer.presign(&request, at, seconds).unwrap(),
        };
        writeln!(out, "{url}").unwrap();
    }
}

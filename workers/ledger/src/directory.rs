//! `Directory`: which accounts exist, in shards, since objects cannot be enumerated.

use satchel_crypto::sha256;
use satchel_edge::Value;
use satchel_wire::{ErrorCode, Result, api::Done, internal::DirectoryPage};

use crate::{
    host::{Host, Tables, decode, encode},
    rows::KNOWN,
};

/// How many shards; fixed for ever, since it decides where an account is listed.
pub const SHARDS: u8 = 64;
/// Accounts on a page.
const PAGE: u64 = 1_000;

/// The name of an account's shard.
#[must_use]
pub fn shard(account: &str) -> String {
    let [first, ..] = sha256(account.as_bytes());
    format!("{}", first.checked_rem(SHARDS).unwrap_or(0))
}

/// Answers an account, or an audit.
pub async fn serve<H: Host>(host: &H, path: &[&str], body: &[u8]) -> Result<Vec<u8>> {
    match path {
        ["register"] => {
            let account: String = decode(body)?;
            let now = host.now_s();
            host.transact(move |tables| {
                let known = tables.get(&KNOWN, account.as_bytes())?.is_some();
                let time = vec![Value::Int(now)];
                if known {
                    Ok(())
                } else {
                    tables.put(&KNOWN, account.as_bytes(), time)
                }
            })
            .await?;
            encode(&Done { done: true })
        }
        ["list", after @ ..] => {
            let after = after.first().copied().unwrap_or_default().as_bytes();
            let from = if after.is_empty() {
                Vec::new()
            } else {
                [after, &[0]].concat()
            };
            let rows = host.tables().scan(&KNOWN, &from, &[0xff], PAGE)?;
            let more = rows.len() as u64 == PAGE;
            let names = rows
                .into_iter()
                .map(|(name, _)| String::from_utf8_lossy(&name).into_owned());
            encode(&DirectoryPage {
                accounts: names.collect(),
                more,
            })
        }
        _ => Err(ErrorCode::NotFound.into()),
    }
}

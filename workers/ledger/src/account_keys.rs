//! Keys of an account: what those with a counted grant have spent, and what their holders may see.

use satchel_domain::{ledger::Spent, money::Msat};
use satchel_wire::{ErrorCode, Result};

use crate::{
    account::{delegation, in_force},
    book,
    host::{Host, Tables},
    rows::{Head, KEYS, Taken},
};

const DAY_S: u64 = 86_400;
/// Where a day's number stands in the name of its sum.
const DAYS: u64 = 0xff_ffff;
/// Marks a sum of one day: sums themselves stay below 2^53.
const OF_DAY: u64 = 1 << 63;

/// An entry of `Head::spent` is 16 bytes: a name, then a sum. That of all a key has spent is named by the
/// first 8 bytes of its thumbprint; that of a day by the next 5 and the day's number.
fn names(signer: &str, at_s: u64) -> Result<[(u64, u64); 2]> {
    let jkt = satchel_crypto::b64::decode(signer).unwrap_or_default();
    let bytes: [u8; 16] = jkt.first_chunk().copied().ok_or(ErrorCode::WrongKey)?;
    let (key, rest) = entry(&bytes);
    let day = at_s.checked_div(DAY_S).unwrap_or(0) & DAYS;
    Ok([(key, 0), (rest & !DAYS | day, OF_DAY)])
}

fn entry(bytes: &[u8]) -> (u64, u64) {
    let half = |at: Option<&[u8; 8]>| at.copied().map_or(0, u64::from_be_bytes);
    (half(bytes.first_chunk()), half(bytes.last_chunk()))
}

fn sum(head: &Head, name: u64, mark: u64) -> u64 {
    let mut entries = head.spent.chunks_exact(16).map(entry);
    let found = entries.find(|(known, sum)| *known == name && sum & OF_DAY == mark);
    found.map_or(0, |(_, sum)| sum & !OF_DAY)
}

/// What a key has spent, in all and on the day of a moment.
pub(crate) fn spent(head: &Head, signer: &str, at_s: u64) -> Result<Spent> {
    let [total, day] = names(signer, at_s)?;
    Ok(Spent {
        total: Msat::new(sum(head, total.0, total.1))?,
        day: Msat::new(sum(head, day.0, day.1))?,
    })
}

/// Changes both sums of a key. A day's sum takes the place of those of other days.
pub(crate) fn count(
    head: &mut Head,
    signer: &str,
    at_s: u64,
    change: &dyn Fn(u64) -> u64,
) -> Result<()> {
    for (name, mark) in names(signer, at_s)? {
        let before = sum(head, name, mark);
        let after = change(before);
        if before == after {
            // Also what is given up on a later day: that day has a sum of its own.
            continue;
        }
        let mut left = Vec::new();
        for bytes in head.spent.chunks_exact(16) {
            let (known, sum) = entry(bytes);
            let gone = known == name || mark == OF_DAY && (known ^ name) & DAYS != 0;
            if sum & OF_DAY != mark || !gone {
                left.extend_from_slice(bytes);
            }
        }
        if after > 0 {
            left.extend_from_slice(&name.to_be_bytes());
            left.extend_from_slice(&(after | mark).to_be_bytes());
        }
        head.spent = left;
    }
    Ok(())
}

/// Keys of an account, as one that is in force may see them: all, if it may read; else itself. What it allows is
/// told as it is kept.
pub(crate) fn list<H: Host>(host: &H, key: &str) -> Result<Vec<u8>> {
    let (tables, now) = (host.tables(), host.now_s());
    let head = Head::load(tables)?;
    let own = delegation(tables, key)?.ok_or(ErrorCode::WrongKey)?;
    in_force(&own, &head, now)?;
    let mut keys = Vec::new();
    for (jkt, columns) in tables.scan(&KEYS, &[], &[0xff], book::MAX_DELEGATIONS * 4)? {
        let jkt = String::from_utf8_lossy(&jkt);
        let mut row = Taken::of(columns);
        let (x, expires, allows) = (row.text()?, row.int()?, row.text()?);
        if expires > now && (own.read || jkt == key) {
            let Spent { total, day } = spent(&head, &jkt, now)?;
            let (total, day) = (total.get(), day.get());
            keys.push(format!(
                r#"{{"allows":{allows},"spent":{{"day":{day},"total":{total}}},"x":"{x}"}}"#
            ));
        }
    }
    let keys = keys.join(",");
    Ok(format!(r#"{{"keys":[{keys}]}}"#).into_bytes())
}

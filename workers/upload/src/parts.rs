//! Which parts of an upload have arrived: the storage's own list, or what its client has told where
//! the storage gives none.
//!
//! Clients that list parts in S3's XML (Uppy does, to go on after a reload) get that from us too: not
//! every storage has `ListParts`, and none gives more than 1,000 at once.

use std::collections::BTreeMap;

use satchel_crypto::b64;
use satchel_domain::id::UploadId;
use satchel_wire::{ApiError, ErrorCode, Result, api::SentPart};

use crate::{
    s3::{LIFE_S, Step},
    uploads::{Upload, is_etag},
    world::World,
};

/// Pages of the storage's list, of 1,000 parts each.
const MAX_PAGES: usize = 11;

/// The parts of a multipart upload that have arrived.
pub(crate) async fn sent(
    world: &impl World,
    id: &UploadId,
    upload: &Upload,
    upload_id: &str,
) -> Result<Vec<SentPart>> {
    match stored(world, upload, upload_id).await {
        Some(parts) => Ok(parts),
        None => world.sent(id, upload_id).await,
    }
}

/// What the storage says; `None` where it doesn't.
async fn stored(world: &impl World, upload: &Upload, upload_id: &str) -> Option<Vec<SentPart>> {
    let storage = world.storage().ok()?;
    let mut parts = BTreeMap::new();
    let mut after = 0;
    for _ in 0..MAX_PAGES {
        let step = Step::List { upload_id, after };
        let signed = storage
            .presign(&step, &upload.key(), world.now_s(), Some(60))
            .ok()?;
        let (status, body) = world.outside("GET", &signed.url).await.ok()?;
        let page = Page::read(std::str::from_utf8(&body).ok().filter(|_| status == 200)?)?;
        for (number, etag, bytes) in page.parts {
            // One of another length could never be completed: it must be sent again.
            if upload.part_bytes(number) == Some(bytes) {
                parts.insert(number, etag);
            }
        }
        match page.next {
            Some(next) if next > after => after = next,
            _ => break,
        }
    }
    let part = |(part_number, etag)| SentPart { part_number, etag };
    Some(parts.into_iter().map(part).collect())
}

/// A page of S3's list.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    /// Number, `ETag`, bytes.
    parts: Vec<(u32, String, u64)>,
    /// There are more after this number.
    next: Option<u32>,
}

impl Page {
    /// Reads the few elements that matter; anything that is not such a list is none.
    fn read(xml: &str) -> Option<Self> {
        let list = inner(xml, "ListPartsResult")?;
        let mut parts = Vec::new();
        let mut rest = list;
        while let Some((_, after)) = rest.split_once("<Part>") {
            let (part, later) = after.split_once("</Part>")?;
            let etag = inner(part, "ETag")?;
            let etag = etag.replace("&quot;", "\"").replace("&#34;", "\"");
            let etag = etag.trim_matches('"');
            if !is_etag(etag) {
                return None;
            }
            let number = inner(part, "PartNumber")?.parse().ok()?;
            parts.push((number, etag.to_owned(), inner(part, "Size")?.parse().ok()?));
            rest = later;
        }
        let more = inner(list, "IsTruncated") == Some("true");
        let next = inner(list, "NextPartNumberMarker").and_then(|next| next.parse().ok());
        Some(Self {
            parts,
            next: next.filter(|_| more),
        })
    }
}

/// What stands between the first `<name …>` and the `</name>` after it.
fn inner<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let begin = xml.find(&format!("<{name}"))?;
    let (_, rest) = xml.get(begin..)?.split_once('>')?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim())
}

/// Where [`list`] answers for some minutes to whoever knows the address, as a storage would.
pub(crate) fn list_url(world: &impl World, id: &UploadId, upload_id: &str) -> Result<String> {
    let of = b64::encode(upload_id.as_bytes());
    let expires = world.now_s().saturating_add(LIFE_S);
    let tag = world
        .storage()?
        .key_for(PURPOSE)
        .tag(signed_text(id, &of, expires).as_bytes());
    let (issuer, tag) = (world.issuer(), b64::encode(&tag));
    Ok(format!(
        "{issuer}/v1/uploads/{id}/parts?of={of}&expires={expires}&signature={tag}"
    ))
}

const PURPOSE: &str = "satchel/v1 list of parts";

fn signed_text(id: &UploadId, of: &str, expires: u64) -> String {
    format!("{id}\n{of}\n{expires}")
}

/// `GET /v1/uploads/{upload}/parts`, with the query of [`list_url`].
pub(crate) async fn list(
    world: &impl World,
    id: &UploadId,
    query: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    let refused = || ApiError::new(ErrorCode::ProofInvalid, "not an address given by sign");
    let part = |name| query(name).ok_or_else(refused);
    let (of, expires, signature) = (part("of")?, part("expires")?, part("signature")?);
    let until: u64 = expires.parse().map_err(|_| refused())?;
    let signature = b64::decode(&signature).map_err(|_| refused())?;
    let text = signed_text(id, &of, until);
    let key = world.storage()?.key_for(PURPOSE);
    if !key.verify(text.as_bytes(), &signature) {
        return Err(refused());
    }
    if world.now_s() >= until {
        let late = "this address has expired: ask sign for another";
        return Err(ApiError::new(ErrorCode::ProofInvalid, late));
    }
    let upload_id = b64::decode(&of)
        .ok()
        .and_then(|id| String::from_utf8(id).ok());
    let upload_id = upload_id.ok_or_else(refused)?;
    let upload = world.upload(id).await?;
    let parts = sent(world, id, &upload, &upload_id).await?;
    Ok(xml(&upload, &parts))
}

/// As `ListParts` answers.
fn xml(upload: &Upload, parts: &[SentPart]) -> String {
    let parts = parts.iter().map(|SentPart { part_number, etag }| {
        let bytes = upload.part_bytes(*part_number).unwrap_or_default();
        // An ETag was checked to hold nothing that XML would read.
        format!(
            "<Part><PartNumber>{part_number}</PartNumber><ETag>&quot;{etag}&quot;</ETag><Size>{bytes}</Size></Part>"
        )
    });
    let parts: String = parts.collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{parts}<IsTruncated>false</IsTruncated></ListPartsResult>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{self, Fake, block_on},
        uploads,
    };

    fn page(parts: &str, end: &str) -> String {
        format!(
            "<?xml version='1.0'?>\n<ListPartsResult xmlns=\"x\">{parts}{end}</ListPartsResult>"
        )
    }

    fn part(number: u32, bytes: u64) -> String {
        format!(
            "<Part><LastModified>x</LastModified><PartNumber>{number}</PartNumber>\
             <ETag>&#34;e{number}&#34;</ETag><Size>{bytes}</Size></Part>\n"
        )
    }

    #[test]
    fn only_a_list_of_parts_is_read_as_one() {
        let good = page(&part(1, 5), "<IsTruncated>false</IsTruncated>");
        let parts = vec![(1, "e1".to_owned(), 5)];
        assert_eq!(Page::read(&good), Some(Page { parts, next: None }));
        let more = "<NextPartNumberMarker>7</NextPartNumberMarker><IsTruncated>true</IsTruncated>";
        assert_eq!(Page::read(&page("", more)).unwrap().next, Some(7));
        for bad in [
            "",
            "<Error><Code>NoSuchUpload</Code></Error>",
            "<ListPartsResult>",
            "<ListPartsResult><Part></ListPartsResult>",
            "<ListPartsResult><Part></Part></ListPartsResult>",
            "</ListPartsResult><ListPartsResult>",
            &good.replace("e1", "<b>"),
            &good.replace("<Size>5", "<Size>-5"),
            &good.replace("<PartNumber>1", "<PartNumber>4294967296"),
        ] {
            assert_eq!(Page::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn all_pages_are_read_and_a_storage_that_repeats_itself_ends_it() {
        let world = Fake::with_work(0);
        let command = fake::upload_command(1, 1, (8 << 20) * 4);
        let id = block_on(uploads::begin(&world, &command)).unwrap().upload;
        let upload = block_on(world.upload(&id)).unwrap();
        let more = |n: u32| {
            format!(
                "<IsTruncated>true</IsTruncated><NextPartNumberMarker>{n}</NextPartNumberMarker>"
            )
        };
        world.will_answer(200, &page(&part(1, 8 << 20), &more(1)));
        world.will_answer(200, &page(&part(2, 8 << 20), &more(2)));
        world.will_answer(200, &page(&part(4, 8 << 20), &more(2)));
        let found = block_on(sent(&world, &id, &upload, "i&d")).unwrap();
        let numbers: Vec<u32> = found.iter().map(|part| part.part_number).collect();
        assert_eq!(numbers, [1, 2, 4]);
        let asked = world.asked_outside();
        assert_eq!(asked.len(), 3);
        assert!(
            asked[1].contains("part-number-marker=1&uploadId=i%26d"),
            "{asked:?}"
        );
    }

    #[test]
    fn a_list_is_for_whoever_was_given_its_address_and_for_some_minutes() {
        let world = Fake::with_work(0);
        let command = fake::upload_command(1, 1, 20_000);
        let id = block_on(uploads::begin(&world, &command)).unwrap().upload;
        let url = list_url(&world, &id, "é&/").unwrap();
        assert!(url.starts_with(&format!(
            "https://satchel.example/v1/uploads/{id}/parts?of="
        )));
        let ask = |url: &str, id: &UploadId| {
            let query = url.split_once('?').unwrap().1.to_owned();
            block_on(list(&world, id, |name| {
                let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
                let mut found = pairs.filter(|(key, _)| *key == name);
                found.next().map(|(_, value)| value.to_owned())
            }))
        };
        let xml = ask(&url, &id).unwrap();
        assert!(Page::read(&xml).unwrap().parts.is_empty(), "{xml}");
        let other = UploadId::parse(&format!("upl_{}", "a".repeat(32))).unwrap();
        for (url, id) in [
            (url.clone(), &other),
            (url.replace("expires=1", "expires=2"), &id),
            (url.replace("?of=", "?of=A"), &id),
            (url.replace("signature=", "signature=A"), &id),
            (url.replace("expires=", "expired="), &id),
        ] {
            assert_eq!(ask(&url, id).unwrap_err().code, ErrorCode::ProofInvalid);
        }
        world.wait(LIFE_S);
        assert_eq!(ask(&url, &id).unwrap_err().code, ErrorCode::ProofInvalid);
    }
}

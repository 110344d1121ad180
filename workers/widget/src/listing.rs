//! What a creator says about a work beside its title, as far as a page may show it.

use satchel_wire::{
    api::{Preview, Record, VersionRecord},
    listing::Picture,
};

/// The cover, if it lies where covers of this issuer's works do: pages allow pictures of their own host only.
pub(crate) fn cover<'a>(record: &'a Record, issuer: &str) -> Option<&'a Picture> {
    let cover = record.listing.as_ref()?.cover.as_ref()?;
    let path = cover.url.strip_prefix(issuer)?;
    path.starts_with("/f/").then_some(cover)
}

/// What the creator says; empty where that is nothing.
pub(crate) fn description(record: &Record) -> &str {
    let listing = record.listing.as_ref();
    listing
        .and_then(|listing| listing.description.as_deref())
        .unwrap_or_default()
}

/// What the creator suggests to pay, where more may be paid.
pub(crate) fn suggested(record: &Record) -> &[u64] {
    let listing = record.listing.as_ref();
    listing
        .and_then(|listing| listing.suggest.as_deref())
        .unwrap_or_default()
}

/// A payment pointer for Web Monetization.
pub(crate) fn monetization(record: &Record) -> Option<&str> {
    let pointer = record.listing.as_ref()?.monetization.as_deref()?;
    pointer.starts_with("https://").then_some(pointer)
}

/// The preview of a version, if a browser can show it by itself.
pub(crate) fn preview(version: &VersionRecord) -> Option<&Preview> {
    version.preview.as_ref()
}

//! The boxes of an MP4 (ISO/IEC 14496-12 §4.2) that is held in memory: total, and as lazy as their
//! readers, so that damage behind what is looked for goes unnoticed here as it does in `sdk/js`.

use super::Refusal;

const ENDS_EARLY: Refusal = Refusal::Malformed("MP4: data ends too early");

/// The big-endian number at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found
        .map(|four| u32::from_be_bytes(*four))
        .ok_or(ENDS_EARLY)
}

/// As [`u32_at`], of eight bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Refusal> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found
        .map(|eight| u64::from_be_bytes(*eight))
        .ok_or(ENDS_EARLY)
}

/// What a box begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: [u8; 4],
    /// Bytes before its content.
    pub(super) before: u64,
    /// Bytes of the whole box; at most the room it was read in.
    pub(super) size: u64,
}

/// Reads a box's head from its first 8 or 16 bytes; `room` is what is left where it stands.
pub(super) fn head(bytes: &[u8], room: u64) -> Result<Head, Refusal> {
    let kind = bytes.get(4..).and_then(|rest| rest.first_chunk());
    let kind = *kind.ok_or(ENDS_EARLY)?;
    let (before, size) = match u32_at(bytes, 0)? {
        0 => (8, room),
        1 => (16, u64_at(bytes, 8)?),
        size => (8, u64::from(size)),
    };
    if size < before || size > room {
        return Err(Refusal::Damaged("the file is damaged or cut short"));
    }
    Ok(Head { kind, before, size })
}

/// The boxes in a box.
#[derive(Debug)]
pub(super) struct Children<'a>(&'a [u8]);

impl<'a> Iterator for Children<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.len() < 8 {
            return None;
        }
        let bytes = core::mem::take(&mut self.0);
        let found = head(bytes, bytes.len() as u64).and_then(|found| {
            let size = usize::try_from(found.size).map_err(|_| ENDS_EARLY)?;
            let (child, rest) = bytes.split_at_checked(size).ok_or(ENDS_EARLY)?;
            self.0 = rest;
            let content = if found.before == 16 {
                child.get(16..)
            } else {
                child.get(8..)
            };
            let kind = child.get(4..).and_then(|rest| rest.first_chunk());
            Ok((kind.ok_or(ENDS_EARLY)?, content.unwrap_or_default()))
        });
        Some(found)
    }
}

/// The boxes in `bytes` from `from` on: kind and content of each.
pub(super) fn children(bytes: &[u8], from: usize) -> Children<'_> {
    Children(bytes.get(from..).unwrap_or_default())
}

/// The content of the first child of this kind.
pub(super) fn child(bytes: &[u8], kind: [u8; 4], from: usize) -> Result<Option<&[u8]>, Refusal> {
    for found in children(bytes, from) {
        let (name, content) = found?;
        if *name == kind {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

/// The content of the first child of the first child …
pub(super) fn descend<'a>(bytes: &'a [u8], kinds: &[[u8; 4]]) -> Result<Option<&'a [u8]>, Refusal> {
    let mut at = Some(bytes);
    for kind in kinds {
        let Some(bytes) = at else {
            return Ok(None);
        };
        at = child(bytes, *kind, 0)?;
    }
    Ok(at)
}

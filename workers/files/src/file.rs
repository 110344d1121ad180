//! Names of files: packed works, and the covers beside them.

use satchel_domain::id::{Digest, WorkId};
use satchel_wire::listing::cover_ending;

/// A file that anybody may fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    work: WorkId,
    name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// A version of a work, packed.
    Packed(u32),
    /// A picture, named by its bytes.
    Cover(Digest, &'static str),
}

/// What a cover may be.
const PICTURES: [&str; 3] = ["image/webp", "image/jpeg", "image/png"];

impl File {
    /// From the last two segments of its path. Each file has one name: one cache entry, one key.
    pub(crate) fn parse(work: &str, name: &str) -> Option<Self> {
        Some(Self {
            work: WorkId::parse(work).ok()?,
            name: packed(name).or_else(|| cover(name))?,
        })
    }

    /// Its key in the bucket.
    pub(crate) fn key(&self) -> String {
        match &self.name {
            Name::Packed(version) => format!("{}/{version}.satchel", self.work),
            Name::Cover(digest, media_type) => {
                let ending = cover_ending(media_type).unwrap_or_default();
                format!("{}/cover-{digest}.{ending}", self.work)
            }
        }
    }

    /// What it is, and how a browser may treat it: whatever its bytes are, it never becomes a page
    /// that may do something.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let (media_type, told) = match self.name {
            Name::Packed(_) => {
                let disposition = format!(r#"attachment; filename="{}.satchel""#, self.work);
                let told = ("content-disposition", disposition);
                ("application/vnd.satchel", told)
            }
            Name::Cover(_, media_type) => {
                let policy = "sandbox; default-src 'none'".to_owned();
                (media_type, ("content-security-policy", policy))
            }
        };
        vec![
            ("content-type", media_type.to_owned()),
            told,
            ("x-content-type-options", "nosniff".to_owned()),
        ]
    }
}

fn packed(name: &str) -> Option<Name> {
    let number = name.strip_suffix(".satchel")?;
    // `parse` would take a sign or leading zeros.
    if !number.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return None;
    }
    number.parse().ok().map(Name::Packed)
}

fn cover(name: &str) -> Option<Name> {
    let (digest, ending) = name.strip_prefix("cover-")?.rsplit_once('.')?;
    let of_it = |kind: &&&str| cover_ending(kind) == Some(ending);
    let kind = PICTURES.iter().find(of_it)?;
    Some(Name::Cover(Digest::parse(digest).ok()?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name() {
        let work = format!("wrk_{}", "a".repeat(52));
        let file = File::parse(&work, "12.satchel").unwrap();
        assert_eq!(file.key(), format!("{work}/12.satchel"));
        let disposition = format!(r#"attachment; filename="{work}.satchel""#);
        assert_eq!(file.headers()[1], ("content-disposition", disposition));
        for name in [
            "",
            ".satchel",
            "0.satchel",
            "01.satchel",
            "+1.satchel",
            "-1.satchel",
            "1",
            "1.SATCHEL",
            "1.satchel.satchel",
            "1.0.satchel",
            " 1.satchel",
            "4294967296.satchel",
            "१.satchel",
            "1.satchel/",
            "99999999999999999999999999.satchel",
        ] {
            assert_eq!(File::parse(&work, name), None, "{name}");
        }
        for work in [
            "",
            "wrk_",
            "wrk_..",
            &work.to_uppercase(),
            &format!("{work}a"),
        ] {
            assert_eq!(File::parse(work, "1.satchel"), None, "{work}");
        }
    }

    #[test]
    fn a_cover_is_a_picture_named_by_its_bytes() {
        let work = format!("wrk_{}", "a".repeat(52));
        let digest = format!("-_{}", "A".repeat(41));
        for (ending, media_type) in [
            ("webp", "image/webp"),
            ("jpg", "image/jpeg"),
            ("png", "image/png"),
        ] {
            let name = format!("cover-{digest}.{ending}");
            let file = File::parse(&work, &name).unwrap();
            assert_eq!(file.key(), format!("{work}/{name}"));
            let headers = file.headers();
            assert_eq!(headers[0], ("content-type", media_type.to_owned()));
            assert!(headers.contains(&(
                "content-security-policy",
                "sandbox; default-src 'none'".to_owned()
            )));
            assert!(headers.contains(&("x-content-type-options", "nosniff".to_owned())));
        }
        for name in [
            "cover-.png".to_owned(),
            format!("cover-{digest}"),
            format!("cover-{digest}."),
            format!("cover-{digest}.svg"),
            format!("cover-{digest}.jpeg"),
            format!("cover-{digest}.PNG"),
            format!("cover-{digest}.png.html"),
            format!("cover-{digest}A.png"),
            format!("Cover-{digest}.png"),
            format!("cover-{}B.png", "A".repeat(42)),
            format!("cover-../{digest}.png"),
        ] {
            assert_eq!(File::parse(&work, &name), None, "{name}");
        }
    }
}

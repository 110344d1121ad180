//! Names of packed files.

use satchel_domain::id::WorkId;

/// A version of a work, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    work: WorkId,
    version: u32,
}

impl File {
    /// From the last two segments of its path. Each file has one name: one cache entry, one key.
    pub(crate) fn parse(work: &str, name: &str) -> Option<Self> {
        let number = name.strip_suffix(".satchel")?;
        // `parse` would take a sign or leading zeros.
        if !number.starts_with(|c: char| ('1'..='9').contains(&c)) {
            return None;
        }
        Some(Self {
            work: WorkId::parse(work).ok()?,
            version: number.parse().ok()?,
        })
    }

    /// Its key in the bucket.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}.satchel", self.work, self.version)
    }

    /// What a browser calls it when it is saved.
    pub(crate) fn disposition(&self) -> String {
        format!(r#"attachment; filename="{}.satchel""#, self.work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name() {
        let work = format!("wrk_{}", "a".repeat(52));
        let file = File::parse(&work, "12.satchel").unwrap();
        assert_eq!(file.key(), format!("{work}/12.satchel"));
        assert_eq!(
            file.disposition(),
            format!(r#"attachment; filename="{work}.satchel""#)
        );
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
}

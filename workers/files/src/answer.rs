//! How a request for a file is answered (RFC 9110 §13.2.2 says in which order headers count).

use crate::{
    file::File,
    range::{self, Part, Selection},
    serve::Stored,
};

/// The headers that decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether it is a `HEAD`.
    pub head: bool,
    /// `Range`.
    pub range: Option<String>,
    /// `If-Range`.
    pub if_range: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
}

impl Asked {
    /// Whether the answer is the whole file, whatever the file is.
    pub(crate) fn is_plain_get(&self) -> bool {
        !self.head && self.range.is_none() && self.if_none_match.is_none()
    }
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200
    Whole,
    /// 206
    Part(Part),
    /// 304
    NotModified,
    /// 416
    Unsatisfiable,
}

impl Answer {
    /// Decides.
    pub(crate) fn to(asked: &Asked, stored: &Stored) -> Self {
        let tag = entity_tag(stored);
        if asked
            .if_none_match
            .as_deref()
            .is_some_and(|known| is_known(known, &tag))
        {
            return Self::NotModified;
        }
        // `If-Range` compares strongly; a date never matches, since we give out none.
        let same = asked
            .if_range
            .as_deref()
            .is_none_or(|wanted| wanted.trim() == tag);
        // With any method but GET a range means nothing (§14.2).
        let range = asked.range.as_deref().filter(|_| same && !asked.head);
        match range.map(|header| range::select(header, stored.size)) {
            None | Some(Selection::Whole) => Self::Whole,
            Some(Selection::Part(part)) => Self::Part(part),
            Some(Selection::Nothing) => Self::Unsatisfiable,
        }
    }

    /// Whether bytes of the file are sent with it.
    pub(crate) fn has_bytes(self) -> bool {
        matches!(self, Self::Whole | Self::Part(_))
    }

    /// Position and length, if it is not the whole.
    pub(crate) fn part(self) -> Option<(u64, u64)> {
        match self {
            Self::Part(part) => Some((part.offset(), part.length())),
            _ => None,
        }
    }

    /// HTTP status.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Whole => 200,
            Self::Part(_) => 206,
            Self::NotModified => 304,
            Self::Unsatisfiable => 416,
        }
    }

    /// Headers of the answer, but those of every answer of the API. An unsatisfiable one is a
    /// problem document and has headers of its own.
    pub(crate) fn headers(self, file: &File, stored: &Stored) -> Vec<(&'static str, String)> {
        let range = |part: Part| ("content-range", part.content_range(stored.size));
        let (length, content_range) = match self {
            Self::Unsatisfiable => {
                return vec![("content-range", format!("bytes */{}", stored.size))];
            }
            Self::NotModified => (None, None),
            Self::Whole => (Some(stored.size), None),
            Self::Part(part) => (Some(part.length()), Some(range(part))),
        };
        let mut headers = vec![
            ("etag", entity_tag(stored)),
            (
                "cache-control",
                "public, max-age=31536000, immutable".to_owned(),
            ),
            ("accept-ranges", "bytes".to_owned()),
        ];
        if let Some(length) = length {
            headers.push(("content-length", length.to_string()));
            headers.extend(file.headers());
        }
        headers.extend(content_range);
        headers
    }
}

/// Strong: the same tag means the same bytes.
fn entity_tag(stored: &Stored) -> String {
    format!("\"{}\"", stored.etag)
}

/// Whether `If-None-Match` names `tag`; compared weakly (§13.1.2). `tag` itself has no comma.
fn is_known(header: &str, tag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            size: 100,
            etag: "abc".into(),
        }
    }

    fn asked(range: &str, if_range: &str, if_none_match: &str) -> Asked {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Asked {
            head: false,
            range: some(range),
            if_range: some(if_range),
            if_none_match: some(if_none_match),
        }
    }

    fn status(range: &str, if_range: &str, if_none_match: &str) -> u16 {
        Answer::to(&asked(range, if_range, if_none_match), &stored()).status()
    }

    #[test]
    fn a_range_counts_only_for_the_content_it_was_begun_with() {
        assert_eq!(status("bytes=0-1", "", ""), 206);
        assert_eq!(status("bytes=0-1", "\"abc\"", ""), 206);
        for other in [
            "\"abd\"",
            "W/\"abc\"",
            "abc",
            "*",
            "Sat, 22 Nov 2025 10:00:00 GMT",
            "\"abc\", \"x\"",
        ] {
            assert_eq!(status("bytes=0-1", other, ""), 200, "{other}");
            assert_eq!(status("bytes=100-", other, ""), 200, "{other}");
        }
        assert_eq!(status("", "\"abc\"", ""), 200);
    }

    #[test]
    fn what_a_client_has_is_not_sent_again_and_this_comes_before_ranges() {
        for known in [
            "\"abc\"",
            "W/\"abc\"",
            "*",
            "\"x\", \"abc\"",
            "\"x\",W/\"abc\" ,\"y\"",
        ] {
            assert_eq!(status("", "", known), 304, "{known}");
            assert_eq!(status("bytes=0-1", "", known), 304, "{known}");
            assert_eq!(status("bytes=900-", "", known), 304, "{known}");
        }
        for other in ["\"abd\"", "abc", "\"ABC\"", "w/\"abc\"", "\"\"", ","] {
            assert_eq!(status("", "", other), 200, "{other}");
            assert_eq!(status("bytes=0-1", "", other), 206, "{other}");
        }
    }

    #[test]
    fn bytes_beyond_the_end_are_refused_with_the_size() {
        let answer = Answer::to(&asked("bytes=100-", "", ""), &stored());
        let file = File::parse(&format!("wrk_{}", "a".repeat(52)), "1.satchel").unwrap();
        assert_eq!(answer.status(), 416);
        assert_eq!(
            answer.headers(&file, &stored()),
            [("content-range", "bytes */100".to_owned())]
        );
    }

    #[test]
    fn every_good_answer_may_be_kept_for_good_and_says_its_length() {
        let file = File::parse(&format!("wrk_{}", "a".repeat(52)), "1.satchel").unwrap();
        for (range, length, content_range) in [
            ("", "100", None),
            ("bytes=-30", "30", Some("bytes 70-99/100".to_owned())),
        ] {
            let headers = Answer::to(&asked(range, "", ""), &stored()).headers(&file, &stored());
            let get = |name: &str| {
                headers
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, value)| value.clone())
            };
            assert_eq!(get("etag").as_deref(), Some("\"abc\""));
            assert_eq!(
                get("cache-control").as_deref(),
                Some("public, max-age=31536000, immutable")
            );
            assert_eq!(get("accept-ranges").as_deref(), Some("bytes"));
            assert_eq!(
                get("content-type").as_deref(),
                Some("application/vnd.satchel")
            );
            assert_eq!(get("content-length").as_deref(), Some(length));
            assert_eq!(get("content-range"), content_range);
        }
        let kept = Answer::NotModified.headers(&file, &stored());
        assert!(
            kept.iter().all(|(name, _)| !name.starts_with("content")),
            "{kept:?}"
        );
        assert!(kept.iter().any(|(name, _)| *name == "etag"));
    }
}

//! Which bytes are asked for (RFC 9110 §14). Numbers may have any number of digits.

/// The first and last byte of a part, both within the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    first: u64,
    last: u64,
}

impl Part {
    /// Position of the first byte.
    pub(crate) fn offset(self) -> u64 {
        self.first
    }

    /// Number of bytes; never 0.
    pub(crate) fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// For `Content-Range`.
    pub(crate) fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.first, self.last)
    }
}

/// What a `Range` header comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The whole file: the header is malformed, in another unit, or asks for several parts, which a
    /// server may answer so (§14.2). No player and no downloader we know asks for several.
    Whole,
    /// One part.
    Part(Part),
    /// No byte of the file.
    Nothing,
}

/// Reads a `Range` header against a file of `size` bytes.
pub(crate) fn select(header: &str, size: u64) -> Selection {
    let Some(spec) = single(header) else {
        return Selection::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Selection::Whole;
    };
    match (Digits::of(first), Digits::of(last)) {
        (None, Some(suffix)) if first.is_empty() => select_suffix(suffix.value(), size),
        (Some(from), None) if last.is_empty() => select_from(from.value(), u64::MAX, size),
        (Some(from), Some(to)) if from <= to => select_from(from.value(), to.value(), size),
        _ => Selection::Whole,
    }
}

/// The only range of the header, if it is in bytes. Empty elements of a list don't count (§5.6.1.2).
fn single(header: &str) -> Option<&str> {
    let (unit, set) = header.trim_matches([' ', '\t']).split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut elements = set
        .split(',')
        .map(|e| e.trim_matches([' ', '\t']))
        .filter(|e| !e.is_empty());
    let only = elements.next()?;
    elements.next().is_none().then_some(only)
}

fn select_suffix(length: u64, size: u64) -> Selection {
    match size.checked_sub(1) {
        _ if length == 0 => Selection::Nothing,
        // An empty file has no last byte; `Content-Range` can't say "all of nothing".
        None => Selection::Whole,
        Some(last) => Selection::Part(Part {
            first: size.saturating_sub(length),
            last,
        }),
    }
}

fn select_from(first: u64, last: u64, size: u64) -> Selection {
    match size.checked_sub(1) {
        Some(end) if first <= end => Selection::Part(Part {
            first,
            last: last.min(end),
        }),
        _ => Selection::Nothing,
    }
}

/// A decimal number of any length: ordered exactly, read as at most `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Digits<'a> {
    // Without leading zeros a longer number is larger, and of equal length text order is number order.
    len: usize,
    text: &'a str,
}

impl<'a> Digits<'a> {
    fn of(text: &'a str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let text = text.trim_start_matches('0');
        Some(Self {
            len: text.len(),
            text,
        })
    }

    fn value(self) -> u64 {
        if self.len == 0 {
            0
        } else {
            self.text.parse().unwrap_or(u64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(first: u64, last: u64) -> Selection {
        Selection::Part(Part { first, last })
    }

    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (header, expected) in [
            ("bytes=0-499", part(0, 499)),
            ("bytes=500-999", part(500, 999)),
            ("bytes=-500", part(9500, 9999)),
            ("bytes=9500-", part(9500, 9999)),
            ("bytes=0-0", part(0, 0)),
            ("bytes=-1", part(9999, 9999)),
            ("bytes=0-", part(0, 9999)),
            ("bytes=9999-20000", part(9999, 9999)),
            ("bytes=-20000", part(0, 9999)),
            ("bytes=10000-", Selection::Nothing),
            ("bytes=-0", Selection::Nothing),
            ("bytes=0-0,-1", Selection::Whole),
            ("bytes=500-600,601-999", Selection::Whole),
        ] {
            assert_eq!(select(header, 10_000), expected, "{header}");
        }
    }

    #[test]
    fn unit_case_and_empty_list_elements_make_no_difference() {
        for header in [
            "BYTES=1-2",
            "bytes=1-2,",
            "bytes=,1-2",
            "bytes= , 1-2 ,,",
            " bytes=1-2\t",
        ] {
            assert_eq!(select(header, 10), part(1, 2), "{header}");
        }
    }

    #[test]
    fn a_malformed_header_is_as_none() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=--1",
            "bytes=2-1",
            "bytes=1-2-3",
            "bytes=a-b",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes =1-2",
            "bytes:1-2",
            "items=0-1",
            "bytes=0x1-2",
            "bytes=1.0-2",
            "bytes=\u{661}-\u{662}",
            "bytes=1-2;",
            "bytes=1e3-",
            "=0-1",
            "bytes==0-1",
            "bytes=18446744073709551616-18446744073709551615",
        ] {
            assert_eq!(select(header, 10), Selection::Whole, "{header}");
        }
    }

    #[test]
    fn numbers_beyond_any_integer_type_are_numbers() {
        let huge = "9".repeat(4000);
        assert_eq!(select(&format!("bytes=1-{huge}"), 10), part(1, 9));
        assert_eq!(select(&format!("bytes=-{huge}"), 10), part(0, 9));
        assert_eq!(select(&format!("bytes={huge}-"), 10), Selection::Nothing);
        assert_eq!(
            select(&format!("bytes={huge}-{huge}"), 10),
            Selection::Nothing
        );
        assert_eq!(
            select(&format!("bytes={huge}0-{huge}"), 10),
            Selection::Whole
        );
        assert_eq!(
            select("bytes=9007199254740992-9007199254740993", 10),
            Selection::Nothing
        );
        assert_eq!(
            select(&format!("bytes={}1-2", "0".repeat(4000)), 10),
            part(1, 2)
        );
        assert_eq!(select("bytes=000-000", 10), part(0, 0));
    }

    #[test]
    fn an_empty_file_has_no_part() {
        assert_eq!(select("bytes=0-", 0), Selection::Nothing);
        assert_eq!(select("bytes=-5", 0), Selection::Whole);
        assert_eq!(select("bytes=-0", 0), Selection::Nothing);
    }

    /// The slow and obvious way: look at every byte of the file.
    fn model(from: Option<u128>, to: Option<u128>, size: u64) -> Selection {
        let bytes = 0..u128::from(size);
        let chosen: Vec<u128> = match (from, to) {
            (None, None) => return Selection::Whole,
            (Some(from), Some(to)) if from > to => return Selection::Whole,
            (None, Some(n)) if n > 0 && size == 0 => return Selection::Whole,
            (None, Some(n)) => bytes
                .rev()
                .take(usize::try_from(n).unwrap_or(usize::MAX))
                .collect(),
            (Some(from), to) => bytes
                .filter(|b| *b >= from && to.is_none_or(|to| *b <= to))
                .collect(),
        };
        match (chosen.iter().min(), chosen.iter().max()) {
            (Some(first), Some(last)) => part(
                u64::try_from(*first).unwrap(),
                u64::try_from(*last).unwrap(),
            ),
            _ => Selection::Nothing,
        }
    }

    fn number() -> impl Strategy<Value = Option<u128>> {
        let edge = prop_oneof![
            Just(u128::from(u64::MAX)),
            Just(1 << 53),
            Just((1 << 53) + 1),
            Just(u128::from(u64::MAX) + 1),
            Just(u128::MAX),
        ];
        proptest::option::of(prop_oneof![4 => 0..70_u128, 1 => edge])
    }

    proptest! {
        #[test]
        fn every_range_selects_what_the_model_selects(from in number(), to in number(), size in 0..64_u64, zeros in 0..3_usize) {
            let text = |n: Option<u128>| n.map(|n| format!("{}{n}", "0".repeat(zeros))).unwrap_or_default();
            let header = format!("bytes={}-{}", text(from), text(to));
            prop_assert_eq!(select(&header, size), model(from, to, size), "{} of {}", header, size);
        }

        #[test]
        fn any_text_selects_bytes_of_the_file_or_none(tail in "[-0-9, =a]{0,12}|\\PC{0,20}", size in 0..u64::MAX) {
            for header in [format!("bytes={tail}"), tail] {
                if let Selection::Part(part) = select(&header, size) {
                    prop_assert!(part.length() >= 1);
                    prop_assert!(part.offset().checked_add(part.length()).unwrap() <= size);
                }
            }
        }
    }
}

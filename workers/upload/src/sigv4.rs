//! AWS Signature Version 4 in the query of a URL, for S3: the path is encoded once and never
//! normalised, parameters are sorted after encoding, the payload is not signed.
//!
//! Written out here: the crates for it bring a URL parser and a calendar, 200 KB of this worker.

use std::fmt::Write as _;

use satchel_crypto::{hash::hmac_sha256_any, sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DAY_S: u64 = 86_400;
/// The first day after the last year of four digits.
const END_S: u64 = 253_402_300_800;

/// Who signs.
pub(crate) struct Credentials {
    /// Public name of the key.
    pub(crate) access_key_id: String,
    /// The key.
    pub(crate) secret_access_key: String,
    /// `auto` or a place.
    pub(crate) region: String,
}

/// A request to sign. Names of headers are lower case.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Upper case.
    pub(crate) method: &'a str,
    /// Scheme, host and port as a browser writes them: `https://host`.
    pub(crate) origin: &'a str,
    /// From the first `/`, not encoded.
    pub(crate) path: &'a str,
    /// Parameters, not encoded.
    pub(crate) query: &'a [(&'a str, String)],
    /// Headers that must be sent exactly so, besides `host`.
    pub(crate) headers: &'a [(&'a str, String)],
}

/// The URL with which anybody may send `request` within `life_s` seconds. `None` where the time is
/// beyond the calendar.
pub(crate) fn presign(
    credentials: &Credentials,
    request: &Request<'_>,
    now_s: u64,
    life_s: u64,
) -> Option<String> {
    let Stamp { day, second } = Stamp::of(now_s)?;
    let host = request.origin.split_once("://")?.1;
    let mut headers = vec![("host", host)];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let scope = format!("{day}/{}/s3/aws4_request", credentials.region);

    let mut query: Vec<(String, String)> = request
        .query
        .iter()
        .map(|(name, value)| (*name, value.clone()))
        .chain([
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            (
                "X-Amz-Credential",
                format!("{}/{scope}", credentials.access_key_id),
            ),
            ("X-Amz-Date", second.clone()),
            ("X-Amz-Expires", life_s.to_string()),
            ("X-Amz-SignedHeaders", names.clone()),
        ])
        .map(|(name, value)| (encode(name, false), encode(&value, false)))
        .collect();
    query.sort_unstable();
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (path, query) = (encode(request.path, true), query.join("&"));

    let mut canonical = format!("{}\n{path}\n{query}\n", request.method);
    for (name, value) in &headers {
        let words: Vec<_> = value.split_ascii_whitespace().collect();
        let _ = writeln!(canonical, "{name}:{}", words.join(" "));
    }
    let _ = write!(canonical, "\n{names}\nUNSIGNED-PAYLOAD");
    let digest = hex(&sha256(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{second}\n{scope}\n{digest}");

    let secret = format!("AWS4{}", credentials.secret_access_key);
    let steps = [
        day.as_str(),
        &credentials.region,
        "s3",
        "aws4_request",
        &to_sign,
    ];
    let signature = steps.iter().fold(secret.into_bytes(), |key, step| {
        hmac_sha256_any(&key, step.as_bytes()).to_vec()
    });
    let (origin, signature) = (request.origin, hex(&signature));
    Some(format!(
        "{origin}{path}?{query}&X-Amz-Signature={signature}"
    ))
}

/// Percent-encodes all but the unreserved characters of RFC 3986; `/` too unless it separates.
fn encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (is_path && byte == b'/') {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A moment as SigV4 writes it.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    /// `YYYYMMDD`
    day: String,
    /// `YYYYMMDDTHHMMSSZ`
    second: String,
}

impl Stamp {
    fn of(now_s: u64) -> Option<Self> {
        if now_s >= END_S {
            return None;
        }
        let (mut days, rest) = (now_s / DAY_S, now_s % DAY_S);
        let mut year = 1970_u64;
        while let Some(later) = days.checked_sub(if is_leap(year) { 366 } else { 365 }) {
            (days, year) = (later, year.saturating_add(1));
        }
        let february = if is_leap(year) { 29 } else { 28 };
        let mut month = 1_u64;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            let Some(later) = days.checked_sub(length) else {
                break;
            };
            (days, month) = (later, month.saturating_add(1));
        }
        let day = format!("{year:04}{month:02}{:02}", days.saturating_add(1));
        let (hour, minute) = (rest / 3600, rest / 60 % 60);
        let second = format!("{day}T{hour:02}{minute:02}{:02}Z", rest % 60);
        Some(Self { day, second })
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(region: &str) -> Credentials {
        Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: region.into(),
        }
    }

    /// "Authenticating Requests: Using Query Parameters", Amazon S3 API reference.
    #[test]
    fn the_published_example_holds() {
        let request = Request {
            method: "GET",
            origin: "https://examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: &[],
            headers: &[],
        };
        let url = presign(&credentials("us-east-1"), &request, 1_369_353_600, 86_400).unwrap();
        let expected = "https://examplebucket.s3.amazonaws.com/test.txt\
            ?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(url, expected);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (now_s, second) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (978_307_199, "20001231T235959Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_709_251_200, "20240301T000000Z"),
            (1_800_000_000, "20270115T080000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (END_S - 1, "99991231T235959Z"),
        ] {
            assert_eq!(Stamp::of(now_s).unwrap().second, second);
        }
        assert_eq!(Stamp::of(END_S), None);
        assert_eq!(Stamp::of(u64::MAX), None);
    }

    #[test]
    fn nothing_but_unreserved_characters_stays_as_it_is() {
        assert_eq!(encode("aZ09-._~", false), "aZ09-._~");
        assert_eq!(
            encode("a b+c/é=%&?#", false),
            "a%20b%2Bc%2F%C3%A9%3D%25%26%3F%23"
        );
        assert_eq!(encode("/a//../b c", true), "/a//../b%20c");
    }
}

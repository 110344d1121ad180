//! AWS Signature Version 4 in the query of a URL, for S3: the path is encoded once and never
//! normalised, parameters are sorted after encoding, the payload is not signed.
//!
//! Written out here: the crates for it bring a URL parser and a calendar, 200 KB of this worker.

use std::cell::RefCell;

use satchel_crypto::{
    hash::{HmacKey, Sha256Stream},
    sha256,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DAY_S: u64 = 86_400;
/// The first day after the last year of four digits.
const END_S: u64 = 253_402_300_800;

/// Who signs.
#[derive(Debug)]
pub struct Credentials {
    /// Public name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// `auto` or a place.
    pub region: String,
    /// Of a key that is lent for a while.
    pub session_token: Option<String>,
}

/// A request to sign. Names of headers are lower case.
#[derive(Debug)]
pub struct Request<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Scheme, host and port as a browser writes them: `https://host`.
    pub origin: &'a str,
    /// From the first `/`, not encoded.
    pub path: &'a str,
    /// Parameters, not encoded.
    pub query: &'a [(&'a str, String)],
    /// Headers that must be sent exactly so, besides `host`.
    pub headers: &'a [(&'a str, String)],
}

/// Signs. The key of a day is derived once on that day.
#[derive(Debug)]
pub struct Signer {
    credentials: Credentials,
    today: RefCell<Option<Today>>,
}

/// What is the same for all requests of a day.
#[derive(Debug, Clone)]
struct Today {
    /// `YYYYMMDD`
    day: String,
    /// `DAY/REGION/s3/aws4_request`
    scope: String,
    /// The value of `X-Amz-Credential`, encoded.
    credential: String,
    key: HmacKey,
}

impl Signer {
    /// With a key.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            today: RefCell::default(),
        }
    }

    /// Another key for another purpose of ours, which nobody can tell from chance.
    pub(crate) fn key_for(&self, purpose: &str) -> HmacKey {
        let secret = HmacKey::new(self.credentials.secret_access_key.as_bytes());
        HmacKey::new(&secret.tag(purpose.as_bytes()))
    }

    fn today(&self, day: String) -> Today {
        if let Some(today) = &*self.today.borrow()
            && today.day == day
        {
            return today.clone();
        }
        let Credentials {
            access_key_id,
            secret_access_key,
            region,
            ..
        } = &self.credentials;
        let secret = format!("AWS4{secret_access_key}");
        let steps = [day.as_str(), region, "s3", "aws4_request"];
        let key = steps
            .iter()
            .fold(HmacKey::new(secret.as_bytes()), |key, step| {
                HmacKey::new(&key.tag(step.as_bytes()))
            });
        let scope = format!("{day}/{region}/s3/aws4_request");
        let mut credential = String::new();
        encode(&format!("{access_key_id}/{scope}"), false, &mut credential);
        let today = Today {
            day,
            scope,
            credential,
            key,
        };
        *self.today.borrow_mut() = Some(today.clone());
        today
    }

    /// The URL with which anybody may send `request` within `life_s` seconds. `None` where the time
    /// is beyond the calendar.
    #[must_use]
    pub fn presign(&self, request: &Request<'_>, now_s: u64, life_s: u64) -> Option<String> {
        let Stamp { day, second } = Stamp::of(now_s)?;
        let today = self.today(day);
        let host = request.origin.split_once("://")?.1;
        let mut headers = vec![("host", host)];
        headers.extend(
            request
                .headers
                .iter()
                .map(|(name, value)| (*name, &**value)),
        );
        headers.sort_unstable();
        let mut names = String::new();
        for (name, _) in &headers {
            names.push_str(if names.is_empty() { "" } else { ";" });
            names.push_str(name);
        }
        let query = self.query(request.query, &today, &second, life_s, &names);

        // "METHOD\nPATH\nQUERY\n…": the middle is what the URL says.
        let mut canonical = String::with_capacity(1024);
        canonical.push_str(request.method);
        canonical.push('\n');
        encode(request.path, true, &mut canonical);
        let path_end = canonical.len();
        canonical.push('\n');
        canonical.push_str(&query);
        canonical.push('\n');
        for (name, value) in &headers {
            canonical.push_str(name);
            canonical.push(':');
            for (i, word) in value.split_ascii_whitespace().enumerate() {
                canonical.push_str(if i == 0 { "" } else { " " });
                canonical.push_str(word);
            }
            canonical.push('\n');
        }
        for piece in ["\n", &names, "\nUNSIGNED-PAYLOAD"] {
            canonical.push_str(piece);
        }
        let mut to_sign = String::with_capacity(256);
        for piece in [ALGORITHM, "\n", &second, "\n", &today.scope, "\n"] {
            to_sign.push_str(piece);
        }
        hex(&sha256(canonical.as_bytes()), &mut to_sign);
        let signature = today.key.tag(to_sign.as_bytes());

        let path = canonical.get(request.method.len().checked_add(1)?..path_end)?;
        let mut url = String::with_capacity(1024);
        for piece in [request.origin, path, "?", &query, "&X-Amz-Signature="] {
            url.push_str(piece);
        }
        hex(&signature, &mut url);
        Some(url)
    }

    /// What [`Signer::presign`] gives for a `PUT` of each of some parts of a multipart upload: number
    /// and length, which is signed. What all of them have in common is written and hashed once; it
    /// comes first in a canonical request, as `X` sorts before `p`.
    #[must_use]
    pub fn presign_parts(
        &self,
        origin: &str,
        path: &str,
        upload_id: &str,
        parts: &[(u32, u64)],
        now_s: u64,
        life_s: u64,
    ) -> Option<Vec<String>> {
        const NAMES: &str = "content-length;host";
        let Stamp { day, second } = Stamp::of(now_s)?;
        let today = self.today(day);
        let host = origin.split_once("://")?.1;
        let mut place = String::with_capacity(512);
        encode(path, true, &mut place);
        let query = self.query(&[], &today, &second, life_s, NAMES);
        let mut common = Sha256Stream::new();
        for piece in ["PUT\n", &place, "\n", &query, "&partNumber="] {
            common.update(piece.as_bytes());
        }
        let mut common_url = String::with_capacity(512);
        for piece in [origin, &place, "?", &query, "&partNumber="] {
            common_url.push_str(piece);
        }
        let mut of = String::from("&uploadId=");
        encode(upload_id, false, &mut of);
        let end = ["\nhost:", host, "\n\n", NAMES, "\nUNSIGNED-PAYLOAD"].concat();
        let about = [ALGORITHM, "\n", &second, "\n", &today.scope, "\n"].concat();

        let mut to_sign = String::with_capacity(256);
        let mut digits = Decimal::new();
        let mut urls = Vec::with_capacity(parts.len());
        for (number, bytes) in parts {
            let mut url = String::with_capacity(common_url.len().saturating_add(256));
            url.push_str(&common_url);
            let mut canonical = common.clone();
            let number = digits.of(u64::from(*number));
            url.push_str(number);
            canonical.update(number.as_bytes());
            canonical.update(of.as_bytes());
            canonical.update(b"\ncontent-length:");
            canonical.update(digits.of(*bytes).as_bytes());
            canonical.update(end.as_bytes());
            to_sign.clear();
            to_sign.push_str(&about);
            hex(&canonical.finish(), &mut to_sign);
            url.push_str(&of);
            url.push_str("&X-Amz-Signature=");
            hex(&today.key.tag(to_sign.as_bytes()), &mut url);
            urls.push(url);
        }
        Some(urls)
    }

    /// All parameters but the signature, encoded and in order.
    fn query(
        &self,
        own: &[(&str, String)],
        today: &Today,
        second: &str,
        life_s: u64,
        names: &str,
    ) -> String {
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(own.len().saturating_add(6));
        let mut add = |name: &str, value: &str| {
            let (mut encoded_name, mut encoded) = (String::new(), String::new());
            encode(name, false, &mut encoded_name);
            encode(value, false, &mut encoded);
            pairs.push((encoded_name, encoded));
        };
        for (name, value) in own {
            add(name, value);
        }
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Date", second);
        add("X-Amz-Expires", &life_s.to_string());
        if let Some(token) = &self.credentials.session_token {
            add("X-Amz-Security-Token", token);
        }
        add("X-Amz-SignedHeaders", names);
        pairs.push(("X-Amz-Credential".to_owned(), today.credential.clone()));
        pairs.sort_unstable();
        let mut query = String::with_capacity(512);
        for (name, value) in &pairs {
            query.push_str(if query.is_empty() { "" } else { "&" });
            query.push_str(name);
            query.push('=');
            query.push_str(value);
        }
        query
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986; `/` too unless it separates.
fn encode(text: &str, is_path: bool, out: &mut String) {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (is_path && byte == b'/')
    };
    // Most texts are plain, and copied at once.
    let mut left = text;
    while let Some(at) = left.bytes().position(|byte| !plain(byte)) {
        let (before, rest) = left.split_at_checked(at).unwrap_or((left, ""));
        out.push_str(before);
        // The whole character: what is left begins where one does.
        let bytes = rest.chars().next().map_or(0, char::len_utf8);
        let (char, after) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
        for byte in char.bytes() {
            out.push('%');
            out.push(digit(byte >> 4).to_ascii_uppercase());
            out.push(digit(byte & 15).to_ascii_uppercase());
        }
        left = after;
    }
    out.push_str(left);
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn digit(n: u8) -> char {
    DIGITS
        .get(usize::from(n & 15))
        .map_or('0', |digit| char::from(*digit))
}

fn hex(bytes: &[u8; 32], out: &mut String) {
    let mut text = [b'0'; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or(b'0');
        *pair = [digit(byte >> 4), digit(*byte)];
    }
    out.push_str(str::from_utf8(&text).unwrap_or_default());
}

/// Writes numbers in one place.
struct Decimal([u8; 20]);

impl Decimal {
    fn new() -> Self {
        Self([b'0'; 20])
    }

    fn of(&mut self, mut n: u64) -> &str {
        let mut begin = self.0.len();
        for place in self.0.iter_mut().rev() {
            *place = b'0'.saturating_add(u8::try_from(n % 10).unwrap_or(0));
            begin = begin.saturating_sub(1);
            n /= 10;
            if n == 0 {
                break;
            }
        }
        let digits = self.0.get(begin..).unwrap_or_default();
        str::from_utf8(digits).unwrap_or_default()
    }
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
            session_token: None,
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
        let signer = Signer::new(credentials("us-east-1"));
        let expected = "https://examplebucket.s3.amazonaws.com/test.txt\
            ?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        for (now_s, same) in [
            (1_369_353_600, true),
            (1_369_440_000, false),
            (1_369_353_600, true),
        ] {
            let url = signer.presign(&request, now_s, 86_400).unwrap();
            assert_eq!(url == expected, same, "the key is the day's: {url}");
        }
    }

    #[test]
    fn a_lent_key_says_so() {
        let session_token = Some("a+b/c=".to_owned());
        let signer = Signer::new(Credentials {
            session_token,
            ..credentials("auto")
        });
        let request = Request {
            method: "GET",
            origin: "https://h",
            path: "/k",
            query: &[],
            headers: &[],
        };
        let url = signer.presign(&request, 1, 1).unwrap();
        let token = "&X-Amz-Security-Token=a%2Bb%2Fc%3D&X-Amz-SignedHeaders=host&";
        assert!(url.contains(token), "{url}");
    }

    #[test]
    fn parts_are_signed_together_as_each_would_be_alone() {
        let session_token = Some("a+b".to_owned());
        let lent = Credentials {
            session_token,
            ..credentials("eu-west-1")
        };
        for signer in [Signer::new(credentials("auto")), Signer::new(lent)] {
            for (path, id) in [("/b/k", "x"), ("/b/é /k+~", "2~a+b/c=&é")] {
                let parts = [(1, 0), (10, 9), (10_000, u64::MAX), (u32::MAX, 5 << 30)];
                let origin = "https://h:8443";
                let together = signer.presign_parts(origin, path, id, &parts, 1_800_000_000, 900);
                for ((number, bytes), url) in parts.iter().zip(together.unwrap()) {
                    let query = [("partNumber", number.to_string()), ("uploadId", id.into())];
                    let headers = [("content-length", bytes.to_string())];
                    let request = Request {
                        method: "PUT",
                        origin,
                        path,
                        query: &query,
                        headers: &headers,
                    };
                    let alone = signer.presign(&request, 1_800_000_000, 900);
                    assert_eq!(alone, Some(url));
                }
            }
        }
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
        let encoded = |text: &str, is_path| {
            let mut out = String::new();
            encode(text, is_path, &mut out);
            out
        };
        assert_eq!(encoded("aZ09-._~", false), "aZ09-._~");
        assert_eq!(
            encoded("a b+c/é=%&?#", false),
            "a%20b%2Bc%2F%C3%A9%3D%25%26%3F%23"
        );
        assert_eq!(encoded("/a//../b c", true), "/a//../b%20c");
        assert_eq!(encoded("é😀", true), "%C3%A9%F0%9F%98%80");
        assert_eq!(encoded("", true), "");
    }
}

//! Capabilities that were altered, are old or of something else.

use satchel_crypto::{b32, b64};

use super::*;

const ISSUER: &str = "https://satchel.example";
const NOW_S: u64 = 1_800_000_000;

fn session(n: u8) -> SessionId {
    SessionId::parse(&format!("ses_{}", b32::encode(&[n; 20]))).unwrap()
}

fn key() -> Key32 {
    Key32::from_bytes([7; 32])
}

fn capability() -> Capability {
    Capability {
        aud: ISSUER.into(),
        session: session(1),
        handle: "pur_AbC-_9".into(),
        work: WorkId::parse(&format!("wrk_{}", b32::encode(&[1; 32]))).unwrap(),
        version: 1,
        jkt: Thumbprint::parse(&b64::encode(&[2; 32])).unwrap(),
        read_ms: NOW_S * 1000,
        exp: NOW_S + CAPABILITY_LIFE_S,
    }
}

fn by_path() -> HlsCapability {
    let Capability {
        aud,
        session,
        handle,
        work,
        version,
        ..
    } = capability();
    let manifest = Digest::parse(&b64::encode(&[3; 32])).unwrap();
    let exp = NOW_S + HLS_GRACE_S;
    HlsCapability {
        aud,
        session,
        handle,
        work,
        version,
        manifest,
        exp,
    }
}

fn verify(token: &str) -> Result<Capability> {
    Capability::verify(token, &key(), ISSUER, &session(1), NOW_S)
}

/// A simple generator: what it gives is written down with the seed of a failure.
struct Seed(u64);

impl Seed {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33)
            .unwrap()
            .checked_rem(limit)
            .unwrap_or_default()
    }
}

/// A token with one to four characters changed, taken out, put in, swapped or doubled.
fn mutated(token: &str, seed: &mut Seed) -> String {
    const ALPHABET: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %\0\n";
    let mut bytes = token.as_bytes().to_vec();
    for _ in 0..=seed.below(4) {
        let at = seed.below(bytes.len());
        if bytes.len() < 2 {
            break;
        }
        let letter = ALPHABET[seed.below(ALPHABET.len())];
        match seed.below(6) {
            0 => bytes[at] = letter,
            1 => bytes[at] ^= 1 << seed.below(7),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, letter),
            4 => {
                let other = seed.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[test]
fn no_mutated_capability_is_accepted() {
    let count = if std::env::var_os("SATCHEL_SOAK").is_some() {
        1_000_000
    } else {
        20_000
    };
    let (good, path) = (
        capability().issue(&key()).unwrap(),
        by_path().issue(&key()).unwrap(),
    );
    assert!(verify(&good).is_ok());
    assert!(HlsCapability::verify(&path, &key(), ISSUER, NOW_S).is_ok());
    let mut seed = Seed(20_261_125);
    let mut tried = 0_u32;
    while tried < count {
        let (bad, bad_path) = (mutated(&good, &mut seed), mutated(&path, &mut seed));
        // Changes may undo each other.
        if bad == good || bad_path == path {
            continue;
        }
        tried += 1;
        assert_eq!(
            verify(&bad).unwrap_err().code,
            ErrorCode::CapabilityInvalid,
            "{bad}"
        );
        let code = HlsCapability::verify(&bad_path, &key(), ISSUER, NOW_S)
            .unwrap_err()
            .code;
        assert_eq!(code, ErrorCode::CapabilityInvalid, "{bad_path}");
    }
    eprintln!("    {tried} mutated capabilities and as many mutated paths, none accepted");
}

#[test]
fn a_capability_of_another_kind_key_session_or_issuer_is_refused_each_with_its_code() {
    let good = capability().issue(&key()).unwrap();
    let code = |token: &str| verify(token).unwrap_err().code;
    assert_eq!(
        code(&by_path().issue(&key()).unwrap()),
        ErrorCode::CapabilityInvalid
    );
    let foreign = capability().issue(&Key32::from_bytes([8; 32])).unwrap();
    assert_eq!(code(&foreign), ErrorCode::CapabilityInvalid);
    let other = Capability {
        session: session(2),
        ..capability()
    };
    assert_eq!(
        code(&other.issue(&key()).unwrap()),
        ErrorCode::CapabilityElsewhere
    );
    let other = Capability {
        aud: "https://else.example".into(),
        ..capability()
    };
    assert_eq!(
        code(&other.issue(&key()).unwrap()),
        ErrorCode::CapabilityElsewhere
    );
    let as_path = HlsCapability::verify(&good, &key(), ISSUER, NOW_S).unwrap_err();
    assert_eq!(as_path.code, ErrorCode::CapabilityInvalid);
    let other = HlsCapability {
        aud: "https://else.example".into(),
        ..by_path()
    };
    let token = other.issue(&key()).unwrap();
    let error = HlsCapability::verify(&token, &key(), ISSUER, NOW_S).unwrap_err();
    assert_eq!(error.code, ErrorCode::CapabilityElsewhere);
}

#[test]
fn a_capability_ends_by_the_issuers_clock_to_the_second() {
    let good = capability().issue(&key()).unwrap();
    // Five minutes back and forth: the time in it and the time of the check are the issuer's own.
    for (at, ok) in [
        (NOW_S - 300, true),
        (NOW_S + 19, true),
        (NOW_S + 20, false),
        (NOW_S + 300, false),
    ] {
        let verdict = Capability::verify(&good, &key(), ISSUER, &session(1), at);
        assert_eq!(
            verdict.map_err(|error| error.code).err(),
            (!ok).then_some(ErrorCode::CapabilityExpired),
            "{at}"
        );
    }
    let path = by_path().issue(&key()).unwrap();
    let at =
        |now_s| HlsCapability::verify(&path, &key(), ISSUER, now_s).map_err(|error| error.code);
    assert!(at(NOW_S + HLS_GRACE_S - 1).is_ok());
    assert_eq!(at(NOW_S + HLS_GRACE_S), Err(ErrorCode::CapabilityExpired));
}

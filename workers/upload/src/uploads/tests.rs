//! Tests of uploads.

use super::*;
use crate::fake::{self, Fake, block_on};

fn upload(size: u64) -> Upload {
    let part_size = part_size(size);
    Upload {
        work: fake::work(),
        version: 1,
        size,
        part_size,
        parts: u32::try_from(size.div_ceil(part_size)).unwrap(),
        creator: fake::thumbprint(1),
        expires: 2_000,
        latest: None,
        idle_s: None,
        multiparts: None,
        completing: None,
        ended: None,
        swept: None,
    }
}

fn one(world: &Fake, id: &UploadId, request: &SignIn) -> Result<SignOut> {
    match block_on(sign(world, id, &fake::thumbprint(1), request))? {
        Signed::One(signed) => Ok(signed),
        other => panic!("{other:?}"),
    }
}

fn begun(world: &Fake, size: u64) -> UploadId {
    block_on(begin(world, &fake::upload_command(1, 1, size)))
        .unwrap()
        .upload
}

fn code_of(world: &Fake, id: &UploadId, request: &SignIn) -> ErrorCode {
    let answer = block_on(sign(world, id, &fake::thumbprint(1), request));
    answer.map_or_else(|error| error.code, |done| panic!("{done:?}"))
}

fn sent(numbers: &[u32]) -> Vec<SentPart> {
    let part = |n: &u32| SentPart {
        part_number: *n,
        etag: format!("e{n}"),
    };
    numbers.iter().map(part).collect()
}

fn request(method: &str, upload_id: Option<&str>, part_number: Option<u32>) -> SignIn {
    SignIn {
        method: method.into(),
        key: upload(1).key(),
        upload_id: upload_id.map(Into::into),
        part_number,
        content_type: None,
        expires_in: None,
        part_numbers: None,
        sent: None,
    }
}

#[test]
fn parts_are_equal_and_at_most_ten_thousand() {
    for (size, part_mib, parts) in [
        (16_384, 8, 1),
        (8 << 20, 8, 1),
        ((8 << 20) + 1, 8, 2),
        (20 << 30, 8, 2_560),
        (10_000 * (8 << 20), 8, 10_000),
        (10_000 * (8 << 20) + 1, 9, 8_889),
        (header::MAX_FILE_BYTES, 858_994, 10_000),
    ] {
        let upload = upload(size);
        assert_eq!(upload.part_size, part_mib << 20, "{size}");
        assert_eq!(upload.parts, parts, "{size}");
        let (last, past) = (
            upload.part_bytes(parts).unwrap(),
            upload.part_bytes(parts + 1),
        );
        assert!(
            last >= 1 && last <= upload.part_size && past.is_none(),
            "{size}"
        );
        assert_eq!(u64::from(parts - 1) * upload.part_size + last, size);
    }
}

#[test]
fn hostile_part_numbers_are_refused() {
    let upload = upload((8 << 20) + 1);
    let creator = fake::thumbprint(1);
    for number in [0, 3, 10_001, u32::MAX] {
        let asked = request("PUT", Some("id"), Some(number));
        let error = upload.asked(&creator, &asked).unwrap_err();
        assert_eq!(error.code, ErrorCode::Malformed, "{number}");
    }
    let last = request("PUT", Some("id"), Some(2));
    assert_eq!(upload.asked(&creator, &last), Ok(Asked::Part("id", 2)));
    assert_eq!(
        (upload.part_bytes(1), upload.part_bytes(2)),
        (Some(8 << 20), Some(1))
    );
}

#[test]
fn only_the_requests_of_an_upload_are_signed() {
    let (upload, creator) = (upload(100), fake::thumbprint(1));
    let long = "x".repeat(1_025);
    let step = |request: &SignIn| upload.asked(&creator, request).map(|_| ());
    assert_eq!(step(&request("POST", None, None)), Ok(()));
    assert_eq!(step(&request("POST", Some("id"), None)), Ok(()));
    assert_eq!(step(&request("DELETE", Some("id"), None)), Ok(()));
    assert_eq!(step(&request("GET", Some("id"), None)), Ok(()));
    for (bad, code) in [
        (request("GET", None, None), ErrorCode::Malformed),
        (request("DELETE", None, None), ErrorCode::Malformed),
        (request("PUT", None, None), ErrorCode::Malformed),
        (request("PUT", Some("id"), None), ErrorCode::Malformed),
        (request("PUT", None, Some(1)), ErrorCode::Malformed),
        (request("POST", None, Some(1)), ErrorCode::Malformed),
        (request("post", None, None), ErrorCode::Malformed),
        (request("", Some("id"), Some(1)), ErrorCode::Malformed),
        (request("PUT", Some(""), Some(1)), ErrorCode::Malformed),
        (request("PUT", Some("a b"), Some(1)), ErrorCode::Malformed),
        (request("PUT", Some("é"), Some(1)), ErrorCode::Malformed),
        (request("PUT", Some(&long), Some(1)), ErrorCode::Malformed),
        (
            SignIn {
                key: "other".into(),
                ..request("POST", None, None)
            },
            ErrorCode::Malformed,
        ),
        (
            SignIn {
                content_type: Some("text/html".into()),
                ..request("POST", None, None)
            },
            ErrorCode::Malformed,
        ),
    ] {
        assert_eq!(step(&bad).unwrap_err().code, code, "{bad:?}");
    }
}

#[test]
fn another_key_and_a_late_request_are_refused() {
    let upload = upload(100);
    let create = request("POST", None, None);
    let refused = upload.asked(&fake::thumbprint(2), &create).unwrap_err();
    assert_eq!(refused.code, ErrorCode::WrongKey);
    assert!(upload.check_open(&Asked::Create, 1_999).is_ok());
    let late = upload.check_open(&Asked::Create, 2_000).unwrap_err();
    assert_eq!(late.code, ErrorCode::UploadEnded);
    assert_eq!(late.member("state"), Some(&"abandoned".into()));
}

#[test]
fn a_creator_begins_and_signs() {
    let world = Fake::with_work(0);
    let begun = block_on(begin(&world, &fake::upload_command(1, 1, 9 << 20))).unwrap();
    assert_eq!((begun.parts, begun.part_size), (2, 8 << 20));
    assert_eq!(begun.expires, fake::NOW_S + 86_400);
    assert_eq!(begun.key, format!("{}/1.satchel", fake::work()));
    let create = request("POST", None, None);
    let signed = one(&world, &begun.upload, &create).unwrap();
    let place = "http://127.0.0.1:9000/s3/files/wrk_";
    assert!(signed.url.starts_with(place), "{}", signed.url);
    let other = UploadId::parse(&format!("upl_{}", "a".repeat(32))).unwrap();
    let unknown = block_on(sign(&world, &other, &fake::thumbprint(1), &create)).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UnknownUpload);
}

#[test]
fn an_upload_needs_a_registered_work_and_a_version_not_on_sale() {
    let code = |world: &Fake, command: &str| block_on(begin(world, command)).unwrap_err().code;
    let published = Fake::with_work(2);
    let command = |version, size| fake::upload_command(1, version, size);
    assert_eq!(
        code(&Fake::empty(), &command(1, 20_000)),
        ErrorCode::UnknownWork
    );
    assert_eq!(
        code(&published, &command(2, 20_000)),
        ErrorCode::WorkConflict
    );
    assert_eq!(code(&published, &command(0, 20_000)), ErrorCode::Malformed);
    assert_eq!(code(&published, &command(3, 16_383)), ErrorCode::Malformed);
    assert_eq!(
        code(&published, &command(3, MAX_PACKED_BYTES + 1)),
        ErrorCode::Malformed
    );
    assert_eq!(
        code(&published, &fake::upload_command(2, 3, 20_000)),
        ErrorCode::WrongKey
    );
    assert!(block_on(begin(&published, &command(3, MAX_PACKED_BYTES))).is_ok());
    let down = Fake::with_state(WorkState::TakenDown);
    assert_eq!(code(&down, &command(3, 20_000)), ErrorCode::WorkTakenDown);
}

/// Somebody else's registration under this id can't exist, but is not trusted not to.
#[test]
fn the_registered_creator_decides() {
    let record = Fake::with_work(0).record();
    assert!(check_creator(&record, &fake::jwk(1)).is_ok());
    assert_eq!(
        check_creator(&record, &fake::jwk(2)).unwrap_err().code,
        ErrorCode::WrongKey
    );
}

#[test]
fn bytes_on_sale_are_not_sent_again() {
    let world = Fake::with_work(0);
    let begun = block_on(begin(&world, &fake::upload_command(1, 1, 20_000))).unwrap();
    world.set_version(1);
    for (method, id, part, refused) in [
        ("POST", None, None, true),
        ("POST", Some("id"), None, true),
        ("PUT", Some("id"), Some(1), false),
        ("DELETE", Some("id"), None, false),
    ] {
        let asked = request(method, id, part);
        let answer = block_on(sign(&world, &begun.upload, &fake::thumbprint(1), &asked));
        let conflict = answer.is_err_and(|error| error.code == ErrorCode::WorkConflict);
        assert_eq!(conflict, refused, "{method} {id:?}");
    }
}

#[test]
fn many_parts_are_signed_at_once_each_as_if_alone() {
    let world = Fake::with_work(0);
    let id = begun(&world, (8 << 20) * 150 + 5);
    let asked = |numbers: Vec<u32>| SignIn {
        part_numbers: Some(numbers),
        ..request("PUT", Some("id"), None)
    };
    let numbers: Vec<u32> = (52..=151).collect();
    let Signed::Parts(many) = block_on(sign(
        &world,
        &id,
        &fake::thumbprint(1),
        &asked(numbers.clone()),
    ))
    .unwrap() else {
        panic!("not parts")
    };
    for (number, url) in numbers.iter().zip(&many.urls) {
        let alone = one(&world, &id, &request("PUT", Some("id"), Some(*number))).unwrap();
        assert_eq!(alone.url, *url);
    }
    assert_eq!(many.urls.len(), 100);
    for bad in [vec![], vec![0], vec![1, 152], (1..=101).collect()] {
        assert_eq!(code_of(&world, &id, &asked(bad)), ErrorCode::Malformed);
    }
    let both = SignIn {
        part_number: Some(1),
        ..asked(vec![1])
    };
    assert_eq!(code_of(&world, &id, &both), ErrorCode::Malformed);
}

#[test]
fn reported_parts_are_listed_where_the_storage_lists_none() {
    let world = Fake::with_work(0);
    let id = begun(&world, (8 << 20) * 3);
    let report = SignIn {
        sent: Some(sent(&[3, 1])),
        ..request("PUT", Some("id"), Some(2))
    };
    one(&world, &id, &report).unwrap();
    let list = || match block_on(sign(
        &world,
        &id,
        &fake::thumbprint(1),
        &request("GET", Some("id"), None),
    )) {
        Ok(Signed::List(list)) => list,
        other => panic!("{other:?}"),
    };
    assert_eq!(list().sent, sent(&[1, 3]));
    // Where it lists them, it is right, and a part of a wrong length counts for nothing.
    world.will_answer(
        200,
        "<ListPartsResult><Part><PartNumber>2</PartNumber><ETag>&quot;e2&quot;</ETag>\
         <Size>8388608</Size></Part><Part><PartNumber>3</PartNumber><ETag>\"e3\"</ETag>\
         <Size>1</Size></Part></ListPartsResult>",
    );
    assert_eq!(list().sent, sent(&[2]));
    for bad in [sent(&[0]), sent(&[4]), sent(&[10_001])] {
        let forged = SignIn {
            sent: Some(bad),
            ..request("PUT", Some("id"), Some(2))
        };
        assert_eq!(code_of(&world, &id, &forged), ErrorCode::Malformed);
    }
    for etag in ["", "\"x\"", "<x>", "a b", "é", &"x".repeat(513)] {
        let mut forged = report.clone();
        forged.sent.as_mut().unwrap()[0].etag = etag.into();
        assert_eq!(
            code_of(&world, &id, &forged),
            ErrorCode::Malformed,
            "{etag}"
        );
    }
    assert_eq!(list().sent, sent(&[1, 3]), "none of it counted");
}

#[test]
fn a_completed_upload_says_so() {
    let world = Fake::with_work(0);
    let id = begun(&world, 20_000);
    let complete = request("POST", Some("id"), None);
    one(&world, &id, &complete).unwrap();
    // It may have failed: go on.
    one(&world, &id, &request("PUT", Some("id"), Some(1))).unwrap();
    one(&world, &id, &complete).unwrap();
    world.store(&object_key(&fake::work(), 1), vec![0], 20_000);
    for request in [
        complete,
        request("PUT", Some("id"), Some(1)),
        request("GET", Some("id"), None),
        request("POST", None, None),
    ] {
        let answer = block_on(sign(&world, &id, &fake::thumbprint(1), &request));
        let error = answer.unwrap_err();
        assert_eq!(error.code, ErrorCode::UploadEnded);
        assert_eq!(error.member("state"), Some(&"complete".into()));
    }
}

#[test]
fn stored_bytes_are_never_sent_again_even_before_they_are_on_sale() {
    let world = Fake::with_work(0);
    let id = begun(&world, 20_000);
    world.store(&object_key(&fake::work(), 1), vec![0], 20_000);
    let again = block_on(begin(&world, &fake::upload_command(1, 1, 20_000)));
    assert_eq!(again.unwrap_err().code, ErrorCode::WorkConflict);
    let create = request("POST", None, None);
    assert_eq!(code_of(&world, &id, &create), ErrorCode::WorkConflict);
}

#[test]
fn a_cancelled_multipart_upload_stays_so_and_another_can_begin() {
    let world = Fake::with_work(0);
    let id = begun(&world, 20_000);
    let part = |id: &str| request("PUT", Some(id), Some(1));
    let abort = request("DELETE", Some("a"), None);
    one(&world, &id, &part("a")).unwrap();
    one(&world, &id, &abort).unwrap();
    one(&world, &id, &abort).unwrap();
    assert_eq!(code_of(&world, &id, &part("a")), ErrorCode::UploadEnded);
    one(&world, &id, &part("b")).unwrap();
    for n in 2..MAX_MULTIPARTS {
        let name = format!("c{n}");
        one(&world, &id, &part(&name)).unwrap();
    }
    assert_eq!(code_of(&world, &id, &part("d")), ErrorCode::TooMany);
    one(&world, &id, &part("b")).unwrap();
}

#[test]
fn parts_keep_an_upload_alive_but_not_for_ever() {
    let world = Fake::with_work(0);
    let id = begun(&world, 20_000);
    let part = request("PUT", Some("id"), Some(1));
    let mut alive_s = 0;
    loop {
        world.wait(20 * 3_600);
        match one(&world, &id, &part) {
            Ok(_) => alive_s += 20 * 3_600,
            Err(error) => break assert_eq!(error.code, ErrorCode::UploadEnded),
        }
    }
    assert!(
        (5 * IDLE_S..=MAX_IDLES * IDLE_S).contains(&alive_s),
        "{alive_s}"
    );
    let world = Fake::with_work(0);
    let idle = begun(&world, 20_000);
    world.wait(IDLE_S);
    assert_eq!(code_of(&world, &idle, &part), ErrorCode::UploadEnded);
}

//! The end of an upload: its parts are thrown away where they are not wanted, and for a month it still
//! says how it ended.

use satchel_wire::Result;

use crate::{
    s3::Step,
    uploads::{End, Upload, is_stored},
    world::World,
};

/// Until a storage that did not answer is asked again, seconds.
const RETRY_S: u64 = 600;
/// How long an upload says how it ended, and is tried to be swept, after its time.
const MEMORY_S: u64 = 30 * 24 * 60 * 60;

/// What comes next for an upload whose alarm has gone off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nobody asks about it any more.
    Forget,
    /// Look again at this time, Unix seconds; keep the upload as it is now.
    At(u64, Upload),
}

/// Does what is due.
pub(crate) async fn due(world: &impl World, mut upload: Upload) -> Next {
    let now = world.now_s();
    if upload.ended.is_none() && now < upload.expires {
        return Next::At(upload.expires, upload);
    }
    let forgotten = upload.expires.saturating_add(MEMORY_S);
    if now >= forgotten {
        return Next::Forget;
    }
    if upload.swept != Some(true) {
        let swept = sweep(world, &mut upload).await;
        if swept.is_err() {
            return Next::At(now.saturating_add(RETRY_S), upload);
        }
        upload.swept = Some(true);
    }
    Next::At(forgotten, upload)
}

/// Throws away all multipart uploads. One that was put together is none any more, so that this loses
/// nothing that is stored.
async fn sweep(world: &impl World, upload: &mut Upload) -> Result<()> {
    if upload.ended.is_none() {
        let stored = is_stored(world, upload).await?;
        upload.ended = Some(if stored {
            End::Complete
        } else {
            End::Abandoned
        });
    }
    let storage = world.storage()?;
    let key = upload.key();
    while let Some(multipart) = upload.multiparts.as_mut().and_then(Vec::pop) {
        let step = Step::Abort {
            upload_id: &multipart.id,
        };
        let url = storage.presign(&step, &key, world.now_s(), Some(60))?.url;
        let answer = world.outside("DELETE", &url).await;
        // 404: it is gone. 400: the storage never gave such an id.
        let gone = matches!(answer, Ok((200..=299 | 400 | 404, _)));
        if !gone {
            upload.multiparts.get_or_insert_default().push(multipart);
            return Err(satchel_wire::ErrorCode::Unavailable.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use satchel_domain::id::UploadId;

    use super::*;
    use crate::{
        fake::{self, Fake, block_on},
        uploads::{self, Change, object_key},
    };

    fn begun(world: &Fake) -> (UploadId, Upload) {
        let command = fake::upload_command(1, 1, 20_000);
        let id = block_on(uploads::begin(world, &command)).unwrap().upload;
        for upload_id in ["a", "b"] {
            let change = Change {
                upload_id: Some(upload_id.into()),
                ..Change::default()
            };
            block_on(world.change(&id, &change)).unwrap();
        }
        let upload = block_on(world.upload(&id)).unwrap();
        (id, upload)
    }

    fn at(next: Next) -> (u64, Upload) {
        match next {
            Next::At(at, upload) => (at, upload),
            Next::Forget => panic!("forgotten"),
        }
    }

    #[test]
    fn an_upload_that_goes_on_is_left_alone() {
        let world = Fake::with_work(0);
        let (_, upload) = begun(&world);
        let next = block_on(due(&world, upload.clone()));
        assert_eq!(next, Next::At(upload.expires, upload));
        assert!(world.asked_outside().is_empty());
    }

    #[test]
    fn a_stale_upload_is_thrown_away_as_soon_as_the_storage_answers_and_forgotten_a_month_later() {
        let world = Fake::with_work(0);
        let (_, upload) = begun(&world);
        world.wait(24 * 3_600);
        world.will_answer(204, "");
        world.will_answer(0, "");
        let (again, upload) = at(block_on(due(&world, upload)));
        assert_eq!(again, world.now_s() + RETRY_S);
        assert_eq!(upload.ended, Some(End::Abandoned));
        let asked = world.asked_outside();
        assert_eq!(asked.len(), 2);
        assert!(asked[0].starts_with("DELETE http://") && asked[0].ends_with("uploadId=b"));
        assert!(asked[1].ends_with("uploadId=a"), "{asked:?}");
        for status in [500, 403, 429, 501] {
            world.will_answer(status, "");
            let (_, same) = at(block_on(due(&world, upload.clone())));
            assert_eq!(same, upload, "{status}");
        }
        world.asked_outside();
        world.will_answer(404, "");
        let (again, upload) = at(block_on(due(&world, upload)));
        assert_eq!(again, upload.expires + MEMORY_S);
        assert_eq!(world.asked_outside().len(), 1);
        assert_eq!(at(block_on(due(&world, upload.clone()))).1, upload);
        assert!(world.asked_outside().is_empty(), "once is enough");
        world.wait(MEMORY_S);
        assert_eq!(block_on(due(&world, upload)), Next::Forget);
    }

    #[test]
    fn an_upload_whose_bytes_are_stored_is_complete_not_abandoned() {
        let world = Fake::with_work(0);
        let (_, upload) = begun(&world);
        world.store(&object_key(&fake::work(), 1), vec![0], 20_000);
        world.wait(24 * 3_600);
        world.will_answer(404, "");
        world.will_answer(404, "");
        let (_, upload) = at(block_on(due(&world, upload)));
        assert_eq!(
            (upload.ended, upload.swept),
            (Some(End::Complete), Some(true))
        );
    }
}

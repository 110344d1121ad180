//! Plans of media: any bytes are planned or refused, a plan is of every byte of the file, and what a
//! preview is said to be is a type that a page may show.
#![no_main]

use libfuzzer_sys::fuzz_target;
use satchel_format::{
    plan::{self, MediaPlan},
    preview::PreviewType,
};

fuzz_target!(|data: &[u8]| {
    let _ = plan::sniff(data);
    for planned in [plan::mp4(&mut &*data), plan::mp3(&mut &*data)] {
        if let Ok(planned) = planned {
            check(&planned, data);
        }
    }
    if let Some(kind) = PreviewType::of(data) {
        let (group, _) = kind.media_type().split_once('/').unwrap();
        assert!(matches!(group, "image" | "audio" | "video"));
    }
});

fn check(planned: &MediaPlan, data: &[u8]) {
    assert_eq!(planned.table.size(), data.len() as u64);
    assert!(matches!(
        planned.media_type(),
        "video/mp4" | "audio/mp4" | "audio/mpeg"
    ));
    assert!(planned.mse.len() <= 255 && planned.mse.starts_with(planned.media_type()));
}

//! Works for streaming: the plans of the JavaScript SDK and of this program are the same, and what
//! can't be streamed is refused with a way out. Media are made by ffmpeg, as `npm test` requires.

use satchel_format::plan::{self, Kind, MediaPlan, PlanError};
use serde_json::{Value, json};

use crate::support::*;

const FRAGMENTED: &str = "-movflags +frag_keyframe+empty_moov+default_base_moof -f mp4";
const FILM: &str = "-f lavfi -i testsrc=size=320x180:rate=24:duration=";
const SOUND: &str = "-f lavfi -i sine=duration=";
const H264: &str = "-c:v libx264 -preset ultrafast -g 48 -pix_fmt yuv420p";

/// Has ffmpeg make a file; `args` are separated by spaces. `None` where there is no ffmpeg, and
/// otherwise whether it knows how.
fn made(folder: &Folder, name: &str, args: &str) -> Option<bool> {
    let program = std::env::var("FFMPEG").unwrap_or("ffmpeg".to_owned());
    let ran = std::process::Command::new(&program)
        .args("-v error -y".split(' ').chain(args.split(' ')))
        .arg(folder.path(name))
        .output();
    // As the SDK's tests: skipped without it.
    ran.ok().map(|output| output.status.success())
}

/// As `made`, of what every ffmpeg can do.
fn media(folder: &Folder, name: &str, args: &str) -> bool {
    let made = made(folder, name, args);
    assert_ne!(made, Some(false), "{args}");
    made.is_some()
}

fn told(plan: &MediaPlan) -> Value {
    let segments = plan.table.segments().iter();
    let segments: Vec<Value> = segments
        .map(|s| json!([s.plain_len, s.window, s.start_ms, u32::from(s.init)]))
        .collect();
    json!({"mse": plan.mse, "duration_ms": plan.duration_ms, "segments": segments})
}

/// The plan, or why there is none, as `plan.mjs` tells it.
fn planned(bytes: &[u8]) -> Value {
    let mut source = bytes;
    let planned = if plan::sniff(&bytes[..bytes.len().min(12)]) == Kind::Mp3 {
        plan::mp3(&mut source)
    } else {
        plan::mp4(&mut source)
    };
    match planned {
        Ok(plan) => {
            assert_eq!(plan.table.size(), bytes.len() as u64);
            told(&plan)
        }
        Err(PlanError::Refused(refusal)) => json!({"error": refusal.code()}),
        Err(PlanError::Source(error)) => panic!("it reads beyond the end: {error}"),
    }
}

/// Plans a file, and the file with each of these bytes changed, here and in JavaScript.
fn same(folder: &Folder, name: &str, changes: &[(usize, u8)]) -> Vec<Value> {
    let script = repository().join("cli/tests/it/plan.mjs");
    let sdk = repository().join("sdk/js").display().to_string();
    let mut args = vec![script.display().to_string(), sdk, name.to_owned()];
    for (at, xor) in changes {
        args.extend([at.to_string(), xor.to_string()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let theirs = folder.run(node(), &args).ok();
    let mut bytes = folder.read(name);
    let mut ours = vec![planned(&bytes)];
    for (at, xor) in changes {
        bytes[*at] ^= xor;
        ours.push(planned(&bytes));
        bytes[*at] ^= xor;
    }
    let theirs: Vec<Value> = theirs
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(theirs.len(), ours.len());
    for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let change = i.checked_sub(1).map(|i| changes[i]);
        assert_eq!(ours, theirs, "{name}, changed at {change:?}");
    }
    ours
}

/// Every so many bytes of the beginning, each with another bit.
fn changes(to: usize, step: usize) -> Vec<(usize, u8)> {
    let bits = (0..8).cycle().map(|bit| 1 << bit);
    (0..to).step_by(step).zip(bits).collect()
}

#[test]
fn plans_are_those_of_the_javascript_sdk() {
    let folder = Folder::new();
    let vp9 = "-c:v libvpx-vp9 -deadline realtime";
    let edited = "-movflags +frag_keyframe+delay_moov+default_base_moof -f mp4";
    let files = [
        (
            "av.mp4",
            format!("{FILM}25 {SOUND}25 {H264} -c:a aac {FRAGMENTED}"),
        ),
        (
            "b.mp4",
            format!(
                "{FILM}12 -c:v libx264 -preset veryfast -bf 3 -g 24 -pix_fmt yuv420p {FRAGMENTED}"
            ),
        ),
        (
            "edit.mp4",
            format!("{FILM}3 {SOUND}3 -c:v libx264 -bf 3 -g 24 -pix_fmt yuv420p -c:a aac {edited}"),
        ),
        (
            "every.mp4",
            format!(
                "{FILM}12 {H264} -movflags +frag_every_frame+empty_moov+default_base_moof -f mp4"
            ),
        ),
        (
            "dash.mp4",
            format!(
                "{FILM}12 {H264} -movflags +dash+frag_keyframe+empty_moov+default_base_moof -f mp4"
            ),
        ),
        ("a.mp4", format!("{SOUND}15 -c:a aac {FRAGMENTED}")),
        (
            "flac.mp4",
            format!("{SOUND}3 -c:a flac -strict -2 {FRAGMENTED}"),
        ),
        ("opus.mp4", format!("{SOUND}3 -c:a libopus {FRAGMENTED}")),
        ("mp3.mp4", format!("{SOUND}3 -c:a libmp3lame {FRAGMENTED}")),
        ("ac3.mp4", format!("{SOUND}3 -c:a ac3 {edited}")),
        ("vp9.mp4", format!("{FILM}2 {vp9} {FRAGMENTED}")),
        ("cbr.mp3", format!("{SOUND}34 -c:a libmp3lame -b:a 128k")),
        ("vbr.mp3", format!("{SOUND}34 -c:a libmp3lame -q:a 4")),
        (
            "tagged.mp3",
            format!("{SOUND}34 -c:a libmp3lame -b:a 320k -metadata title=Tide -write_id3v1 1"),
        ),
        (
            "low.mp3",
            format!("{SOUND}34 -c:a libmp3lame -ar 22050 -ac 1 -b:a 48k"),
        ),
        (
            "lower.mp3",
            format!("{SOUND}34 -c:a libmp3lame -ar 11025 -ac 1 -b:a 16k"),
        ),
    ];
    for (name, args) in files {
        if !media(&folder, name, &args) {
            return;
        }
        let plan = same(&folder, name, &[]).remove(0);
        assert!(plan["error"].is_null(), "{name}: {plan}");
        assert_eq!(
            plan["segments"][0][3], 1,
            "{name} begins with what players need first"
        );
    }
    // Not every ffmpeg has these.
    for (name, codec) in [
        (
            "hevc.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none",
        ),
        (
            "hevc10.mp4",
            "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params log-level=none",
        ),
        (
            "av1.mp4",
            "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv420p",
        ),
    ] {
        if made(&folder, name, &format!("{FILM}1 {codec} {FRAGMENTED}")) == Some(true) {
            same(&folder, name, &changes(1_000, 3));
        }
    }
    let windows = |name: &str| {
        planned(&folder.read(name))["segments"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()[1]
            .clone()
    };
    assert_eq!(
        (windows("av.mp4"), windows("cbr.mp3")),
        (json!(2), json!(3))
    );
}

#[test]
fn damaged_media_are_judged_as_the_javascript_sdk_judges_them() {
    let folder = Folder::new();
    if !media(
        &folder,
        "v.mp4",
        &format!("{FILM}4 {SOUND}4 {H264} -c:a aac {FRAGMENTED}"),
    ) {
        return;
    }
    let judged = same(&folder, "v.mp4", &changes(3_000, 2));
    assert!(judged.iter().any(|plan| plan["error"] == "malformed"));
    assert!(judged.iter().any(|plan| plan["error"] == "not_streamable"));
    assert!(judged.iter().any(|plan| plan["error"] == "not_fragmented"));
    media(
        &folder,
        "s.mp3",
        &format!("{SOUND}8 -c:a libmp3lame -q:a 4"),
    );
    same(&folder, "s.mp3", &changes(4_000, 7));
    // Cut anywhere, hurt in the middle, or no media at all.
    let bytes = folder.read("v.mp4");
    for cut in (0..bytes.len()).step_by(bytes.len() / 12) {
        folder.write("cut.mp4", &bytes[..cut]);
        assert!(same(&folder, "cut.mp4", &[])[0]["error"].is_string());
    }
    let mut bytes = folder.read("s.mp3");
    for (name, range) in [("hurt.mp3", 20_000..25_000), ("cut.mp3", 40_000..40_001)] {
        bytes
            .get_mut(range)
            .into_iter()
            .flatten()
            .for_each(|byte| *byte = 0);
        folder.write(name, &bytes);
        same(&folder, name, &[]);
    }
    for (len, fill) in [(0, 0), (3, 0), (5_000, 0), (5_000, 0xff)] {
        folder.write("noise.mp3", &[&b"ID3"[..], &vec![fill; len]].concat());
        assert_eq!(
            same(&folder, "noise.mp3", &[])[0]["error"],
            "not_streamable"
        );
    }
}

const PACK: [&str; 12] = [
    "--title",
    "Tide",
    "--price",
    "0.50",
    "--issuer",
    "http://localhost:8787",
    "--key",
    "creator.key",
    "--use",
    "stream",
    "-o",
    "out.satchel",
];

fn pack(folder: &Folder, name: &str) -> Ran {
    folder.satchel(&["key", "creator.key"]).ok();
    let ran = folder.satchel(&[&["pack", name], &PACK[..]].concat());
    std::fs::remove_file(folder.path("creator.key")).unwrap();
    ran
}

#[test]
fn fragmented_film_is_packed_for_streaming_and_opens_byte_for_byte() {
    let folder = Folder::new();
    let args = format!("{FILM}12 {SOUND}12 {H264} -c:a aac {FRAGMENTED}");
    if !media(&folder, "film.mov", &args) {
        return;
    }
    pack(&folder, "film.mov").ok();
    let info = folder.satchel(&["info", "out.satchel", "--json"]).json();
    let manifest = &info["manifest"];
    assert_eq!(manifest["terms"]["use"], "stream");
    assert_eq!(manifest["media_type"], "video/mp4");
    let plan = planned(&folder.read("film.mov"));
    assert_eq!(
        (&manifest["mse"], &manifest["duration_ms"]),
        (&plan["mse"], &plan["duration_ms"])
    );
    assert_eq!(
        manifest["segments"],
        plan["segments"].as_array().unwrap().len()
    );
    assert_eq!(info["windows"], 2);
    let open = [
        "open",
        "out.satchel",
        "-o",
        "out",
        "--key-file",
        "out.satchel.key",
    ];
    folder.satchel(&open).ok();
    assert!(folder.read("out") == folder.read("film.mov"));
}

#[test]
fn what_can_not_be_streamed_is_refused_with_the_command_that_helps() {
    let folder = Folder::new();
    if !media(
        &folder,
        "a film.mp4",
        &format!("{FILM}1 {H264} -movflags +faststart"),
    ) {
        return;
    }
    let err = pack(&folder, "a film.mp4").fails(2);
    let command = "ffmpeg -i 'a film.mp4' -c copy -movflags +frag_keyframe+empty_moov+default_base_moof 'a film-stream.mp4'";
    assert!(
        err.contains("(not_fragmented)") && err.contains(command),
        "{err}"
    );
    assert!(err.contains("--use download"), "{err}");
    // What it says to do helps.
    let ran = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("cd '{}' && {command} -v error", folder.path("").display()),
        ])
        .output();
    assert!(ran.unwrap().status.success());
    pack(&folder, "a film-stream.mp4").ok();
    media(
        &folder,
        "w.webm",
        &format!("{FILM}1 -c:v libvpx-vp9 -deadline realtime"),
    );
    for (name, bytes, said) in [
        (
            "book.pdf",
            &b"%PDF-1.7 and more"[..],
            "streaming is for sound and film",
        ),
        ("song.flac", b"fLaC and more", "-vn -c:a aac"),
        ("w.webm", &folder.read("w.webm"), "-c:v libx264"),
        (
            "cut.mp4",
            &folder.read("a film-stream.mp4")[..2_000],
            "damaged or cut short",
        ),
        ("no.mp3", b"ID3 and nothing else", "no MP3 sound"),
    ] {
        folder.write(name, bytes);
        std::fs::remove_file(folder.path("out.satchel")).ok();
        std::fs::remove_file(folder.path("out.satchel.key")).ok();
        let err = pack(&folder, name).fails(2);
        assert!(
            err.contains("(not_streamable)") && err.contains(said),
            "{name}: {err}"
        );
        assert!(err.contains("--use download"), "{name}: {err}");
        assert!(!folder.has("out.satchel") && !folder.has("out.satchel.key"));
    }
}

//! `satchel pack`: encrypts a file for its issuer, cut by length or, for streaming, where a player
//! can begin.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use satchel_crypto::{Key32, b64, cobblestone::SALT_BYTES, ed25519::PublicKey};
use satchel_format::{
    ContentKey, Description, Origin, Packer, Satchel, SignedManifest, Terms, Use, WorkId,
    manifest::Bytes, plan, work,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    args, clock,
    fail::{Exit, Failure, Result},
    file::SatchelFile,
    keyfile, lanes, money,
    out::{self, Access, Pending, Target},
    preview,
    say::{self, Progress},
    stream,
};

/// Longest key file that is read, in bytes.
const MAX_KEY_BYTES: u64 = 4_096;

/// What the user asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// What to pack; `-` is stdin, and wants --name.
    pub file: PathBuf,
    /// Where the satchel goes; `-` is stdout, and wants --key-out.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace satchel and key file if they are there already.
    #[arg(long)]
    pub force: bool,
    /// Title, 1 to 200 characters.
    #[arg(long)]
    pub title: String,
    /// Price in dollars.
    #[arg(long, value_name = "USD", value_parser = money::parse_usd)]
    pub price: u64,
    /// Let buyers pay more.
    #[arg(long)]
    pub pay_more: bool,
    /// What is sold: `download`, a file to keep, or `stream`, sound or film to be played only.
    #[arg(long = "use", value_name = "USE", default_value = "download", value_parser = usage)]
    pub usage: Use,
    /// Who sells it, e.g. <https://satchel.example>.
    #[arg(long, value_name = "URL", value_parser = args::origin, required_unless_present = "new_version_of")]
    pub issuer: Option<Origin>,
    /// The creator's key file (`satchel key FILE` makes one).
    #[arg(long, alias = "work-key", value_name = "FILE")]
    pub key: PathBuf,
    /// For a new version: an earlier satchel of the work. Nonce and issuer are taken from it, and
    /// the version is one more.
    #[arg(long, value_name = "SATCHEL", conflicts_with_all = ["nonce", "version"])]
    pub new_version_of: Option<PathBuf>,
    /// For a new version: the `work_nonce` of the earlier ones.
    #[arg(long, value_name = "BASE64URL", value_parser = nonce, allow_hyphen_values = true)]
    pub nonce: Option<Bytes<16>>,
    /// Version of the work, 1 if nothing else is said.
    #[arg(long = "work-version", value_name = "N")]
    pub version: Option<u64>,
    /// The id the work must have: it follows from the creator's key and the nonce, so with
    /// --nonce or --new-version-of.
    #[arg(long, value_name = "ID", value_parser = work_id)]
    pub work: Option<WorkId>,
    /// File name for buyers, if not this one's.
    #[arg(long)]
    pub name: Option<String>,
    /// A picture or a sample that anybody may see, at most 4 MiB: PNG, JPEG, GIF, WebP, AVIF, MP3,
    /// M4A, MP4, Ogg or WebM.
    #[arg(long, value_name = "FILE")]
    pub preview: Option<PathBuf>,
    /// Media type, if it isn't plain from the name.
    #[arg(long)]
    pub media_type: Option<String>,
    /// Where the content key goes, if not beside the satchel.
    #[arg(long, value_name = "FILE")]
    pub key_out: Option<PathBuf>,
}

/// The file that holds the content key: what the issuer takes in, and what the creator keeps.
#[derive(Serialize)]
struct KeyFile {
    v: u64,
    work: WorkId,
    work_nonce: Bytes<{ work::NONCE_BYTES }>,
    version: u64,
    content_key: String,
}
satchel_json::read!(KeyFile {
    v,
    work,
    work_nonce,
    version,
    content_key,
    ..
});

fn nonce(text: &str) -> std::result::Result<Bytes<16>, String> {
    Bytes::parse(text).map_err(|_| "not 16 bytes as base64url".to_owned())
}

fn work_id(text: &str) -> std::result::Result<WorkId, String> {
    WorkId::parse(text).map_err(|_| "not wrk_ and 52 characters of base32".to_owned())
}

fn usage(text: &str) -> std::result::Result<Use, String> {
    match text {
        "download" => Ok(Use::Download),
        "stream" => Ok(Use::Stream),
        _ => Err("download or stream".to_owned()),
    }
}

/// Runs the command.
pub fn pack(options: &Options, json: bool) -> Result<()> {
    let to_pipe = out::is_pipe(&options.out);
    let key_path = match &options.key_out {
        Some(path) => path.clone(),
        None if to_pipe => {
            return Err(Failure::new(Exit::Usage, "where does the key go?")
                .next("Add --key-out FILE: the satchel alone can never be opened."));
        }
        None => beside(&options.out),
    };
    if to_pipe {
        // Refuses a terminal.
        Target::new(&options.out, false)?;
        if json {
            return Err(Failure::new(
                Exit::Usage,
                "--json and -o - both want stdout",
            ));
        }
    }
    let made = [&options.out, &key_path];
    for path in made.into_iter().skip(usize::from(to_pipe)) {
        if !options.force && path.symlink_metadata().is_ok() {
            return Err(
                Failure::new(Exit::Usage, format!("{} is there already", path.display()))
                    .next("Choose another name, or add --force to replace it."),
            );
        }
    }
    let creator = keyfile::read(&options.key)?;
    let identity = identify(options, &creator.public())?;
    let failure = |e| Failure::file("read", &options.file, &e);
    let (mut source, size) = if out::is_pipe(&options.file) {
        out::spooled_stdin()?
    } else {
        let file = File::open(&options.file).map_err(failure)?;
        let size = file.metadata().map_err(failure)?.len();
        (file, size)
    };
    let preview = match &options.preview {
        Some(path) => preview::read(path)?,
        None => Vec::new(),
    };
    let content_key = ContentKey::from_key(Key32::from_bytes(clock::random()?));
    let mut description = describe(options, identity)?;
    let (work_nonce, version) = (Bytes(description.work_nonce), description.version);
    let table = match options.usage {
        Use::Download => plan::fixed(size)?,
        Use::Stream => {
            let plan = stream::plan(&mut source, size, &options.file, &description.media_type)?;
            if options.media_type.is_none() {
                plan.media_type().clone_into(&mut description.media_type);
            }
            description.mse = Some(plan.mse);
            description.duration_ms = Some(plan.duration_ms);
            plan.table
        }
    };
    let packer = Packer::new(description, creator, &content_key, table, preview).map_err(|e| {
        Failure {
            exit: Exit::Usage,
            ..Failure::from(e)
        }
        .next("Title, name or media type is empty, too long, or holds what no name may.")
    })?;
    let work = packer.work().clone();

    // The key first: a satchel whose key is lost can never be opened.
    let kept = KeyFile {
        v: 1,
        work,
        work_nonce,
        version,
        content_key: b64::encode(content_key.key().as_bytes()),
    };
    let kept_json = serde_json::to_vec_pretty(&kept)
        .map_err(|_| Failure::new(Exit::Machine, "the key can't be written"))?;
    let keep = || out::write(&key_path, Access::Owner, &kept_json);
    let signed = if to_pipe {
        // The front is known last and stands first.
        let mut spool = out::spool()?;
        let signed = write(packer, &mut source, size, options, &mut spool)?;
        keep()?;
        let failure = |e| Failure::file("write", &options.out, &e);
        spool.seek(SeekFrom::Start(0)).map_err(failure)?;
        std::io::copy(&mut spool, &mut std::io::stdout().lock()).map_err(failure)?;
        signed
    } else {
        let mut pending = Pending::create(&options.out, Access::Default)?;
        let signed = write(packer, &mut source, size, options, pending.file())?;
        keep()?;
        pending.finish()?;
        signed
    };
    report(options, json, &kept, &key_path, &signed)
}

/// Which version of which work it is, and who sells it.
struct Identity {
    nonce: [u8; work::NONCE_BYTES],
    version: u64,
    issuer: Origin,
}

/// From an earlier satchel or from the options; refused where that is another work than asked for.
fn identify(options: &Options, creator: &PublicKey) -> Result<Identity> {
    let wrong = |what: String| Failure::new(Exit::Usage, what).code("work_id");
    let earlier = options.new_version_of.as_deref();
    let identity = if let Some(path) = earlier {
        if out::is_pipe(path) && out::is_pipe(&options.file) {
            let what = "the file and the earlier satchel can't both come from stdin";
            return Err(Failure::new(Exit::Usage, what));
        }
        let (file, _) = SatchelFile::open_partly(path)?;
        let manifest = file.satchel.manifest();
        if manifest.creator.0 != *creator {
            let what = format!("{} is of another creator than this key", path.display());
            return Err(wrong(what).next("A work's versions are all signed with the same key."));
        }
        let issuer = options.issuer.as_ref().unwrap_or(&manifest.issuer);
        Identity {
            nonce: manifest.work_nonce.0,
            version: manifest.version.saturating_add(1),
            issuer: issuer.clone(),
        }
    } else {
        let issuer = options.issuer.clone();
        Identity {
            nonce: match &options.nonce {
                Some(nonce) => nonce.0,
                None => clock::random()?,
            },
            version: options.version.unwrap_or(1),
            issuer: issuer.ok_or_else(|| Failure::new(Exit::Usage, "who sells it?"))?,
        }
    };
    if let Some(asked) = &options.work {
        if earlier.is_none() && options.nonce.is_none() {
            return Err(wrong("--work alone can't be kept to".to_owned()).next(
                "A work's id follows from the creator's key and a nonce: add --nonce, or \
                 --new-version-of and an earlier satchel.",
            ));
        }
        let made = WorkId::derive(creator, &identity.nonce);
        if made != *asked {
            let what = format!("this key and nonce make {made}, not {asked}");
            return Err(wrong(what).next("Take the key and the nonce that work was made with."));
        }
    }
    Ok(identity)
}

fn describe(options: &Options, identity: Identity) -> Result<Description> {
    let own_name = || {
        let file = Some(&options.file).filter(|file| !out::is_pipe(file))?;
        file.file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned)
    };
    let name = options.name.clone().or_else(own_name).ok_or_else(|| {
        Failure::new(Exit::Usage, "this file has no name that can be written").next("Give --name.")
    })?;
    let media_type = options
        .media_type
        .clone()
        .unwrap_or_else(|| media_type(&name).to_owned());
    Ok(Description {
        work_nonce: identity.nonce,
        version: identity.version,
        issuer: identity.issuer,
        title: options.title.clone(),
        name,
        media_type,
        mse: None,
        duration_ms: None,
        terms: Terms {
            pay_more: options.pay_more,
            usd_micros: options.price,
            usage: options.usage,
        },
        created: clock::now_s(),
    })
}

/// Writes body, then front. Memory: some segments for each core.
fn write(
    mut packer: Packer,
    source: &mut File,
    size: u64,
    options: &Options,
    out: &mut File,
) -> Result<SignedManifest> {
    let reading = |e| Failure::file("read", &options.file, &e);
    let writing = |e| Failure::file("write", &options.out, &e);
    let mut progress = Progress::new("packing", size);
    out.seek(SeekFrom::Start(packer.front_len()))
        .map_err(writing)?;
    let lens: Vec<u32> = packer
        .table()
        .segments()
        .iter()
        .map(|s| s.plain_len)
        .collect();
    let longest = lens.iter().copied().max().unwrap_or_default();
    let mut planned = (0..).zip(lens.into_iter().map(u64::from));
    let mut leaves = Vec::new();
    lanes::run(
        lanes::lanes(u64::from(longest)),
        |lane| match planned.next() {
            Some((index, len)) => {
                let read = source.read_exact(lane.room(index, len));
                read.map(|()| true).map_err(reading)
            }
            None => Ok(false),
        },
        |lane| {
            let salt: [u8; SALT_BYTES] = clock::random()?;
            packer.seal_in_place(lane.index, &salt, &mut lane.bytes, &mut lane.frame)?;
            Ok(())
        },
        |lane| {
            out::write_parts(out, lane.frame.parts(&lane.bytes)).map_err(writing)?;
            leaves.push(lane.frame.leaf());
            progress.add(lane.bytes.len() as u64);
            Ok(())
        },
    )?;
    for leaf in leaves {
        packer.add(leaf);
    }
    if source.read(&mut [0]).map_err(reading)? != 0 {
        return Err(
            Failure::new(Exit::Machine, "the file grew while it was packed")
                .next("Pack it again when nothing writes to it."),
        );
    }
    let (front, signed) = packer.finish()?;
    out.seek(SeekFrom::Start(0)).map_err(writing)?;
    out.write_all(&front).map_err(writing)?;
    Ok(signed)
}

fn report(
    options: &Options,
    json: bool,
    kept: &KeyFile,
    key_path: &Path,
    signed: &SignedManifest,
) -> Result<()> {
    if json {
        return say::line(
            &json!({
                "packed": options.out.display().to_string(),
                "work": kept.work,
                "work_nonce": kept.work_nonce,
                "version": kept.version,
                "key_file": key_path.display().to_string(),
                "manifest": signed.token(),
                "manifest_digest": b64::encode(signed.digest()),
            })
            .to_string(),
        );
    }
    let packed = format!(
        "packed {} as {} at {}",
        options.out.display(),
        kept.work,
        money::usd(options.price)
    );
    if out::is_pipe(&options.out) {
        say::note(&packed);
    } else {
        say::line(&packed)?;
    }
    say::note(&format!(
        "Keep {} secret and safe: it opens the satchel, and the issuer needs it to sell it.",
        key_path.display()
    ));
    Ok(())
}

/// Reads the content key of this satchel from a key file.
pub fn read_key(path: &Path, satchel: &Satchel) -> Result<ContentKey> {
    let failure = |e| Failure::file("read", path, &e);
    let mut text = String::new();
    let file = File::open(path).map_err(failure)?;
    file.take(MAX_KEY_BYTES)
        .read_to_string(&mut text)
        .map_err(failure)?;
    let other = |what: &str| Failure::new(Exit::Usage, format!("{} is {what}", path.display()));
    let kept: KeyFile =
        satchel_json::from_slice(text.as_bytes()).map_err(|_| other("not a key file"))?;
    let manifest = satchel.manifest();
    if kept.work != manifest.work || kept.version != manifest.version {
        return Err(other("the key of another work or version"));
    }
    let key = Key32::from_b64(&kept.content_key).map_err(|_| other("not a key file"))?;
    Ok(ContentKey::from_key(key))
}

/// `song.satchel` → `song.satchel.key`
fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// The media types people sell most; anything else is bytes.
fn media_type(name: &str) -> &'static str {
    let extension = name
        .rsplit_once('.')
        .map_or(String::new(), |(_, e)| e.to_ascii_lowercase());
    match extension.as_str() {
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "epub" => "application/epub+zip",
        "zip" => "application/zip",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "txt" => "text/plain",
        "html" => "text/html",
        _ => "application/octet-stream",
    }
}

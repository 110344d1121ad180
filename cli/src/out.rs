//! Writing results: whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, IsTerminal as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use satchel_crypto::b32;

use crate::{
    clock,
    fail::{Exit, Failure, Result},
};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As the system does by default.
    Default,
    /// Its owner alone (0600).
    Owner,
}

/// Writes pieces that lie apart, without joining them first.
pub fn write_parts<'a>(
    out: &mut (impl Write + ?Sized),
    parts: impl Iterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.map(IoSlice::new).collect();
    let mut left = &mut slices[..];
    // Empty ones at the front are no progress.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match out.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A file that appears under its name only when it is complete.
#[derive(Debug)]
pub struct Pending {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    done: bool,
}

impl Pending {
    /// Starts a file beside its final place (a rename works within one file system only).
    pub fn create(path: &Path, access: Access) -> Result<Self> {
        if is_special(path) {
            // A rename would put a file where the device was: as root that is the end of /dev/null.
            let what = format!("{} is not a file", path.display());
            return Err(Failure::new(Exit::Usage, what)
                .next("Nothing but a file is replaced. Use -o - and send the output there."));
        }
        let name = path.file_name().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("{} is not a file name", path.display()),
            )
        })?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.part", b32::encode(&clock::random::<5>()?)));
        let temporary = path.with_file_name(temporary);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        if access == Access::Owner {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = options
            .open(&temporary)
            .map_err(|e| Failure::file("write", path, &e))?;
        Ok(Self {
            file,
            temporary,
            path: path.to_owned(),
            done: false,
        })
    }

    /// The file, to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in its place, replacing what is there.
    pub fn finish(mut self) -> Result<()> {
        let path = self.path.clone();
        let failure = |e: io::Error| Failure::file("write", &path, &e);
        self.file.sync_all().map_err(failure)?;
        fs::rename(&self.temporary, &self.path).map_err(failure)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_file(&self.temporary));
        }
    }
}

/// Writes a small file at once.
pub fn write(path: &Path, access: Access, bytes: &[u8]) -> Result<()> {
    let mut pending = Pending::create(path, access)?;
    pending
        .file()
        .write_all(bytes)
        .map_err(|e| Failure::file("write", path, &e))?;
    pending.finish()
}

/// Whether something is there that is no file: a folder, a device, a named pipe.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// The name that stands for stdin or stdout.
pub const PIPE: &str = "-";

/// Whether a path stands for stdin or stdout.
#[must_use]
pub fn is_pipe(path: &Path) -> bool {
    path == Path::new(PIPE)
}

/// A nameless file for what must be read or written in another order than it passes a pipe. Only
/// its owner can read it, and it is gone with this process.
pub fn spool() -> Result<File> {
    let name = format!("satchel-{}", b32::encode(&clock::random::<10>()?));
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failure = |e| Failure::file("write", &path, &e);
    let file = options.open(&path).map_err(failure)?;
    // Where an open file can't lose its name it keeps it; nothing secret stays in it but ciphertext
    // or what the user had in the pipe.
    drop(fs::remove_file(&path));
    Ok(file)
}

/// All of stdin, spooled, and its length.
pub fn spooled_stdin() -> Result<(File, u64)> {
    let failure = |e| Failure::file("read", Path::new("stdin"), &e);
    let mut file = spool()?;
    let length = io::copy(&mut io::stdin().lock(), &mut file).map_err(failure)?;
    file.seek(SeekFrom::Start(0)).map_err(failure)?;
    Ok((file, length))
}

/// Writes bytes to stdout. A reader that went away (`| head`) is no failure.
pub fn stdout(bytes: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::file("write", Path::new("stdout"), &error))
        }
        _ => Ok(()),
    }
}

/// Where a command's file goes: a path, or `-` for stdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file.
    Path(PathBuf),
    /// A device or a named pipe, which is written to as it is.
    Special(PathBuf),
    /// Standard output.
    Stdout,
}

impl Target {
    /// Checks before anything is paid that the result can be put there.
    pub fn new(path: &Path, force: bool) -> Result<Self> {
        if is_pipe(path) {
            if io::stdout().is_terminal() {
                return Err(
                    Failure::new(Exit::Usage, "this would fill your terminal with bytes")
                        .next("Give a file name after -o, or send the output to another program."),
                );
            }
            return Ok(Self::Stdout);
        }
        if is_special(path) && !path.is_dir() {
            return Ok(Self::Special(path.to_owned()));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(
                Failure::new(Exit::Usage, format!("{} is there already", path.display()))
                    .next("Choose another name, or add --force to replace it."),
            );
        }
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if parent.is_some_and(|parent| !parent.is_dir()) {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no folder for {}", path.display()),
            ));
        }
        Ok(Self::Path(path.to_owned()))
    }

    /// Writes through `fill`; a path holds the result only if all of it succeeded.
    pub fn write(&self, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                fill(&mut stdout)?;
                stdout
                    .flush()
                    .map_err(|e| Failure::file("write", Path::new("stdout"), &e))
            }
            Self::Special(path) => {
                let device = OpenOptions::new().write(true).open(path);
                fill(&mut device.map_err(|e| Failure::file("write", path, &e))?)
            }
            Self::Path(path) => {
                let mut pending = Pending::create(path, Access::Default)?;
                fill(pending.file())?;
                pending.finish()
            }
        }
    }
}

//! Running the commands in a folder of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// A folder that is gone when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("satchel-test-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs `satchel` here.
    pub(crate) fn satchel(&self, args: &[&str]) -> Ran {
        self.run(env!("CARGO_BIN_EXE_satchel"), args)
    }

    pub(crate) fn run(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Ran {
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .env_remove("SATCHEL_WALLET")
            .output()
            .expect("the program runs");
        Ran(output)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Folder {
    /// As `satchel`, with these bytes on stdin.
    pub(crate) fn piped(&self, args: &[&str], stdin: &[u8]) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_satchel"))
            .args(args)
            .current_dir(&self.0)
            .env_remove("SATCHEL_WALLET")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        let bytes = stdin.to_vec();
        // A program that refuses early reads nothing.
        let writer = std::thread::spawn(move || drop(std::io::Write::write_all(&mut pipe, &bytes)));
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("the writer ends");
        Ran(output)
    }
}

/// What a command did.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    /// It did what it was asked; gives its stdout.
    pub(crate) fn ok(&self) -> String {
        assert!(self.0.status.success(), "{}", self.stderr());
        self.stdout()
    }

    /// As `ok`, for `--json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// It ended with this exit code; gives its stderr.
    pub(crate) fn fails(&self, code: i32) -> String {
        assert_eq!(
            self.0.status.code(),
            Some(code),
            "{}{}",
            self.stdout(),
            self.stderr()
        );
        self.stderr()
    }

    /// It did what it was asked; gives the bytes of its stdout.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        assert!(self.0.status.success(), "{}", self.stderr());
        self.0.stdout.clone()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn vector(name: &str) -> String {
    repository()
        .join("tests/vectors")
        .join(name)
        .with_extension("satchel")
        .display()
        .to_string()
}

/// The Node the repository brings (tools/node22.mjs), or the system's.
pub(crate) fn node() -> String {
    let platform = format!(
        "{}-{}",
        if cfg!(target_os = "macos") {
            "darwin"
        } else {
            "linux"
        },
        if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x64"
        }
    );
    let package =
        |name: &str| repository().join(format!("node_modules/{name}-{platform}/bin/node"));
    let brought = [package("node"), package("node-bin")]
        .into_iter()
        .find(|path| path.exists());
    brought.map_or("node".to_owned(), |path| path.display().to_string())
}

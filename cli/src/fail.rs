//! Why a command did not do what it was asked, and the exit code that says so.

use std::{fmt, io, path::Path, process::ExitCode};

use satchel_format::FormatError;

use crate::say;

/// A result of this program.
pub type Result<T> = std::result::Result<T, Failure>;

/// Exit codes; their meaning is documented at the head of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The machine refused.
    Machine = 1,
    /// The command was given wrongly.
    Usage = 2,
    /// The file is damaged or not what its issuer has on record.
    BadFile = 3,
    /// Not done, for the buyer's protection.
    Guarded = 4,
    /// The issuer refused.
    Refused = 5,
    /// The issuer did not answer.
    NoAnswer = 6,
    /// Streaming only.
    StreamOnly = 7,
}

/// What went wrong, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// A stable code for scripts: the issuer's, or that of a fault in the file.
    pub code: Option<String>,
    /// What to do next.
    pub next: Option<String>,
    /// A number the issuer gave with its code: the account's epoch, or what is left to refund.
    pub number: Option<u64>,
}

impl Failure {
    /// A failure with nothing but its words.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            code: None,
            next: None,
            number: None,
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the stable code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Whether the issuer or a reader gave this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// A failed operation on a file.
    #[must_use]
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            Exit::Machine,
            format!("can't {doing} {}: {error}", path.display()),
        )
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Self::new(Exit::BadFile, error.to_string()).code(error.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&say::plain(&self.what))?;
        if let Some(code) = &self.code {
            write!(f, " ({})", say::plain(code))?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  {}", say::plain(next))?;
        }
        Ok(())
    }
}

/// Ends a command: says what failed on stderr and gives the exit code.
#[must_use]
pub fn finish(program: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::note(&format!("{program}: {failure}"));
            ExitCode::from(failure.exit as u8)
        }
    }
}

//! What the user sees: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal as _, Write as _};

use crate::fail::{Exit, Failure, Result};

/// Longest text of a stranger that is shown, in characters.
const MAX_CHARS: usize = 500;
/// Cells of the progress bar.
const CELLS: u64 = 30;

/// A stranger's text made harmless for a terminal: no control characters, nothing that turns the
/// direction of writing around, no endless lines.
#[must_use]
pub fn plain(text: &str) -> String {
    let hidden = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && c != '\n') || turns || matches!(c, '\u{200b}'..='\u{200f}')
    };
    text.chars()
        .take(MAX_CHARS)
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Prints a result line on stdout. A reader that went away (`| head`) is no failure.
pub fn line(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Machine,
            format!("can't write to stdout: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Prints a remark on stderr. Where even that fails there is nobody left to tell.
pub fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Asks on the terminal; `None` where there is none to ask on.
#[must_use]
pub fn confirm(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    drop(write!(io::stderr().lock(), "{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A progress bar on stderr, if that is a terminal.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    done: u64,
    shown: Option<u64>,
    terminal: bool,
}

impl Progress {
    /// Starts at nothing of `total` bytes.
    #[must_use]
    pub fn new(what: &'static str, total: u64) -> Self {
        Self {
            what,
            total,
            done: 0,
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Counts `bytes` more.
    pub fn add(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
        let percent = self
            .done
            .saturating_mul(100)
            .checked_div(self.total)
            .unwrap_or(100)
            .min(100);
        if !self.terminal || self.shown == Some(percent) {
            return;
        }
        self.shown = Some(percent);
        let full = percent.saturating_mul(CELLS).checked_div(100).unwrap_or(0);
        let bar: String = (0..CELLS)
            .map(|cell| if cell < full { '#' } else { '.' })
            .collect();
        drop(write!(
            io::stderr().lock(),
            "\r{} [{bar}] {percent:3} %",
            self.what
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            note("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_can_not_steer_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\u{202e}c\rd"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"
        );
        assert_eq!(plain("Täglich 🌊"), "Täglich 🌊");
        assert_eq!(plain(&"x".repeat(9_999)).len(), MAX_CHARS);
    }
}

//! What is wrong with a document.

use std::fmt;

/// What is wrong with a document, in words for whoever wrote it.
// Boxed: every reader of every type passes it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Wrong>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    /// The member, from the outermost to the one at fault: `terms.price`.
    path: String,
    what: String,
}

impl Error {
    /// Says what is wrong with a value.
    #[cold]
    #[must_use]
    pub fn new(what: &str) -> Self {
        Self(Box::new(Wrong {
            path: String::new(),
            what: what.to_owned(),
        }))
    }

    /// A number where a text belongs, and the like.
    #[cold]
    #[must_use]
    pub fn wrong_kind() -> Self {
        Self::new("not of the documented kind")
    }

    /// Says in which member it was.
    #[cold]
    #[must_use]
    pub fn within(mut self, member: &str) -> Self {
        if !self.0.path.is_empty() {
            self.0.path.insert(0, '.');
        }
        self.0.path.insert_str(0, member);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            f.write_str(&self.0.path)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.0.what)
    }
}

impl std::error::Error for Error {}

//! From a request to the bytes that answer it, in as few looks at the bucket as are sure.

use satchel_edge::{TtlCache, now_ms};
use satchel_wire::{ApiError, ErrorCode, Result};

use crate::{
    answer::{Answer, Asked},
    file::File,
};

thread_local! {
    /// Files seen lately. A player asks for many parts of one file, and each look costs.
    static KNOWN: TtlCache<Stored> = TtlCache::new(60_000, 1_000);
}

/// What is known of a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Bytes.
    pub size: u64,
    /// The bucket's name for this content, without quotes.
    pub etag: String,
}

impl Stored {
    /// What the bucket says.
    pub(crate) fn new(size: u64, etag: String) -> Self {
        Self { size, etag }
    }
}

/// What to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look<'a> {
    /// Position and length within the file; all of it without.
    pub part: Option<(u64, u64)>,
    /// Only if the file still has this tag.
    pub same: Option<&'a str>,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<B> {
    /// Of which content.
    pub stored: Stored,
    /// `None` if it was not the same.
    pub body: Option<B>,
}

impl<B> Found<B> {
    /// What the bucket gave.
    pub(crate) fn new(stored: Stored, body: Option<B>) -> Self {
        Self { stored, body }
    }
}

/// The bucket. An error is the bucket's failing, logged.
pub(crate) trait Store {
    /// Bytes on their way to the client.
    type Body;

    /// What is stored under a key.
    async fn head(&self, key: &str) -> Result<Option<Stored>>;

    /// The file, or a part that lies within it.
    async fn get(&self, key: &str, look: Look<'_>) -> Result<Option<Found<Self::Body>>>;
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served<B> {
    /// What is sent.
    pub answer: Answer,
    /// Of what.
    pub stored: Stored,
    /// The bytes, where there are any.
    pub body: Option<B>,
}

/// Answers, and remembers what was seen of the file.
pub(crate) async fn serve<S: Store>(
    store: &S,
    file: &File,
    asked: &Asked,
) -> Result<Served<S::Body>> {
    let key = file.key();
    let known = KNOWN.with(|files| files.get(&key, now_ms()));
    let served = decide(store, &key, asked, known).await?;
    KNOWN.with(|files| files.put(&key, served.stored.clone(), now_ms()));
    Ok(served)
}

/// `known` is believed only where the bucket itself checks it.
async fn decide<S: Store>(
    store: &S,
    key: &str,
    asked: &Asked,
    known: Option<Stored>,
) -> Result<Served<S::Body>> {
    if asked.is_plain_get() {
        let Found { stored, body } = there(store.get(key, Look::default()).await)?;
        return Ok(Served {
            answer: Answer::Whole,
            stored,
            body,
        });
    }
    if let Some(known) = known.filter(|known| !asked.head && Answer::to(asked, known).has_bytes())
        && let Some(served) = read(store, key, asked, known).await?
    {
        return Ok(served);
    }
    let fresh = there(store.head(key).await)?;
    let answer = Answer::to(asked, &fresh);
    if asked.head || !answer.has_bytes() {
        return Ok(Served {
            answer,
            stored: fresh,
            body: None,
        });
    }
    // Replaced between two looks: looking once more would be no surer.
    read(store, key, asked, fresh)
        .await?
        .ok_or_else(|| ErrorCode::Unavailable.into())
}

/// Reads what answers the request; `None` if the file is no longer the one that is known.
async fn read<S: Store>(
    store: &S,
    key: &str,
    asked: &Asked,
    known: Stored,
) -> Result<Option<Served<S::Body>>> {
    let answer = Answer::to(asked, &known);
    let look = Look {
        part: answer.part(),
        same: Some(&known.etag),
    };
    let found = there(store.get(key, look).await)?;
    Ok(found.body.map(|body| Served {
        answer,
        stored: known,
        body: Some(body),
    }))
}

fn there<T>(found: Result<Option<T>>) -> Result<T> {
    let found = found.map_err(|_| ApiError::from(ErrorCode::Unavailable))?;
    found.ok_or_else(|| ErrorCode::UnknownWork.into())
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// A bucket with one file, which can be replaced between looks.
    struct Fake {
        contents: RefCell<Vec<&'static str>>,
        looks: RefCell<Vec<&'static str>>,
    }

    impl Fake {
        /// `contents`: what is found, look after look; the last one stays.
        fn new(contents: &[&'static str]) -> Self {
            let contents = contents.iter().rev().copied().collect();
            Self {
                contents: RefCell::new(contents),
                looks: RefCell::default(),
            }
        }

        fn look(&self, name: &'static str) -> &'static str {
            self.looks.borrow_mut().push(name);
            let mut contents = self.contents.borrow_mut();
            if contents.len() > 1 {
                contents.pop().unwrap()
            } else {
                contents[0]
            }
        }
    }

    fn stored(content: &str) -> Stored {
        Stored {
            size: content.len() as u64,
            etag: format!("tag of {content}"),
        }
    }

    impl Store for Fake {
        type Body = String;

        async fn head(&self, _: &str) -> Result<Option<Stored>> {
            let content = self.look("head");
            Ok(Some(stored(content)).filter(|s| s.size > 0))
        }

        async fn get(&self, _: &str, look: Look<'_>) -> Result<Option<Found<String>>> {
            let content = self.look("get");
            let stored = stored(content);
            if stored.size == 0 {
                return Ok(None);
            }
            let number = |n: u64| usize::try_from(n).unwrap();
            let (from, length) = look
                .part
                .map_or((0, content.len()), |(o, l)| (number(o), number(l)));
            let same = look.same.is_none_or(|tag| tag == stored.etag);
            let body = same.then(|| content.chars().skip(from).take(length).collect());
            Ok(Some(Found { stored, body }))
        }
    }

    fn run(fake: &Fake, asked: &Asked, known: Option<Stored>) -> Result<(Answer, Option<String>)> {
        let future = pin!(decide(fake, "key", asked, known));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(served) => served.map(|served| (served.answer, served.body)),
            Poll::Pending => panic!("the fake never waits"),
        }
    }

    fn bytes(range: &str) -> Asked {
        Asked {
            range: Some(format!("bytes={range}")),
            ..Asked::default()
        }
    }

    fn body(fake: &Fake, asked: &Asked, known: Option<Stored>) -> (u16, String) {
        let (answer, body) = run(fake, asked, known).unwrap();
        (answer.status(), body.unwrap_or_default())
    }

    #[test]
    fn the_whole_file_takes_one_look() {
        let fake = Fake::new(&["hello"]);
        assert_eq!(body(&fake, &Asked::default(), None), (200, "hello".into()));
        assert_eq!(*fake.looks.borrow(), ["get"]);
    }

    #[test]
    fn a_part_of_a_known_file_takes_one_look_and_of_another_two() {
        let fake = Fake::new(&["hello"]);
        assert_eq!(body(&fake, &bytes("1-3"), None), (206, "ell".into()));
        assert_eq!(
            body(&fake, &bytes("-2"), Some(stored("hello"))),
            (206, "lo".into())
        );
        assert_eq!(*fake.looks.borrow(), ["head", "get", "get"]);
    }

    #[test]
    fn a_file_that_was_replaced_is_noticed_and_never_mixed() {
        let fake = Fake::new(&["world, new"]);
        assert_eq!(
            body(&fake, &bytes("6-"), Some(stored("hello"))),
            (206, " new".into())
        );
        assert_eq!(*fake.looks.borrow(), ["head", "get"]);
        let fake = Fake::new(&["world, new"]);
        assert_eq!(
            body(&fake, &bytes("0-2"), Some(stored("hello"))),
            (206, "wor".into())
        );
        assert_eq!(*fake.looks.borrow(), ["get", "head", "get"]);
        let fake = Fake::new(&["one", "two"]);
        let error = run(&fake, &bytes("0-1"), None).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unavailable);
    }

    #[test]
    fn head_reads_no_bytes_and_knows_no_range() {
        let fake = Fake::new(&["hello"]);
        let asked = Asked {
            head: true,
            ..Asked::default()
        };
        assert_eq!(
            body(&fake, &asked, Some(stored("old"))),
            (200, String::new())
        );
        let asked = Asked {
            head: true,
            ..bytes("9-")
        };
        assert_eq!(body(&fake, &asked, None), (200, String::new()));
        assert_eq!(*fake.looks.borrow(), ["head", "head"]);
    }

    #[test]
    fn neither_304_nor_416_is_decided_from_memory() {
        let fake = Fake::new(&["a longer one"]);
        let asked = Asked {
            if_none_match: Some("\"tag of x\"".into()),
            ..Asked::default()
        };
        assert_eq!(
            body(&fake, &asked, Some(stored("x"))),
            (200, "a longer one".into())
        );
        assert_eq!(
            body(&fake, &bytes("50-"), Some(stored("x"))),
            (416, String::new())
        );
    }

    #[test]
    fn what_is_not_there_is_an_unknown_work() {
        for asked in [
            Asked::default(),
            bytes("0-"),
            Asked {
                head: true,
                ..Asked::default()
            },
        ] {
            let error = run(&Fake::new(&[""]), &asked, None).unwrap_err();
            assert_eq!(error.code, ErrorCode::UnknownWork, "{asked:?}");
            let error = run(&Fake::new(&[""]), &asked, Some(stored("gone"))).unwrap_err();
            assert_eq!(error.code, ErrorCode::UnknownWork, "{asked:?}");
        }
    }
}

//! Reading JSON into our types: strictly, and with little code.
//!
//! A text is parsed once into a tree of [`Value`]s; types take their members out of it.
//! serde's derived code does the same with a parser of its own for each type, which was a third of a
//! worker (docs/adr/0008). One reading everywhere also keeps the rules of docs/API.md everywhere: an
//! object is written as an object and never as an array of its members, numbers are whole, each
//! member stands there once, and the error names the one at fault.
//!
//! Types are written by serde's derived code into [`to_vec`], byte for byte as serde_json does it
//! and with less code (docs/adr/0013).
//!
//! ```
//! #[derive(Debug, PartialEq)]
//! struct Price { usd_micros: u64, note: Option<String> }
//! satchel_json::read!(Price { usd_micros, note });
//!
//! let price: Price = satchel_json::from_slice(br#"{"usd_micros":100}"#)?;
//! assert_eq!(price, Price { usd_micros: 100, note: None });
//! # Ok::<(), satchel_json::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod parse;
mod write;

use std::{borrow::Cow, collections::BTreeMap};

pub use error::Error;
pub use parse::Value;
pub use write::{Unwritable, to_string, to_vec};

/// What can be read from a JSON value.
pub trait FromJson: Sized {
    /// Reads it.
    fn from_json(value: Value<'_>) -> Result<Self, Error>;

    /// What an absent member means; nothing for most types.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

/// A place that is filled from JSON where it lies. Types with a blank value are read so: moving
/// every member of every type into it, and dropping those read before one at fault, was half of
/// their readers.
pub trait Slot {
    /// What stands there before something is read; no value of its kind yet, and never seen as one.
    #[must_use]
    fn blank() -> Self
    where
        Self: Sized;

    /// Reads into a blank; after an error nothing of it may be used.
    fn fill(&mut self, value: Value<'_>) -> Result<(), Error>;

    /// Whether the blank is what an absent member means.
    #[must_use]
    fn may_be_absent(&self) -> bool {
        false
    }
}

impl<T: Slot> FromJson for T {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        let mut slot = Self::blank();
        slot.fill(value)?;
        Ok(slot)
    }

    fn absent() -> Option<Self> {
        Some(Self::blank()).filter(Self::may_be_absent)
    }
}

/// Reads a `T` from a JSON text.
pub fn from_slice<T: FromJson>(text: &[u8]) -> Result<T, Error> {
    T::from_json(Value::parse(text)?)
}

/// Gives a struct its reader. Each member is named once; `member = "name"` where JSON calls it
/// otherwise; `..` at the end lets unknown members pass, for answers of a newer server.
#[macro_export]
macro_rules! read {
    ($type:ident { $($member:ident $(= $name:literal)?,)* .. }) => {
        $crate::read!(@impl $type { $($member $(= $name)?,)* } rest);
    };
    ($type:ident { $($member:ident $(= $name:literal)?),* $(,)? }) => {
        $crate::read!(@impl $type { $($member $(= $name)?,)* } end);
    };
    (@impl $type:ident { $($member:ident $(= $name:literal)?,)* } $end:ident) => {
        impl $crate::Slot for $type {
            fn blank() -> Self {
                Self { $($member: $crate::Slot::blank(),)* }
            }

            fn fill(&mut self, value: $crate::Value<'_>) -> ::core::result::Result<(), $crate::Error> {
                let mut members = $crate::Members::of(value);
                $(members.fill($crate::read!(@name $member $($name)?), &mut self.$member);)*
                members.$end()
            }
        }
    };
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $name:literal) => { $name };
}

/// Gives an enum of names its reader.
#[macro_export]
macro_rules! read_names {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $crate::Slot for $type {
            fn blank() -> Self {
                $crate::read_names!(@first $($variant)*)
            }

            fn fill(&mut self, value: $crate::Value<'_>) -> ::core::result::Result<(), $crate::Error> {
                *self = match &*value.text()? {
                    $($name => Self::$variant,)*
                    _ => return Err($crate::Error::new("not one of the documented values")),
                };
                Ok(())
            }
        }
    };
    (@first $variant:ident $($rest:ident)*) => { Self::$variant };
}

/// The members of an object on their way into places ([`read!`]); the first error stays until the end.
#[derive(Debug)]
pub struct Members<'a> {
    object: Object<'a>,
    wrong: Result<(), Error>,
}

impl<'a> Members<'a> {
    /// Of a value.
    #[must_use]
    pub fn of(value: Value<'a>) -> Self {
        match Object::of(value) {
            Ok(object) => Self {
                object,
                wrong: Ok(()),
            },
            Err(error) => Self {
                object: Object(Vec::new()),
                wrong: Err(error),
            },
        }
    }

    /// Reads a member.
    pub fn fill(&mut self, name: &str, slot: &mut dyn Slot) {
        if self.wrong.is_err() {
            return;
        }
        let read = match self.object.take(name) {
            Some(value) => slot.fill(value),
            None if slot.may_be_absent() => Ok(()),
            None => Err(Error::new("missing")),
        };
        self.wrong = read.map_err(|error| error.within(name));
    }

    /// Ends the reading: nothing may be left.
    pub fn end(mut self) -> Result<(), Error> {
        self.wrong?;
        self.object.end()
    }

    /// Ends the reading, whatever is left.
    pub fn rest(self) -> Result<(), Error> {
        self.wrong
    }

    /// Ends the reading with what is left.
    pub fn into_value(self) -> Result<Value<'a>, Error> {
        self.wrong.map(|()| self.object.into_value())
    }
}

/// The members of an object that were not read yet.
#[derive(Debug)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// Of a value.
    pub fn of(value: Value<'a>) -> Result<Self, Error> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Error::wrong_kind()),
        }
    }

    /// Takes a member out, if it is there.
    pub fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Reads a member.
    pub fn member<T: FromJson>(&mut self, name: &str) -> Result<T, Error> {
        match self.take(name) {
            Some(value) => T::from_json(value).map_err(|error| error.within(name)),
            None => T::absent().ok_or_else(|| Error::new("missing").within(name)),
        }
    }

    /// Reads a member that may be absent but not `null`.
    pub fn present<T: FromJson>(&mut self, name: &str) -> Result<Option<T>, Error> {
        self.take(name)
            .map(|value| T::from_json(value).map_err(|error| error.within(name)))
            .transpose()
    }

    /// Ends the reading: nothing may be left.
    pub fn end(&mut self) -> Result<(), Error> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::new("unknown or given twice").within(name)),
        }
    }

    /// What is left, to be read as something else.
    #[must_use]
    pub fn into_value(self) -> Value<'a> {
        Value::Object(self.0)
    }
}

impl Slot for String {
    fn blank() -> Self {
        Self::new()
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        *self = value.text()?.into_owned();
        Ok(())
    }
}

impl Slot for bool {
    fn blank() -> Self {
        false
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        match value {
            Value::Bool(value) => *self = value,
            _ => return Err(Error::wrong_kind()),
        }
        Ok(())
    }
}

impl Slot for u64 {
    fn blank() -> Self {
        0
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        match value {
            Value::Unsigned(value) => *self = value,
            _ => return Err(Error::wrong_kind()),
        }
        Ok(())
    }
}

macro_rules! smaller {
    ($($type:ident)*) => {$(
        impl Slot for $type {
            fn blank() -> Self {
                0
            }

            fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
                *self = $type::try_from(u64::from_json(value)?).map_err(|_| Error::new("out of range"))?;
                Ok(())
            }
        }
    )*};
}
smaller! { u8 u16 u32 }

/// Absent and `null` are the same.
impl<T: Slot> Slot for Option<T> {
    fn blank() -> Self {
        None
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        match value {
            Value::Null => Ok(()),
            value => self.insert(T::blank()).fill(value),
        }
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

impl<T: Slot> Slot for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        let Value::List(items) = value else {
            return Err(Error::wrong_kind());
        };
        for item in items {
            let mut slot = T::blank();
            slot.fill(item)?;
            self.push(slot);
        }
        Ok(())
    }
}

/// Absent and empty are the same.
impl<K: Slot + Ord, T: Slot> Slot for BTreeMap<K, T> {
    fn blank() -> Self {
        Self::new()
    }

    fn fill(&mut self, value: Value<'_>) -> Result<(), Error> {
        for (name, value) in Object::of(value)?.0 {
            let key = K::from_json(Value::Text(name.clone()));
            let both = key.and_then(|key| Ok((key, T::from_json(value)?)));
            let (key, value) = both.map_err(|error| error.within(&name))?;
            if self.insert(key, value).is_some() {
                return Err(Error::new("given twice").within(&name));
            }
        }
        Ok(())
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

/// Whether people can be shown a text as it is: without control characters, and without those that
/// turn the order of what follows (Unicode UAX 9, explicit formatting), by which
/// `song\u{202e}3pm.exe` would look like `songexe.mp3` (docs/FORMAT.md §4).
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || turns(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Inner {
        a: u64,
        b: Option<String>,
    }
    read!(Inner { a, b });

    #[derive(Debug, PartialEq)]
    enum Colour {
        DarkRed,
    }
    read_names!(Colour { DarkRed = "dark_red" });

    #[derive(Debug, PartialEq)]
    struct Outer {
        inner: Inner,
        list: Vec<Inner>,
        usage: Colour,
        small: u8,
    }
    read!(Outer { inner, list, usage = "use", small });

    #[derive(Debug, PartialEq)]
    struct Some1 {
        small: u8,
    }
    read!(Some1 { small, .. });

    const GOOD: &str = r#"{"inner":{"a":1,"b":"\u00e9"},"list":[{"a":18446744073709551615}],"use":"dark_red","small":255}"#;

    fn error(text: &str) -> String {
        from_slice::<Outer>(text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_document_is_read_as_it_is_written() {
        let inner = Inner {
            a: 1,
            b: Some("é".into()),
        };
        let other = Inner {
            a: u64::MAX,
            b: None,
        };
        let outer = Outer {
            inner,
            list: vec![other],
            usage: Colour::DarkRed,
            small: 255,
        };
        assert_eq!(from_slice::<Outer>(GOOD.as_bytes()), Ok(outer));
        assert_eq!(
            from_slice::<Some1>(GOOD.as_bytes()),
            Ok(Some1 { small: 255 })
        );
    }

    #[test]
    fn an_error_names_the_member_at_fault() {
        for (from, to, want) in [
            (
                r#""a":1"#,
                r#""a":"1""#,
                "inner.a: not of the documented kind",
            ),
            (
                r#""a":1"#,
                r#""a":-1"#,
                "inner.a: not of the documented kind",
            ),
            (r#""a":1,"#, "", "inner.a: missing"),
            (
                r#""a":1"#,
                r#""a":1,"a":1"#,
                "inner.a: unknown or given twice",
            ),
            (
                r#""a":1"#,
                r#""a":1,"c":1"#,
                "inner.c: unknown or given twice",
            ),
            ("dark_red", "blue", "use: not one of the documented values"),
            ("255", "256", "small: out of range"),
            (
                r#""dark_red""#,
                r#"{"dark_red":null}"#,
                "use: not of the documented kind",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            assert_eq!(error(&GOOD.replacen(from, to, 1)), want);
        }
    }

    #[test]
    fn an_array_is_not_an_object_and_a_fraction_is_not_a_number() {
        assert_eq!(
            error(&GOOD.replace(r#"{"a":1,"b":"\u00e9"}"#, r"[1,null]")),
            "inner: not of the documented kind"
        );
        for bad in [
            "1.0",
            "1e3",
            "1.5",
            "18446744073709551616",
            "01",
            "+1",
            "NaN",
        ] {
            let text = GOOD.replacen(r#""a":1"#, &format!(r#""a":{bad}"#), 1);
            assert!(
                error(&text).starts_with("not JSON as documented, line 1 column"),
                "{bad}"
            );
        }
    }

    #[test]
    fn endless_nesting_and_rubbish_after_the_end_are_refused() {
        for bad in [
            "[".repeat(100_000),
            format!("{GOOD}x"),
            String::new(),
            "\u{feff}{}".into(),
        ] {
            assert!(from_slice::<Outer>(bad.as_bytes()).is_err());
        }
        assert!(from_slice::<Outer>(b"{\"\xff\":1}").is_err());
    }
}

//! Reading JSON into our types: strictly, and with little code.
//!
//! serde_json parses a text once into a tree of [`Value`]s; types take their members out of it.
//! serde's derived code does the same with a parser of its own for each type, which was a third of a
//! worker (docs/adr/0008). One reading everywhere also keeps the rules of docs/API.md everywhere: an
//! object is written as an object and never as an array of its members, numbers are whole, each
//! member stands there once, and the error names the one at fault.
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

use std::{borrow::Cow, collections::BTreeMap};

pub use error::Error;
pub use parse::Value;

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
        impl $crate::FromJson for $type {
            fn from_json(value: $crate::Value<'_>) -> ::core::result::Result<Self, $crate::Error> {
                let mut members = $crate::Object::of(value)?;
                let read = Self { $($member: members.member($crate::read!(@name $member $($name)?))?,)* };
                members.$end()?;
                Ok(read)
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
        impl $crate::FromJson for $type {
            fn from_json(value: $crate::Value<'_>) -> ::core::result::Result<Self, $crate::Error> {
                match &*value.text()? {
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::Error::new("not one of the documented values")),
                }
            }
        }
    };
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

    /// Ends the reading, whatever is left.
    pub fn rest(&mut self) -> Result<(), Error> {
        self.0.clear();
        Ok(())
    }

    /// What is left, to be read as something else.
    #[must_use]
    pub fn into_value(self) -> Value<'a> {
        Value::Object(self.0)
    }
}

impl FromJson for String {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        value.text().map(Cow::into_owned)
    }
}

impl FromJson for bool {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        match value {
            Value::Bool(value) => Ok(value),
            _ => Err(Error::wrong_kind()),
        }
    }
}

impl FromJson for u64 {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        match value {
            Value::Unsigned(value) => Ok(value),
            _ => Err(Error::wrong_kind()),
        }
    }
}

macro_rules! smaller {
    ($($type:ident)*) => {$(
        impl FromJson for $type {
            fn from_json(value: Value<'_>) -> Result<Self, Error> {
                $type::try_from(u64::from_json(value)?).map_err(|_| Error::new("out of range"))
            }
        }
    )*};
}
smaller! { u8 u16 u32 }

/// Absent and `null` are the same.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::from_json(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        match value {
            Value::List(items) => items.into_iter().map(T::from_json).collect(),
            _ => Err(Error::wrong_kind()),
        }
    }
}

/// Absent and empty are the same.
impl<K: FromJson + Ord, T: FromJson> FromJson for BTreeMap<K, T> {
    fn from_json(value: Value<'_>) -> Result<Self, Error> {
        let mut map = Self::new();
        for (name, value) in Object::of(value)?.0 {
            let key = K::from_json(Value::Text(name.clone()));
            let both = key.and_then(|key| Ok((key, T::from_json(value)?)));
            let (key, value) = both.map_err(|error| error.within(&name))?;
            if map.insert(key, value).is_some() {
                return Err(Error::new("given twice").within(&name));
            }
        }
        Ok(map)
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
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

//! The tree, and how a text becomes one: RFC 8259 less numbers that are not whole.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::Error;

/// How many arrays and objects may lie in each other.
const MAX_DEPTH: u8 = 127;

/// A JSON value. Depth is bounded, size by whoever read the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number from 0.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Self>),
    /// An object, members as written.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Value<'a> {
    /// Of a whole text.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        let mut parser = Parser { rest: text };
        if let Some(value) = parser.value(MAX_DEPTH)
            && parser.peek().is_none()
        {
            return Ok(value);
        }
        let at = text.len().saturating_sub(parser.rest.len());
        let read = text.get(..at).unwrap_or_default();
        let line = read.split(|byte| *byte == b'\n');
        let column = line.clone().next_back().map_or(0, <[u8]>::len);
        let line = line.count();
        Err(Error::new(&format!(
            "not JSON as documented, line {line} column {}",
            column.saturating_add(1)
        )))
    }

    /// A string.
    pub fn text(self) -> Result<Cow<'a, str>, Error> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Error::wrong_kind()),
        }
    }
}

impl Value<'_> {
    /// The same, borrowing from nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Unsigned(value) => Value::Unsigned(value),
            Self::Negative(value) => Value::Negative(value),
            Self::Text(text) => Value::Text(owned(text)),
            Self::List(items) => Value::List(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (owned(name), value.into_owned()))
                    .collect(),
            ),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Null, Self::Unsigned)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Unsigned(value) => to.serialize_u64(*value),
            Self::Negative(value) => to.serialize_i64(*value),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => to.collect_seq(items),
            Self::Object(members) => to.collect_map(members.iter().map(|(name, v)| (name, v))),
        }
    }
}

/// What was not read yet. A step that fails stays where it failed.
struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    /// The next byte after white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest.split_first()? {
                (b' ' | b'\t' | b'\n' | b'\r', rest) => self.rest = rest,
                (byte, _) => return Some(*byte),
            }
        }
    }

    /// Takes the next byte, whatever it is.
    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// Takes the next byte if it is this one.
    fn takes(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: u8) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Value::Text),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'n' => self.word(b"null", Value::Null),
            b't' => self.word(b"true", Value::Bool(true)),
            b'f' => self.word(b"false", Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Option<Value<'a>> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(value)
    }

    fn list(&mut self, depth: u8) -> Option<Value<'a>> {
        let mut items = Vec::new();
        self.next();
        if self.peek()? == b']' {
            self.next();
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends(b']')? {
                return Some(Value::List(items));
            }
        }
    }

    fn object(&mut self, depth: u8) -> Option<Value<'a>> {
        let mut members = Vec::new();
        self.next();
        if self.peek()? == b'}' {
            self.next();
            return Some(Value::Object(members));
        }
        loop {
            self.peek()?;
            let name = self.string()?;
            self.peek()?;
            if !self.takes(b':') {
                return None;
            }
            members.push((name, self.value(depth)?));
            if self.ends(b'}')? {
                return Some(Value::Object(members));
            }
        }
    }

    /// Whether `end` comes after an item; a comma says that there are more.
    fn ends(&mut self, end: u8) -> Option<bool> {
        self.peek()?;
        if self.takes(end) {
            return Some(true);
        }
        self.takes(b',').then_some(false)
    }

    /// A whole number that fits; without a zero before it, without a fraction or an exponent.
    fn number(&mut self) -> Option<Value<'a>> {
        let negative = self.takes(b'-');
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(digits.count())?;
        let mut number = 0_u64;
        for digit in digits {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            number = number.checked_mul(10)?.checked_add(digit)?;
        }
        let zeros = digits.first() == Some(&b'0') && (digits.len() > 1 || negative);
        if digits.is_empty() || zeros || matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.rest = rest;
        if negative {
            return 0_i64.checked_sub_unsigned(number).map(Value::Negative);
        }
        Some(Value::Unsigned(number))
    }

    /// A string; without an escape in it, a piece of the text itself.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        if !self.takes(b'"') {
            return None;
        }
        let plain = self.plain()?;
        if self.takes(b'"') {
            return Some(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.next()? {
                b'"' => return Some(Cow::Owned(text)),
                b'\\' => text.push(self.escaped()?),
                _ => return None,
            }
            text.push_str(self.plain()?);
        }
    }

    /// What stands before the next quote, escape or control character.
    fn plain(&mut self) -> Option<&'a str> {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
        let (plain, rest) = self
            .rest
            .split_at_checked(self.rest.iter().position(special)?)?;
        let plain = str::from_utf8(plain).ok()?;
        self.rest = rest;
        Some(plain)
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte.into(),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let pair = if (0xd800..0xdc00).contains(&first) {
                    self.rest = self.rest.strip_prefix(b"\\u")?;
                    [first, self.unit()?]
                } else {
                    // Nothing comes of a second half that no first one stands before.
                    [first, first]
                };
                char::decode_utf16(pair).next()?.ok()?
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16)?;
            unit = unit.wrapping_shl(4) | u16::try_from(digit).ok()?;
        }
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(text: &[u8]) {
        let theirs = serde_json::from_slice::<serde_json::Value>(text);
        let ours = Value::parse(text);
        let what = String::from_utf8_lossy(text);
        // Only numbers that are not whole, or fit no integer, are ours to refuse.
        let whole = |value: &serde_json::Value| !value.is_f64();
        match &theirs {
            Ok(value) if whole(value) => assert_eq!(
                crate::to_string(&ours.unwrap()).unwrap(),
                serde_json::to_string(value).unwrap(),
                "{what}"
            ),
            _ => assert!(ours.is_err(), "{what}"),
        }
    }

    #[test]
    fn what_json_is_and_is_not_is_what_serde_json_says() {
        for text in [
            "",
            " ",
            "null",
            " null ",
            "nul",
            "nulll",
            "true",
            "false",
            "fals",
            "[]",
            "[ ]",
            "[,]",
            "[1,]",
            "[1 2]",
            "[1",
            "[1,2]",
            "[ 1 , 2 ] ",
            "{}",
            "{ }",
            "{,}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1",
            "{\"a\" : 1 , \"b\" : [ { } ] }",
            "{} {}",
            "[]]",
            "0",
            "-0",
            "-1",
            "-",
            "00",
            "01",
            "-01",
            "+1",
            "1.",
            "1.0",
            ".5",
            "1e3",
            "1E3",
            "0e0",
            "1x",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999999",
            "\u{b}1",
            "\u{a0}1",
            "\u{feff}1",
            r#""""#,
            r#"""#,
            r#""\"""#,
            r#""\"#,
            r#""\x""#,
            r#""\b\f\n\r\t\/\\\"""#,
            r#""\u0041""#,
            r#""\u004""#,
            r#""\u00e9\u00E9""#,
            r#""\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            r#""\ud83d\u0041""#,
            r#""\ude00""#,
            r#""\ude00\ud83d""#,
            r#""\u+041""#,
            "\"\u{0}\"",
            "\"\u{1f}\"",
            "\"\n\"",
            "\"\u{7f}\u{e9}\u{1f600}\"",
            "\"a\u{1f}",
            "// x\n1",
        ] {
            agrees(text.as_bytes());
        }
        for text in [
            &b"\"\xff\""[..],
            b"\"\xc3\"",
            b"\"\xed\xa0\x80\"",
            b"\xff",
            b"\"\\n\xff\"",
        ] {
            agrees(text);
        }
        for depth in 125..131 {
            agrees(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
            agrees(format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth)).as_bytes());
        }
    }

    #[test]
    fn a_fault_is_found_where_it_stands() {
        for (text, place) in [
            ("{\n  \"a\": x }", "line 2 column 8"),
            ("", "line 1 column 1"),
            ("[1,]", "line 1 column 4"),
            ("1 2", "line 1 column 3"),
            ("[1.5]", "line 1 column 2"),
        ] {
            let error = Value::parse(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("not JSON as documented, {place}"));
        }
    }
}

//! Writing: serde's derived code hands over values, and here they become a text, the very one that
//! serde_json writes. Only what our types are made of can be written.

use std::fmt;

use serde::{
    Serialize,
    ser::{self, Impossible},
};

/// The value as JSON; an error where one of its types is none of our documents', such as a float.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    let mut text = String::new();
    value.serialize(Writer(&mut text))?;
    Ok(text)
}

/// [`to_string`] as bytes.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Unwritable> {
    to_string(value).map(String::into_bytes)
}

/// A type that no document of ours has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a type of our documents")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), Unwritable>;

/// Writes one value at the end of a text.
struct Writer<'a>(&'a mut String);

impl Writer<'_> {
    fn number(self, mut n: u64) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit |= u8::try_from(n % 10).unwrap_or(0);
            n /= 10;
            first = first.saturating_sub(1);
            if n == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or_default();
        self.0.push_str(str::from_utf8(digits).unwrap_or_default());
    }

    fn text(self, text: &str) {
        self.0.push('"');
        let mut rest = text;
        // What needs an escape is ASCII, so the text is cut between characters.
        let special = |byte: u8| matches!(byte, b'"' | b'\\' | ..0x20);
        while let Some(at) = rest.bytes().position(special)
            && let Some((plain, tail)) = rest.split_at_checked(at)
            && let Some((escaped, tail)) = tail.split_at_checked(1)
        {
            self.0.push_str(plain);
            self.0.push('\\');
            match escaped.as_bytes().first().copied().unwrap_or_default() {
                0x08 => self.0.push('b'),
                0x09 => self.0.push('t'),
                0x0a => self.0.push('n'),
                0x0c => self.0.push('f'),
                0x0d => self.0.push('r'),
                byte @ ..0x20 => {
                    self.0.push_str(if byte < 0x10 { "u000" } else { "u001" });
                    let digit = char::from_digit((byte & 15).into(), 16);
                    self.0.push(digit.unwrap_or_default());
                }
                byte => self.0.push(byte.into()),
            }
            rest = tail;
        }
        self.0.push_str(rest);
        self.0.push('"');
    }
}

/// Items or members on their way, and what ends them.
struct Group<'a> {
    text: &'a mut String,
    end: &'static str,
}

impl<'a> Group<'a> {
    fn begin(text: &'a mut String, begin: char, end: &'static str) -> Self {
        text.push(begin);
        Self { text, end }
    }

    /// Where the next item is written.
    fn item(&mut self) -> Writer<'_> {
        if !self.text.ends_with(['[', '{']) {
            self.text.push(',');
        }
        Writer(self.text)
    }

    /// Where the value of the next member is written.
    fn member(&mut self, name: &str) -> Writer<'_> {
        self.item().text(name);
        self.value()
    }

    fn value(&mut self) -> Writer<'_> {
        self.text.push(':');
        Writer(self.text)
    }

    #[expect(clippy::unnecessary_wraps, reason = "serde's signature")]
    fn ended(self) -> Written {
        self.text.push_str(self.end);
        Ok(())
    }
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Group<'a>;
    type SerializeTuple = Group<'a>;
    type SerializeTupleStruct = Impossible<(), Unwritable>;
    type SerializeTupleVariant = Impossible<(), Unwritable>;
    type SerializeMap = Group<'a>;
    type SerializeStruct = Group<'a>;
    type SerializeStructVariant = Impossible<(), Unwritable>;

    fn serialize_bool(self, v: bool) -> Written {
        self.0.push_str(if v { "true" } else { "false" });
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i16(self, v: i16) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i32(self, v: i32) -> Written {
        self.serialize_i64(v.into())
    }
    fn serialize_i64(self, v: i64) -> Written {
        if v < 0 {
            self.0.push('-');
        }
        self.number(v.unsigned_abs());
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Written {
        self.serialize_u64(v.into())
    }
    fn serialize_u16(self, v: u16) -> Written {
        self.serialize_u64(v.into())
    }
    fn serialize_u32(self, v: u32) -> Written {
        self.serialize_u64(v.into())
    }
    fn serialize_u64(self, v: u64) -> Written {
        self.number(v);
        Ok(())
    }
    fn serialize_f32(self, _: f32) -> Written {
        Err(Unwritable)
    }
    fn serialize_f64(self, _: f64) -> Written {
        Err(Unwritable)
    }
    fn serialize_char(self, v: char) -> Written {
        self.text(v.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Written {
        self.text(v);
        Ok(())
    }
    fn serialize_bytes(self, _: &[u8]) -> Written {
        Err(Unwritable)
    }
    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Written {
        self.0.push_str("null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written {
        Err(Unwritable)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Group<'a>, Unwritable> {
        Ok(Group::begin(self.0, '[', "]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Group<'a>, Unwritable> {
        Ok(Group::begin(self.0, '[', "]"))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unwritable>, Unwritable> {
        Err(Unwritable)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unwritable>, Unwritable> {
        Err(Unwritable)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Group<'a>, Unwritable> {
        Ok(Group::begin(self.0, '{', "}"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Group<'a>, Unwritable> {
        Ok(Group::begin(self.0, '{', "}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Unwritable>, Unwritable> {
        Err(Unwritable)
    }
}

impl ser::SerializeSeq for Group<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(self.item())
    }
    fn end(self) -> Written {
        self.ended()
    }
}

impl ser::SerializeTuple for Group<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(self.item())
    }
    fn end(self) -> Written {
        self.ended()
    }
}

impl ser::SerializeMap for Group<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let name = to_string(key)?;
        let item = self.item();
        // Names are texts: a number becomes one.
        if name.starts_with('"') {
            item.0.push_str(&name);
        } else {
            item.text(&name);
        }
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(self.value())
    }
    fn end(self) -> Written {
        self.ended()
    }
}

impl ser::SerializeStruct for Group<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        value.serialize(self.member(name))
    }
    fn end(self) -> Written {
        self.ended()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        DarkRed,
    }

    #[derive(Serialize)]
    #[serde(tag = "cmd", rename_all = "snake_case")]
    enum Tagged {
        TakeDown(Inner),
    }

    #[derive(Serialize)]
    struct Inner {
        a: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<bool>,
        c: Option<bool>,
    }

    #[derive(Serialize)]
    struct Outer {
        colour: Colour,
        tagged: Tagged,
        numbers: Vec<u64>,
        below: i64,
        none: [u32; 0],
        map: BTreeMap<String, Vec<Inner>>,
        #[serde(flatten)]
        more: Inner,
        numbered: BTreeMap<u8, u16>,
        unit: (),
        empty: BTreeMap<String, bool>,
        one: char,
    }

    fn inner(b: Option<bool>) -> Inner {
        Inner { a: 7, b, c: None }
    }

    #[test]
    fn every_kind_is_written_as_serde_json_writes_it() {
        let lists = [
            ("x".to_owned(), vec![inner(Some(true)), inner(None)]),
            ("\u{7f}\u{80}\u{2028}😀\"".to_owned(), vec![]),
        ];
        let outer = Outer {
            colour: Colour::DarkRed,
            tagged: Tagged::TakeDown(inner(Some(false))),
            numbers: vec![0, 9, 10, 99, 100, 1_234_567_890, u64::MAX - 1, u64::MAX],
            below: i64::MIN,
            none: [],
            map: BTreeMap::from(lists),
            numbered: BTreeMap::from([(1, 2), (3, 4)]),
            more: inner(Some(true)),
            unit: (),
            empty: BTreeMap::new(),
            one: '\\',
        };
        assert_eq!(
            to_string(&outer).unwrap(),
            serde_json::to_string(&outer).unwrap()
        );
    }

    #[test]
    fn every_character_is_written_as_serde_json_writes_it() {
        for c in (0..=0x3_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}{c}\n{c}");
            assert_eq!(
                to_string(&text).unwrap(),
                serde_json::to_string(&text).unwrap()
            );
        }
    }

    #[test]
    fn what_our_documents_do_not_have_is_not_written() {
        assert_eq!(to_string(&1.5), Err(Unwritable));
    }
}

//! JSON objects that must be objects.
//!
//! serde's derived structs also accept a JSON array of the members in order. Signed documents must
//! have one reading only, so every struct of ours is read through [`Object`], which asks for a map
//! and leaves unknown and repeated members to the derived code's refusal.

use core::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A `T` that was written as a JSON object.
pub(crate) struct Object<T>(pub(crate) T);

struct Map<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Map(PhantomData))
    }
}

/// For `#[serde(deserialize_with)]` on a member that is an object.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// For `#[serde(default, deserialize_with)]` on an optional member: absent or a value, not `null`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its reading is tested")]
        a: u8,
    }

    fn read(json: &str) -> bool {
        serde_json::from_str::<Object<Inner>>(json).is_ok()
    }

    #[test]
    fn only_an_object_with_each_member_once_is_read() {
        assert!(read(r#"{"a":1}"#));
        for bad in [
            "[1]",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":1}"#,
            "{}",
            "1",
            "null",
            r#"{"a":1.0}"#,
        ] {
            assert!(!read(bad), "{bad}");
        }
    }
}

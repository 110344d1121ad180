//! Addresses within addresses, and back.

/// Text as a query value: everything but unreserved characters is percent-encoded.
pub(crate) fn component(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            const HEX: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
            ];
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(nibble)));
            }
        }
    }
    out
}

/// A query value as it was meant; nothing if it does not decode to text.
pub(crate) fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push(u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Where the oEmbed document of a page is.
pub(crate) fn oembed_address(issuer: &str, page: &str, format: &str) -> String {
    format!("{issuer}/oembed?url={}&format={format}", component(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_within_an_address_is_escaped() {
        assert_eq!(
            component("https://h:8/w/x?a=b&c"),
            "https%3A%2F%2Fh%3A8%2Fw%2Fx%3Fa%3Db%26c"
        );
    }

    #[test]
    fn what_does_not_decode_is_nothing() {
        for broken in ["%", "%4", "%zz", "%ff", "a%E4b"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
        assert_eq!(decoded("a+b%20c").as_deref(), Some("a b c"));
    }

    proptest! {
        #[test]
        fn a_component_decodes_to_what_it_was(text in "\\PC{0,40}") {
            prop_assert_eq!(decoded(&component(&text)), Some(text));
        }
    }
}

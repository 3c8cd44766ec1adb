//! What a JSON string says, without the buffer of a parser that nobody wipes.

use zeroize::Zeroizing;

/// The text of a string that a parser took for one, its quotes included; nothing where a surrogate stands alone.
pub(crate) fn unescaped(literal: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    // An escape is never shorter than what it stands for, so this is never grown.
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.extend_from_slice(plain.as_bytes());
        let (byte, after) = escape.split_at_checked(1)?;
        rest = after;
        let character = match byte {
            "\"" | "\\" | "/" => byte.chars().next()?,
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => character(&mut rest)?,
            _ => return None,
        };
        text.extend_from_slice(character.encode_utf8(&mut *Zeroizing::new([0; 4])).as_bytes());
    }
    text.extend_from_slice(rest.as_bytes());
    Some(text)
}

/// The character of `\uXXXX`, or of two of them.
fn character(rest: &mut &str) -> Option<char> {
    let first = unit(rest)?;
    let is_high = (0xd800..0xdc00).contains(&first);
    if !is_high {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let second = unit(rest).filter(|second| (0xdc00..0xe000).contains(second))?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn unit(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(literal: &str) -> Result<(), TestCaseError> {
        let theirs = serde_json::from_str::<String>(literal).ok().map(String::into_bytes);
        // What is no string at all never comes here.
        if serde_json::from_str::<&serde_json::value::RawValue>(literal).is_ok() {
            let ours = unescaped(literal).map(|text| text.to_vec());
            prop_assert_eq!(ours, theirs, "{}", literal);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn it_says_what_the_parser_says(text in "(?s).{0,20}") {
            agrees(&serde_json::to_string(&text).unwrap())?;
        }

        #[test]
        fn and_of_escapes_too(text in "(\\\\[\"\\\\/bfnrtux]|\\\\u[dD][89a-fA-F]00|\\\\u00[0-9a-fA-F]{2}|\\\\u[+0-9]{4}|[aä]){0,8}") {
            agrees(&format!("\"{text}\""))?;
        }
    }
}

//! An object of names and values.
//!
//! ```json
//! { "API_KEY": "k3y", "db/password": "hunter2", "tls": { "key": { "base64": "AAEC" } } }
//! ```

use std::collections::HashSet;
use std::fmt;

use secretkit_core::{Encoding, Error, Result, SecretName, SecretValue};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::ser::PrettyFormatter;
use zeroize::Zeroizing;

use crate::format::Entry;

const FORMAT: &str = "json";

/// The one member of an object that stands for bytes that are no text.
const BASE64: &str = "base64";

pub(crate) fn read(text: &[u8]) -> Result<Vec<Entry>> {
    let mut found = Found::default();
    let mut parser = serde_json::Deserializer::from_slice(text);
    let outcome = parser.deserialize_map(Members(&mut found)).and_then(|()| parser.end());
    outcome.map_err(|error| fault(FORMAT, &error, found.fault.take()))?;
    Ok(found.entries)
}

/// In the order given; a group stands in the name.
pub(crate) fn write(entries: &[Entry]) -> Result<SecretValue> {
    written(entries, |serializer| {
        let mut object = serializer.serialize_map(Some(entries.len()))?;
        for Entry { name, value } in entries {
            match std::str::from_utf8(value.expose_secret()) {
                Ok(plain) => object.serialize_entry(&name.to_string(), plain)?,
                Err(_) => object.serialize_entry(&name.to_string(), &Bytes(value))?,
            }
        }
        object.end()
    })
}

/// What `write` writes, in memory that is wiped and was never grown.
pub(crate) fn written(
    entries: &[Entry],
    write: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>, PrettyFormatter<'_>>) -> serde_json::Result<()>,
) -> Result<SecretValue> {
    // An escape takes six bytes at the most.
    let longest: usize = entries.iter().map(|entry| entry.name.to_string().len() + 6 * entry.value.len() + 64).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(longest + 16));
    let before = text.capacity();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *text, PrettyFormatter::with_indent(b"    "));
    // There is nothing that could fail in writing text to memory.
    write(&mut serializer).map_err(|error| fault("json", &error, None))?;
    text.push(b'\n');
    debug_assert_eq!(text.capacity(), before);
    Ok(SecretValue::copied_from(&text))
}

/// Where a parser stopped, and why, in our words: its own would quote what it met.
pub(crate) fn fault(format: &'static str, error: &serde_json::Error, known: Option<String>) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    let what = known.unwrap_or_else(|| "it is not of the form that is expected there; see docs/exchange.md".to_owned());
    Error::InvalidInput { format, place, what }
}

/// What was read so far, and what was wrong with the last.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    seen: HashSet<SecretName>,
    pub(crate) fault: Option<String>,
}

impl Found {
    pub(crate) fn add<E: serde::de::Error>(
        &mut self,
        group: Option<&str>,
        key: &str,
        value: SecretValue,
    ) -> Result<(), E> {
        let name = match group {
            None => key.parse(),
            Some(group) => SecretName::from_parts(Some(group), key),
        };
        let name: SecretName =
            name.map_err(|error: Error| self.refuse(&format!("the name before it is refused: {error}")))?;
        if !self.seen.insert(name.clone()) {
            return Err(self.refuse("the name before it stands above already; each may stand once"));
        }
        self.entries.push(Entry { name, value });
        Ok(())
    }

    pub(crate) fn refuse<E: serde::de::Error>(&mut self, what: &str) -> E {
        self.fault = Some(what.to_owned());
        E::custom("refused")
    }
}

/// The outermost object.
struct Members<'a>(&'a mut Found);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let key = Zeroizing::new(key);
            match map.next_value_seed(Member { depth: 0 })? {
                Content::Text(value) => self.0.add(None, &key, value)?,
                Content::Object(members) => match <[_; 1]>::try_from(members) {
                    Ok([(only, Content::Text(text))]) if *only == BASE64 => {
                        let value = bytes(self.0, text)?;
                        self.0.add(None, &key, value)?;
                    }
                    Ok(members) => self.group(&key, members)?,
                    Err(members) => self.group(&key, members)?,
                },
            }
        }
        Ok(())
    }
}

impl Members<'_> {
    fn group<E: serde::de::Error>(
        &mut self,
        group: &str,
        members: impl IntoIterator<Item = (Zeroizing<String>, Content)>,
    ) -> Result<(), E> {
        for (key, content) in members {
            let value = match content {
                Content::Text(value) => value,
                Content::Object(members) => match <[_; 1]>::try_from(members) {
                    Ok([(only, Content::Text(text))]) if *only == BASE64 => bytes(self.0, text)?,
                    Ok(_) | Err(_) => return Err(self.0.refuse("groups have no groups; write GROUP/KEY")),
                },
            };
            self.0.add(Some(group), &key, value)?;
        }
        Ok(())
    }
}

fn bytes<E: serde::de::Error>(found: &mut Found, text: SecretValue) -> Result<SecretValue, E> {
    Encoding::Base64.decode(text).map_err(|_| found.refuse("it is not standard base64 with its padding"))
}

/// What stands behind a name.
enum Content {
    Text(SecretValue),
    Object(Vec<(Zeroizing<String>, Self)>),
}

#[derive(Clone, Copy)]
struct Member {
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Content;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(SecretValue::copied_from(text.as_bytes())))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(SecretValue::from(text.into_bytes())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        // A group, and in it an object of bytes: nothing lies deeper.
        if self.depth >= 2 {
            return Err(A::Error::custom("too deep"));
        }
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let content = map.next_value_seed(Self { depth: self.depth + 1 })?;
            members.push((Zeroizing::new(key), content));
        }
        Ok(Content::Object(members))
    }
}

struct Bytes<'a>(&'a SecretValue);

impl serde::Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Encoding::Base64.encode(self.0).map_err(S::Error::custom)?;
        let text = std::str::from_utf8(text.expose_secret()).map_err(|_| S::Error::custom("base64 is text"))?;
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(BASE64, text)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, Vec<u8>)> {
        let pair = |entry: Entry| (entry.name.to_string(), entry.value.expose_secret().to_vec());
        read(text.as_bytes()).unwrap().into_iter().map(pair).collect()
    }

    #[test]
    fn names_groups_and_bytes() {
        let text = r#"{"A": "1", "db/password": "x\n\u00e9", "tls": {"key": {"base64": "AAH/"}, "cert": "c"},
                       "raw": {"base64": "/w=="}, "g": {"base64": {"base64": "AA=="}}, "h": {}}"#;
        let expected: [(&str, &[u8]); 6] = [
            ("A", b"1"),
            ("db/password", "x\né".as_bytes()),
            ("tls/key", &[0, 1, 255]),
            ("tls/cert", b"c"),
            ("raw", &[255]),
            ("g/base64", &[0]),
        ];
        let found = pairs(text);
        assert_eq!(found.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), expected);
        assert!(pairs("{}").is_empty());
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_without_its_text() {
        for text in [
            "",
            "canary",
            "[]",
            "null",
            r#"{"canary": 1}"#,
            r#"{"canary": null}"#,
            r#"{"canary": ["x"]}"#,
            r#"{"A": "canary", "A": "canary"}"#,
            r#"{"a/b": "canary", "a": {"b": "canary"}}"#,
            r#"{"../canary": "x"}"#,
            r#"{"a": {"canary/x": "y"}}"#,
            r#"{"": "canary"}"#,
            r#"{"a": {"b": {"c": "canary"}}}"#,
            r#"{"a": {"b": {"c": {"d": "canary"}}}}"#,
            r#"{"A": {"base64": "can ary"}}"#,
            r#"{"A": "canary"} canary"#,
            r#"{"A": "canary""#,
            "{\"A\": \"cana\nry\"}",
        ] {
            let told = read(text.as_bytes()).unwrap_err();
            assert!(matches!(told, Error::InvalidInput { .. }), "{text}: {told:?}");
            assert!(!told.to_string().contains("canary") && !format!("{told:?}").contains("canary"), "{told:?}");
        }
    }

    #[test]
    fn deep_nesting_ends_soon() {
        let bomb = "{\"a\":".repeat(100_000);
        assert!(read(bomb.as_bytes()).is_err());
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5)) {
            let name = |at: usize| if at.is_multiple_of(2) { format!("K{at}") } else { format!("g/base64{at}") };
            let entries: Vec<_> = values
                .iter()
                .enumerate()
                .map(|(at, value)| Entry { name: name(at).parse().unwrap(), value: value.clone().into() })
                .collect();
            let text = write(&entries).unwrap();
            let again = read(text.expose_secret()).unwrap();
            prop_assert_eq!(again.len(), entries.len());
            for (one, other) in entries.iter().zip(&again) {
                prop_assert_eq!(&one.name, &other.name);
                prop_assert_eq!(one.value.expose_secret(), other.value.expose_secret());
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "(?s)[{}\\[\\]\":,a\\\\u0 \n]{0,60}") {
            drop(read(text.as_bytes()));
        }
    }
}

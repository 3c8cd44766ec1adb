//! An object of names and values.
//!
//! ```json
//! { "API_KEY": "k3y", "db/password": "hunter2", "tls": { "key": { "base64": "AAEC" } } }
//! ```

use std::collections::HashSet;
use std::fmt;

use secretkit_core::{Encoding, Error, Result, SecretName, SecretValue};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::ser::PrettyFormatter;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::format::Entry;
use crate::unescape::unescaped;

const FORMAT: &str = "json";

/// The one member of an object that stands for bytes that are no text.
const BASE64: &str = "base64";

pub(crate) fn read(text: &[u8]) -> Result<Vec<Entry>> {
    let mut found = Found::of(text);
    let mut parser = serde_json::Deserializer::from_slice(text);
    let outcome = parser.deserialize_map(Members(&mut found)).and_then(|()| parser.end());
    outcome.map_err(|error| found.fault(FORMAT, &error))?;
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
    write(&mut serializer).map_err(|error| Found::default().fault(FORMAT, &error))?;
    text.push(b'\n');
    debug_assert_eq!(text.capacity(), before);
    Ok(SecretValue::copied_from(&text))
}

/// What was read so far, and what was wrong with the last.
#[derive(Default)]
pub(crate) struct Found<'t> {
    pub(crate) entries: Vec<Entry>,
    seen: HashSet<SecretName>,
    text: &'t [u8],
    what: Option<String>,
    /// Line and column, where a parser of a part knows them better.
    place: Option<(usize, usize)>,
}

impl<'t> Found<'t> {
    pub(crate) fn of(text: &'t [u8]) -> Self {
        Self { text, ..Self::default() }
    }

    /// Where a parser stopped, and why, in our words: its own would quote what it met.
    pub(crate) fn fault(&mut self, format: &'static str, error: &serde_json::Error) -> Error {
        let (line, column) = self.place.unwrap_or((error.line(), error.column()));
        let unexpected = || "it is not of the form that is expected there; see docs/exchange.md".to_owned();
        let what = self.what.take().unwrap_or_else(unexpected);
        Error::InvalidInput { format, place: format!("line {line}, column {column}"), what }
    }

    /// What a string says. The parser only finds its end: where it has escapes, its own buffer would keep a copy.
    pub(crate) fn string<E: serde::de::Error>(&mut self, literal: &RawValue) -> Result<SecretValue, E> {
        if !literal.get().starts_with('"') {
            return Err(self.refuse("only a string is a value; put it in quotes"));
        }
        let text = unescaped(literal.get());
        let text = text.ok_or_else(|| self.refuse("it is no text: half of a surrogate pair stands alone"))?;
        Ok(SecretValue::copied_from(&text))
    }

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
        self.what.get_or_insert_with(|| what.to_owned());
        E::custom("refused")
    }
}

/// The outermost object.
struct Members<'a, 't>(&'a mut Found<'t>);

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let key = Zeroizing::new(key);
            let literal = map.next_value::<&RawValue>()?;
            if !literal.get().starts_with('{') {
                let value = self.0.string(literal)?;
                self.0.add(None, &key, value)?;
                continue;
            }
            let members = self.0.members(literal).map_err(A::Error::custom)?;
            match &*members {
                [(only, text)] if **only == BASE64 && text.get().starts_with('"') => {
                    let value = self.0.bytes(text)?;
                    self.0.add(None, &key, value)?;
                }
                _ => self.0.group(&key, &members)?,
            }
        }
        Ok(())
    }
}

impl Found<'_> {
    /// The members of an object. What is wrong in it is told with its place in the whole text.
    fn members<'v>(&mut self, object: &'v RawValue) -> serde_json::Result<Vec<(Zeroizing<String>, &'v RawValue)>> {
        serde_json::Deserializer::from_str(object.get()).deserialize_map(Raw).inspect_err(|error| {
            let (line, column) = self.start_of(object);
            let before = if error.line() == 1 { column - 1 } else { 0 };
            self.place = Some((line + error.line() - 1, before + error.column()));
        })
    }

    /// The line and column at which a part of the text begins.
    fn start_of(&self, part: &RawValue) -> (usize, usize) {
        let offset = part.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        (before.iter().filter(|byte| **byte == b'\n').count() + 1, before.len() - line_start + 1)
    }

    fn group<E: serde::de::Error>(&mut self, group: &str, members: &[(Zeroizing<String>, &RawValue)]) -> Result<(), E> {
        for (key, literal) in members {
            // The parser of the whole is behind the group by now. Counting the lines before each member, and not only
            // before one that is at fault, would take a large group a minute.
            self.member(group, key, literal).inspect_err(|_| {
                let start = self.start_of(literal);
                self.place.get_or_insert(start);
            })?;
        }
        Ok(())
    }

    fn member<E: serde::de::Error>(&mut self, group: &str, key: &str, literal: &RawValue) -> Result<(), E> {
        let value = if literal.get().starts_with('{') {
            match &*self.members(literal).map_err(E::custom)? {
                [(only, text)] if **only == BASE64 && text.get().starts_with('"') => self.bytes(text)?,
                _ => return Err(self.refuse("groups have no groups; write GROUP/KEY")),
            }
        } else {
            self.string(literal)?
        };
        self.add(Some(group), key, value)
    }

    fn bytes<E: serde::de::Error>(&mut self, literal: &RawValue) -> Result<SecretValue, E> {
        let text = self.string(literal)?;
        Encoding::Base64.decode(text).map_err(|_| self.refuse("it is not standard base64 with its padding"))
    }
}

/// The members of an object, with what stands there for each.
struct Raw;

impl<'de> Visitor<'de> for Raw {
    type Value = Vec<(Zeroizing<String>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            members.push((Zeroizing::new(key), map.next_value()?));
        }
        Ok(members)
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
    fn a_fault_within_a_group_is_told_with_its_place_in_the_whole() {
        for (place, text) in [
            ("line 1, column 26: it is not of", r#"{"e": "é", "g": {"\ud800": 1}}"#),
            ("line 3, column 9: it is not of", "{\"g\":\n  {\"a\": \"b\",\n \"\\ud800\": 1}}"),
            ("line 2, column 7: it is no text", "{\"g\": {\n \"a\": \"\\ud800\"}}"),
            ("line 2, column 7: only a string", "{\"g\": {\n \"a\": 1, \"b\": 2}}"),
            ("line 2, column 16: the name", "{\"g\": {\n \"a\": \"\", \"/\": \"\"}}"),
            ("line 3, column 1: it is not of", "{\"g\": {\n \"a\": \"\"},\n}"),
        ] {
            let told = read(text.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(place), "{text}: {told}");
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
        fn nothing_makes_it_panic(text in "(?s)[{}\\[\\]\":,a\\\\u0 \n]{0,60}") {
            drop(read(text.as_bytes()));
        }
    }
}

//! Nextflow's `store.json`: an array of objects with a name and a value, sorted by name, pretty-printed.
//!
//! From `LocalSecretsProvider` and `SecretsHelper` of Nextflow, commit 2aad02f65758.

use std::fmt;

use secretkit_core::{Error, Result, SecretValue};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::format::Entry;
use crate::json::{Found, written};

const FORMAT: &str = "nextflow";

pub(crate) fn read(text: &[u8]) -> Result<Vec<Entry>> {
    let mut found = Found::of(text);
    let mut parser = serde_json::Deserializer::from_slice(text);
    let outcome = parser.deserialize_seq(Secrets(&mut found)).and_then(|()| parser.end());
    outcome.map_err(|error| found.fault(FORMAT, &error))?;
    Ok(found.entries)
}

pub(crate) fn write(entries: &[Entry]) -> Result<SecretValue> {
    for Entry { name, value } in entries {
        let refused = |why| Error::Undeliverable { what: name.to_string(), why };
        if name.group().is_some() || !is_nextflow_name(name.key().as_str()) {
            return Err(refused(
                "Nextflow refuses such a name: it takes letters, digits and single underscores, at least two and not \
                 beginning with a digit",
            ));
        }
        if value.is_empty() {
            return Err(refused("Nextflow refuses an empty value"));
        }
        if std::str::from_utf8(value.expose_secret()).is_err() {
            return Err(refused("it is not UTF-8, which Nextflow's file cannot hold"));
        }
    }
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    written(entries, |serializer| {
        let mut array = serializer.serialize_seq(Some(sorted.len()))?;
        for entry in sorted {
            array.serialize_element(&Secret(entry))?;
        }
        array.end()
    })
}

/// `^[a-zA-Z_](?:[0-9A-Za-z]+|(_)(?!\1)){1,49}$` and not beginning with `__`: the 49 counts runs and underscores.
fn is_nextflow_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let Some((first, rest)) = bytes.split_first() else { return false };
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    // A run of letters and digits is one, and so is each underscore.
    let mut parts = 0;
    let mut in_run = false;
    for byte in rest {
        parts += usize::from(*byte == b'_' || !in_run);
        in_run = *byte != b'_';
    }
    !rest.is_empty()
        && (first.is_ascii_alphabetic() || *first == b'_')
        && rest.iter().all(is_word)
        && !name.contains("__")
        && parts <= 49
}

struct Secret<'a>(&'a Entry);

impl serde::Serialize for Secret<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error as _, SerializeMap};
        let Entry { name, value } = self.0;
        let plain = std::str::from_utf8(value.expose_secret()).map_err(|_| S::Error::custom("checked before"))?;
        let mut object = serializer.serialize_map(Some(2))?;
        object.serialize_entry("name", name.key().as_str())?;
        object.serialize_entry("value", plain)?;
        object.end()
    }
}

/// The array.
struct Secrets<'a, 't>(&'a mut Found<'t>);

impl<'de> Visitor<'de> for Secrets<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(OneSecret(self.0))?.is_some() {}
        Ok(())
    }
}

/// One of its objects.
struct OneSecret<'a, 't>(&'a mut Found<'t>);

impl<'de> DeserializeSeed<'de> for OneSecret<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneSecret<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a name and a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut name, mut value) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            let place = match Zeroizing::new(key).as_str() {
                "name" => &mut name,
                "value" => &mut value,
                _ => return Err(self.0.refuse("an object has a name and a value, and nothing else")),
            };
            let value = self.0.string(map.next_value::<&RawValue>()?)?;
            if place.replace(value).is_some() {
                return Err(self.0.refuse("an object has one name and one value"));
            }
        }
        let (Some(name), Some(value)) = (name, value) else {
            return Err(self.0.refuse("an object has both a name and a value"));
        };
        match std::str::from_utf8(name.expose_secret()) {
            Ok(key) if !key.contains('/') => self.0.add(None, key, value),
            _ => Err(self.0.refuse("Nextflow has no groups, and its names no slash")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: &[u8]) -> Entry {
        Entry { name: name.parse().unwrap(), value: SecretValue::copied_from(value) }
    }

    /// As Groovy's `JsonOutput.prettyPrint` writes it.
    #[test]
    fn the_file_is_nextflows_own() {
        let text = write(&[entry("bar", b"1\n\"2\""), entry("Foo_1", b"x")]).unwrap();
        let expected = "[\n    {\n        \"name\": \"Foo_1\",\n        \"value\": \"x\"\n    },\n    {\n        \
                        \"name\": \"bar\",\n        \"value\": \"1\\n\\\"2\\\"\"\n    }\n]\n";
        assert_eq!(std::str::from_utf8(text.expose_secret()).unwrap(), expected);
        let again = read(text.expose_secret()).unwrap();
        assert_eq!(again[1].value.expose_secret(), b"1\n\"2\"");
    }

    #[test]
    fn only_names_that_nextflow_takes_are_written() {
        let long = "a_".repeat(24) + "b";
        let longest = "x".to_owned() + &long;
        for name in ["ab", "a1", "_a", "A_B_c1", "a_", &"a".repeat(120), &longest] {
            assert!(is_nextflow_name(name), "{name}");
        }
        let longer = "x".to_owned() + &"a_".repeat(25);
        for name in ["", "a", "_", "1a", "a__b", "__a", "a-b", "a.b", "ä1", &longer] {
            assert!(!is_nextflow_name(name), "{name}");
        }
        for refused in
            [entry("a", b"x"), entry("a-b", b"x"), entry("g/ab", b"x"), entry("ab", b""), entry("ab", b"\xff")]
        {
            assert!(matches!(write(&[refused]), Err(Error::Undeliverable { .. })));
        }
    }

    #[test]
    fn a_fault_is_told_without_its_text() {
        for text in [
            "",
            "{}",
            "canary",
            r#"[{"name": "canary"}]"#,
            r#"[{"value": "canary"}]"#,
            r#"[{"name": "ab", "value": "canary", "canary": 1}]"#,
            r#"[{"name": "ab", "name": "canary", "value": "x"}]"#,
            r#"[{"name": "ab", "value": 1}]"#,
            r#"[{"name": "can/ary", "value": "x"}]"#,
            r#"[{"name": "ab", "value": "canary"}, {"name": "ab", "value": "canary"}]"#,
            r#"[["canary"]]"#,
            r#"[{"name": "ab", "value": "canary"}"#,
        ] {
            let told = read(text.as_bytes()).unwrap_err();
            assert!(matches!(told, Error::InvalidInput { .. }), "{text}: {told:?}");
            assert!(!format!("{told:?} {told}").contains("canary"), "{told:?}");
        }
        assert!(read(b"[]").unwrap().is_empty());
    }
}

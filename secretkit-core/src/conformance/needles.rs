//! A search for values in whatever must not hold them.

use std::collections::HashSet;
use std::fmt::Write;

/// Values, to be looked for in files and outputs in every form in which a leak has been seen: as they are, backwards,
/// in hex, base64, UTF-16, escaped for URLs, for JSON and as `Debug` prints text and bytes.
///
/// ```
/// use secretkit_core::conformance::Needles;
///
/// let needles = Needles::of([&b"correct horse"[..]]);
/// assert_eq!(needles.find(b"nothing of it"), None);
/// assert_eq!(needles.find(b"token=Y29ycmVjdCBob3JzZQ=="), Some("value 0 in base64, at byte 6".to_owned()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Needles {
    values: usize,
    forms: Vec<Form>,
    /// By their first two bytes, so that a search passes over most of what it searches.
    starts: Vec<bool>,
}

#[derive(Clone, Debug)]
struct Form {
    value: usize,
    name: &'static str,
    bytes: Vec<u8>,
}

impl Needles {
    /// What is shorter than this is found everywhere by chance.
    pub const LEAST_BYTES: usize = 7;

    /// Of a longer value only the beginning is looked for.
    pub const MOST_BYTES: usize = 256;

    /// These values. Those shorter than [`LEAST_BYTES`](Self::LEAST_BYTES) are left out, and those of less than four
    /// different bytes.
    #[must_use]
    pub fn of<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut needles = Self::default();
        values.into_iter().for_each(|value| needles.add(value.as_ref()));
        needles
    }

    /// One more.
    pub fn add(&mut self, value: &[u8]) {
        let number = self.values;
        self.values += 1;
        let value = &value[..value.len().min(Self::MOST_BYTES)];
        let different = value.iter().collect::<HashSet<_>>().len();
        if value.len() < Self::LEAST_BYTES || different < 4 || self.forms.iter().any(|form| form.bytes == value) {
            return;
        }
        self.starts.resize(1 << 16, false);
        for (name, bytes) in forms(value) {
            self.starts[start(&bytes)] = true;
            self.forms.push(Form { value: number, name, bytes });
        }
    }

    /// Which value is in there, in which form and where.
    #[must_use]
    pub fn find(&self, haystack: &[u8]) -> Option<String> {
        let starts = self.starts.as_slice();
        if starts.is_empty() {
            return None;
        }
        // As plain as can be: tests that are not optimised search hundreds of megabytes.
        let mut at = 0;
        while at + 1 < haystack.len() {
            if starts[(haystack[at] as usize) << 8 | haystack[at + 1] as usize]
                && let Some(Form { value, name, .. }) =
                    self.forms.iter().find(|form| haystack[at..].starts_with(&form.bytes))
            {
                return Some(format!("value {value} in {name}, at byte {at}"));
            }
            at += 1;
        }
        None
    }

    /// Panics where a value is in there. `place` is what the panic says was searched.
    #[track_caller]
    pub fn assert_absent(&self, haystack: &[u8], place: &str) {
        if let Some(found) = self.find(haystack) {
            panic!("{place}: {found}");
        }
    }

    /// Each form with its name, for a test that shows that the search finds it.
    pub fn forms(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.forms.iter().map(|form| (form.name, &*form.bytes))
    }
}

fn start(bytes: &[u8]) -> usize {
    bytes.iter().take(2).fold(0, |start, byte| start << 8 | usize::from(*byte))
}

fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| match std::str::from_utf8(value) {
        Ok(text) => text.encode_utf16().flat_map(bytes).collect(),
        Err(_) => value.iter().flat_map(|byte| bytes(u16::from(*byte))).collect(),
    };
    let mut forms = vec![
        ("its raw form", value.to_vec()),
        ("reverse", value.iter().rev().copied().collect()),
        ("hex", hex.clone().into_bytes()),
        ("upper-case hex", hex.to_uppercase().into_bytes()),
        ("UTF-16, little end first", utf_16(u16::to_le_bytes)),
        ("UTF-16, big end first", utf_16(u16::to_be_bytes)),
        ("an escaped form for URLs", escaped_for_urls(value, |byte| format!("%{byte:02X}"))),
        ("an escaped form for URLs", escaped_for_urls(value, |byte| format!("%{byte:02x}"))),
        ("the escaped form of bytes", value.escape_ascii().to_string().into_bytes()),
        ("the numbers of its bytes", numbers(value)),
    ];
    if let Ok(text) = std::str::from_utf8(value) {
        forms.push(("an escaped form for JSON", escaped_for_json(text)));
        forms.push(("the escaped form of a text", text.escape_debug().to_string().into_bytes()));
    }
    if value.len() >= 16 {
        forms.push(("half its raw form", value[..value.len() / 2].to_vec()));
    }
    // At each of the three places in a longer text that is in base64; its ends depend on the neighbours.
    for skipped in 0..3 {
        let whole = &value[skipped..value.len() - (value.len() - skipped) % 3];
        forms.push(("base64", base64(whole, *b"+/")));
        forms.push(("base64 for URLs", base64(whole, *b"-_")));
    }
    // Of two that are the same the first stays.
    let mut seen = HashSet::new();
    forms.retain(|(_, bytes)| bytes.len() >= Needles::LEAST_BYTES && seen.insert(bytes.clone()));
    forms
}

fn escaped_for_urls(value: &[u8], escape: impl Fn(u8) -> String) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = value.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { escape(byte) });
    escaped.collect::<String>().into_bytes()
}

fn escaped_for_json(text: &str) -> Vec<u8> {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ' '..='~' => escaped.push(character),
            other => {
                let mut units = [0; 2];
                // To write to a text cannot fail.
                other.encode_utf16(&mut units).iter().for_each(|unit| write!(escaped, "\\u{unit:04x}").unwrap());
            }
        }
    }
    escaped.into_bytes()
}

/// As `Debug` prints a slice. Its beginning is enough.
fn numbers(value: &[u8]) -> Vec<u8> {
    let numbers: Vec<_> = value.iter().take(8).map(ToString::to_string).collect();
    numbers.join(", ").into_bytes()
}

fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let three = |group: &[u8]| u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
    let four = |bits: u32| [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]);
    bytes.chunks_exact(3).flat_map(|group| four(three(group))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_form_is_found_anywhere() {
        for value in [&b"cAnArY\"7f~Zq/xW-v9KkLmP0"[..], b"\x00\xff\x10binary\xfe\x01\x80\x00", b"hunter2"] {
            let needles = Needles::of([b"another value", value]);
            for (name, form) in needles.forms() {
                let around = [&[0xff; 1000][..], form, &[0xff]].concat();
                assert!(needles.find(&around).is_some_and(|found| found.ends_with(" 1000")), "{name}");
            }
            let longer = format!("{value:?}");
            assert!(needles.find(longer.as_bytes()).is_some(), "a derived Debug of bytes");
        }
        assert!(Needles::of([b"cAnArY-7fZq"]).forms().count() >= 10);
        assert_eq!(Needles::of(["short", "aaaabbbbcccc"]).find(b"short, aaaabbbbcccc"), None);
    }

    /// The search of the Python tests reads the same file.
    #[test]
    fn the_forms_are_those_of_the_test_kit() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testkit/needles.json");
        let listed: BTreeMap<String, Vec<String>> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert!(listed.len() >= 3);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (value, listed) in listed {
            let bytes: Vec<u8> =
                (0..value.len()).step_by(2).map(|at| u8::from_str_radix(&value[at..at + 2], 16).unwrap()).collect();
            let mut forms: Vec<_> = Needles::of([bytes]).forms().map(|(_, form)| hex(form)).collect();
            forms.sort();
            assert_eq!(forms, listed, "{value}");
        }
    }
}

//! The command's arguments and the words of its completion: understood or refused, and never done.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use secretkit_cli::internals;

/// Arguments end with a NUL each. What is refused is told without what may be a value.
pub(crate) fn arguments(data: &[u8]) {
    let words = data.split(|byte| *byte == 0).take(32).map(|word| OsString::from_vec(word.to_vec()));
    let arguments: Vec<OsString> = std::iter::once("secretkit".into()).chain(words).collect();
    if let Some(told) = internals::refused(&arguments) {
        assert!(!told.is_empty());
        assert!(!told.contains("cAnArY"), "{told}");
    }
}

/// The words that a shell hands over. The last one is told apart into what stays and the value that is completed.
pub(crate) fn completion(data: &[u8]) {
    let Some(mut words) = internals::words(data) else { return };
    let current = words.pop().unwrap();
    let (before, value, offered) = internals::completed(&words, &current);
    let mut whole = before.clone();
    whole.push(&value);
    assert_eq!(whole, current);
    let Some(offered) = offered else { return };
    for line in offered.lines().skip(1) {
        let word = line.split('\t').next().unwrap_or_default();
        let typed = value.to_string_lossy();
        assert!(word.starts_with(&*typed), "{word:?} for {typed:?}");
        assert!(!OsStr::new(word).as_bytes().iter().any(u8::is_ascii_control));
    }
}

//! What people type: names, times, labels, encodings. What parses prints, and prints as something that parses to the
//! same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use secretkit::{KeyUrl, StoreUrl};
use secretkit_core::{
    Actor, Consumer, Description, Encoding, Error, Expiry, Scope, SecretId, SecretName, SecretValue, Span, StableId,
    Tags, Timestamp, VariableName,
};

/// One line for each kind of word; a kind that a line is not meant for must refuse it, or take it for what it says.
pub(crate) fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for text in text.split('\n') {
        returns_exactly::<SecretName>(text);
        returns_exactly::<SecretId>(text);
        returns_exactly::<Scope>(text);
        returns_exactly::<Consumer>(text);
        returns_exactly::<VariableName>(text);
        returns::<StableId>(text);
        store_url(text);
        key_url(text);
        times(text);
        if let Ok(actor) = Actor::parse(text) {
            assert_eq!(actor.as_str(), text);
        }
        if let Ok(description) = Description::parse(text) {
            assert_eq!(description.as_str(), text);
        }
    }
    if let Ok(name) = text.parse::<SecretName>()
        && let Ok(variable) = VariableName::for_secret("_FSEC_", &name)
    {
        returns_exactly::<VariableName>(variable.as_str());
    }
    if let Ok(scope) = text.parse::<Scope>() {
        assert!(scope.chain().all(|outer| outer.includes(&scope)));
    }
    if let Ok(tags) = Tags::from_column(text) {
        assert_eq!(tags.to_column(), text);
        assert_eq!(Tags::parse(tags.iter()).unwrap(), tags);
        assert!(tags.iter().all(|tag| tags.contains(tag)));
    }
    if let Ok(tags) = Tags::parse(text.split(',')) {
        assert_eq!(Tags::from_column(&tags.to_column()).unwrap(), tags);
    }
}

/// There is one way to write it: the way in which it prints.
fn returns_exactly<T: FromStr<Err = Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(parsed) => assert_eq!(parsed.to_string(), text),
        Err(error) => says_nothing_of(text, &error),
    }
}

/// There are several ways to write it, and it prints in one of them.
fn returns<T: FromStr<Err = Error> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(parsed) => {
            let printed = parsed.to_string();
            assert_eq!(printed.parse::<T>().unwrap_or_else(|error| panic!("{printed:?}: {error}")), parsed);
        }
        Err(error) => says_nothing_of(text, &error),
    }
}

/// One that returns, but for the password of a server: that is not printed.
fn store_url(text: &str) {
    match text.parse::<StoreUrl>() {
        Ok(StoreUrl::Postgres(url)) => {
            let printed = url.to_string();
            match printed.parse::<StoreUrl>() {
                Ok(again) => assert_eq!(again.to_string(), printed),
                Err(error) => panic!("{printed:?}: {error}"),
            }
        }
        _ => returns::<StoreUrl>(text),
    }
}

/// One that returns, but for what a command is given: that is not printed.
fn key_url(text: &str) {
    match text.parse::<KeyUrl>().map(|url| url.to_string()) {
        Ok(printed) if printed.starts_with("exec:") && printed.ends_with(" …") => {
            let mut words = text["exec:".len()..].split([' ', '\t']).filter(|word| !word.is_empty());
            assert_eq!(Some(printed), words.next().map(|program| format!("exec:{program} …")));
        }
        _ => returns::<KeyUrl>(text),
    }
}

/// What was typed in the wrong place may be a value: a word that marks one never comes back.
fn says_nothing_of(text: &str, error: &Error) {
    let told = format!("{error} {error:?}");
    assert!(!text.contains("cAnArY") || !told.contains("cAnArY"), "{told}");
}

fn times(text: &str) {
    // 2026-11-21T00:00:00Z.
    let now = Timestamp::from_micros(1_795_219_200_000_000);
    if let Ok(span) = text.parse::<Span>() {
        assert!(span.as_micros() > 0);
        let later = now.checked_add(span);
        assert!(later.is_none_or(|later| later.saturating_sub(span) == now));
    }
    if let Ok(expiry) = text.parse::<Expiry>()
        && let Ok(at) = expiry.at(now)
    {
        let again = at.to_string().parse::<Expiry>().unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(again.at(now).unwrap(), at, "what it prints means the same");
    }
}

/// Standard base64 has one form for each value; text is itself.
pub(crate) fn encoding(data: &[u8]) {
    let typed = || SecretValue::copied_from(data);
    match Encoding::Base64.decode(typed()) {
        Ok(value) => assert_eq!(Encoding::Base64.encode(&value).unwrap().expose_secret(), data),
        Err(Error::InvalidEncoding { offset, .. }) => assert!(offset <= data.len()),
        Err(other) => panic!("{other}"),
    }
    let encoded = Encoding::Base64.encode(&typed()).unwrap();
    assert_eq!(Encoding::Base64.decode(encoded).unwrap().expose_secret(), data);
    let is_text = std::str::from_utf8(data).is_ok();
    assert_eq!(Encoding::Text.decode(typed()).is_ok(), is_text);
    assert_eq!(Encoding::Text.encode(&typed()).is_ok(), is_text);
    assert_eq!(Encoding::Raw.decode(typed()).unwrap().expose_secret(), data);
}

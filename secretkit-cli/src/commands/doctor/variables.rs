//! The `SECRETKIT_` variables: which of them somebody reads, and what they say that others will stumble over.

use std::collections::BTreeSet;

use secretkit::{Caching, KeyUrl, PassphrasePlace, Settings};

use super::Check;
use crate::commands::Session;
use crate::failure::Stop;
use crate::global;

const CHECK: &str = "variables";

/// What the command reads.
const OF_THE_COMMAND: [&str; 15] = [
    "SECRETKIT_ACTOR",
    "SECRETKIT_ANCHOR",
    "SECRETKIT_DOMAIN",
    "SECRETKIT_KEEP",
    "SECRETKIT_KEY",
    "SECRETKIT_KEY_FILE",
    "SECRETKIT_ORG",
    "SECRETKIT_ORG_KEYS",
    "SECRETKIT_OUTPUT",
    "SECRETKIT_PREVIOUS_KEYS",
    "SECRETKIT_PROJECT",
    "SECRETKIT_QUIET",
    "SECRETKIT_STORE",
    "SECRETKIT_VALUE_LIMIT",
    "SECRETKIT_YES",
];

/// What programs that link the library or import the package read, and the command does not.
const OF_PROGRAMS: [&str; 3] = ["SECRETKIT_CACHE", "SECRETKIT_CACHE_STALE", "SECRETKIT_REGISTER_CONSUMERS"];

/// Their names only: one may hold a key.
pub(super) fn check(session: &Session, checks: &mut Vec<Check>) {
    let set: BTreeSet<String> = std::env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with("SECRETKIT_"))
        .collect();
    if set.is_empty() {
        checks.push(Check::secure(CHECK, "no SECRETKIT_ variable is set"));
        return;
    }
    let of_keys = of_keys(&session.settings);
    let (known, unknown): (Vec<&str>, Vec<&str>) = set
        .iter()
        .map(String::as_str)
        .partition(|name| OF_THE_COMMAND.contains(name) || OF_PROGRAMS.contains(name) || of_keys.contains(*name));
    let (of_programs, of_command): (Vec<&str>, Vec<&str>) =
        known.into_iter().partition(|name| OF_PROGRAMS.contains(name));
    if !of_command.is_empty() {
        let finding = format!("in effect where no option says otherwise: {}", of_command.join(", "));
        checks.push(Check::secure(CHECK, finding));
    }
    if !of_programs.is_empty() {
        let finding = format!("in effect in other programs, and not in this command: {}", of_programs.join(", "));
        checks.push(Check::secure(CHECK, finding));
    }
    if !unknown.is_empty() {
        let finding = format!("not in effect, because nothing reads them: {}", unknown.join(", "));
        checks.push(Check::weak(CHECK, finding, "look for a slip in the name, or unset what is not needed"));
    }
    checks.extend(agreement());
    checks.extend(cache());
}

/// Whoever keeps a key in a variable names it as they like.
fn of_keys(settings: &Settings) -> BTreeSet<String> {
    let urls = settings.key.iter().chain(&settings.previous_keys).chain(settings.org_keys.iter().map(|(_, url)| url));
    urls.filter_map(|url| match url {
        KeyUrl::Variable(name) | KeyUrl::Passphrase(PassphrasePlace::Variable(name)) => Some(name.as_str().to_owned()),
        _ => None,
    })
    .collect()
}

/// What `delete` and others that ask make of it.
fn agreement() -> Option<Check> {
    match global::says_yes("SECRETKIT_YES") {
        Ok(false) => None,
        Ok(true) => Some(Check::weak(
            CHECK,
            "with SECRETKIT_YES nothing asks before it deletes or writes plain values",
            "set it in scripts only",
        )),
        Err(Stop::Failed(failure)) => {
            Some(Check::weak(CHECK, failure.message, "put that right: until then every command that asks fails"))
        }
        Err(_) => None,
    }
}

/// What no command looks at, and a program with a cache refuses.
fn cache() -> Option<Check> {
    let error = Caching::from_environment().err()?;
    let advice =
        "put that right, or unset it: the command keeps no cache, and programs that do open no store with this";
    Some(Check::weak(CHECK, error.to_string(), advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A variable of the documents that is missing here would be told to have no effect.
    #[test]
    fn every_variable_of_the_documents_is_known() {
        let documents = [include_str!("../../../../docs/cli.md"), include_str!("../../../../docs/python.md")];
        let letter = |character: char| character.is_ascii_uppercase() || character == '_';
        let named: BTreeSet<&str> = documents
            .iter()
            .flat_map(|text| text.split(|character| !letter(character)))
            .filter(|word| word.len() > "SECRETKIT_".len() && word.starts_with("SECRETKIT_"))
            .collect();
        let known: BTreeSet<&str> = OF_THE_COMMAND.into_iter().chain(OF_PROGRAMS).collect();
        assert_eq!(named, known);
    }
}

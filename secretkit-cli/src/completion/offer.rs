//! What to offer for a word, by what the definition of the command line calls it.

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ValueHint};

use super::line::{Line, Place};
use super::stored::{self, Names};

/// What a shell is told.
pub(super) struct Offer {
    kind: Kind,
    /// The beginning of the word that is kept, where the shell itself completes the rest.
    before: String,
    words: Vec<(String, String)>,
}

/// Who completes, and how.
#[derive(Clone, Copy)]
enum Kind {
    /// These words, each of which is complete.
    Words,
    /// These words, behind which more has to come without a space.
    Open,
    /// The shell, with files.
    Files,
    /// The shell, with directories.
    Directories,
    /// The shell, with commands.
    Commands,
}

/// What a value is, as far as it can be completed.
enum Value {
    Files,
    Directories,
    Fixed(Vec<String>),
    /// The beginning of a URL, behind which comes what; where it has none, nothing is known.
    Urls(&'static [(&'static str, Option<Kind>)]),
    /// A secret's name, and what comes behind it.
    Name(&'static str),
    Stored(stored::What),
    /// What nobody knows but the person who types it.
    Unknown,
}

/// What fits at the end of the line.
pub(super) fn at(line: &Line<'_>) -> Option<Offer> {
    match line.place {
        Place::Command => Some(commands(line)),
        Place::Option => Some(options(line)),
        Place::Program => Some(Offer::by_the_shell(Kind::Commands, "")),
        Place::ItsArguments => Some(Offer::by_the_shell(Kind::Files, "")),
        Place::Value(argument) => values(line, argument),
        Place::Nothing => None,
    }
}

fn commands(line: &Line<'_>) -> Offer {
    let typed = line.value.to_string_lossy();
    let mut words = Vec::new();
    for command in line.command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let names = || std::iter::once(command.get_name()).chain(command.get_visible_aliases());
        // An alias is offered to those who have begun to type it.
        let name = names().find(|name| name.starts_with(&*typed)).filter(|_| !typed.is_empty());
        words.extend(name.or((typed.is_empty()).then(|| command.get_name())).map(|name| (name.to_owned(), about)));
    }
    Offer { kind: Kind::Words, before: String::new(), words }
}

fn options(line: &Line<'_>) -> Offer {
    let typed = line.value.to_string_lossy();
    let repeats = |argument: &Arg| matches!(argument.get_action(), clap::ArgAction::Append);
    let words = line.command.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(|argument| {
        let option = format!("--{}", argument.get_long()?);
        let wanted = option.starts_with(&*typed) && (repeats(argument) || !line.has(argument));
        wanted.then(|| (option, argument.get_help().map(ToString::to_string).unwrap_or_default()))
    });
    Offer { kind: Kind::Words, before: String::new(), words: words.collect() }
}

fn values(line: &Line<'_>, argument: &Arg) -> Option<Offer> {
    let before = std::str::from_utf8(line.before.as_bytes()).ok()?;
    let typed = std::str::from_utf8(line.value.as_bytes()).ok()?;
    let (kind, words): (_, Vec<String>) = match value(argument)? {
        Value::Files => return Some(Offer::by_the_shell(Kind::Files, before)),
        Value::Directories => return Some(Offer::by_the_shell(Kind::Directories, before)),
        Value::Fixed(words) => (Kind::Words, words),
        Value::Urls(schemes) => match schemes.iter().find(|(scheme, _)| typed.starts_with(scheme)) {
            Some((scheme, kind)) => return Some(Offer::by_the_shell((*kind)?, &format!("{before}{scheme}"))),
            None => (Kind::Open, schemes.iter().map(|(scheme, _)| (*scheme).to_owned()).collect()),
        },
        Value::Name(behind) => {
            // What follows a name is the person's own.
            let names = stored::names(line, typed, names_wanted(line))?;
            let kind = if behind.is_empty() { Kind::Words } else { Kind::Open };
            (kind, names.into_iter().map(|name| name + behind).collect())
        }
        Value::Stored(what) => (Kind::Words, stored::places(line, typed, what)?.into_iter().collect()),
        Value::Unknown => return None,
    };
    let fitting: BTreeSet<_> = words.into_iter().filter(|word| word.starts_with(typed)).collect();
    let words = fitting.into_iter().map(|word| (format!("{before}{word}"), String::new())).collect();
    Some(Offer { kind, before: String::new(), words })
}

/// The commands that look for a secret as a task would; all others work at exactly one scope.
fn names_wanted(line: &Line<'_>) -> Names {
    let exact = line.options.iter().any(|(option, _)| option.get_id() == "exact");
    let effective = line.options.iter().any(|(option, _)| option.get_id() == "effective");
    match line.command.get_name() {
        "reveal" if exact => Names::Exactly,
        "export" if effective => Names::Along,
        "reveal" | "run" => Names::Along,
        _ => Names::Exactly,
    }
}

/// What a value is, by its hint or else by what the help calls it: so a new command's arguments are completed as soon
/// as they are defined. `None` is a word of the help that is not known here.
fn value(argument: &Arg) -> Option<Value> {
    let fixed = argument.get_possible_values();
    if !fixed.is_empty() {
        let shown = fixed.iter().filter(|value| !value.is_hide_set());
        return Some(Value::Fixed(shown.map(|value| value.get_name().to_owned()).collect()));
    }
    match argument.get_value_hint() {
        ValueHint::Unknown => {}
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::ExecutablePath => return Some(Value::Files),
        ValueHint::DirPath => return Some(Value::Directories),
        _ => return Some(Value::Unknown),
    }
    let words = |words: &[&str]| Value::Fixed(words.iter().map(|word| (*word).to_owned()).collect());
    Some(match argument.get_value_names()?.first()?.as_str() {
        "NAME" | "NAME[=VAR]" => Value::Name(""),
        "NAME=VAR" => Value::Name("="),
        "FILE" | "PATH" | "TEMPLATE" | "FILE:FUNCTION" => Value::Files,
        "DIR" | "DIRECTORY" => Value::Directories,
        "FORMAT" => words(&["dotenv", "json", "nextflow", "directory"]),
        "FORM" => words(&["json", "table"]),
        "USE" => words(&["audit", "data", "digest", "meta"]),
        "ROLE" => words(&["auditor", "reader", "rotator", "writer"]),
        "SHELL" => words(&["bash", "fish", "zsh"]),
        "URL" if matches!(argument.get_long(), Some("store" | "from" | "to")) => {
            Value::Urls(&[("postgres://", None), ("sqlite:", Some(Kind::Files))])
        }
        "URL" => Value::Urls(&[
            ("credential:", None),
            ("env:", None),
            ("exec:", Some(Kind::Commands)),
            ("file:", Some(Kind::Files)),
            ("keyring:", None),
            ("passphrase:", None),
        ]),
        "SCOPE" => Value::Stored(stored::What::Scopes),
        "PROJECT" => Value::Stored(stored::What::Projects),
        "DOMAIN" => Value::Stored(stored::What::Domains),
        "COMMAND" | "DATE" | "ID" | "LOGIN" | "NUMBER" | "ORG" | "ORG/WS" | "ORG=URL" | "PREFIX" | "SPAN" | "TAG"
        | "TEXT" | "VALUE" | "WHEN" => Value::Unknown,
        _ => return None,
    })
}

impl Offer {
    fn by_the_shell(kind: Kind, before: &str) -> Self {
        Self { kind, before: before.to_owned(), words: Vec::new() }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Words => "words",
            Kind::Open => "open",
            Kind::Files => "files",
            Kind::Directories => "directories",
            Kind::Commands => "commands",
        };
        writeln!(formatter, "{kind}\t{}", self.before)?;
        self.words.iter().try_for_each(|(word, help)| match help.lines().next() {
            Some(help) => writeln!(formatter, "{word}\t{help}"),
            None => writeln!(formatter, "{word}"),
        })
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "here a panic is the report")]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;
    use crate::arguments::Arguments;

    fn check(command: &Command, names: &mut usize) {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if !argument.get_num_args().unwrap().takes_values() {
                continue;
            }
            let what = format!("{} {}", command.get_name(), argument.get_id());
            let called = argument.get_value_names().unwrap().first().unwrap().to_string();
            let value = value(argument).unwrap_or_else(|| {
                panic!("{what}: nobody knows how to complete {called}; add it to `value`, or give it a ValueHint")
            });
            if matches!(value, Value::Name(_)) {
                *names += 1;
            } else {
                let other = argument.get_value_hint() != ValueHint::Unknown;
                assert!(other || !called.contains("NAME"), "{what}: {called} does not complete names");
            }
        }
        command.get_subcommands().for_each(|command| check(command, names));
    }

    #[test]
    fn every_argument_is_completed_or_known_to_be_the_persons_own() {
        let mut command = Arguments::command();
        command.build();
        let mut names = 0;
        check(&command, &mut names);
        assert!(names >= 12, "{names}");
        let actor = command.get_arguments().find(|argument| argument.get_id() == "actor").unwrap();
        assert!(matches!(value(actor), Some(Value::Unknown)), "an actor's name is not a secret's");
    }

    #[test]
    fn a_name_of_a_secret_in_a_new_command_completes_names() {
        for (called, behind) in [("NAME", ""), ("NAME[=VAR]", ""), ("NAME=VAR", "=")] {
            let argument = Arg::new("anything").value_name(called);
            assert!(matches!(value(&argument), Some(Value::Name(found)) if found == behind), "{called}");
        }
        assert!(value(&Arg::new("anything").value_name("SECRET")).is_none(), "the test above would fail");
    }
}

//! A command line as far as it is typed, understood by the definition that the parser itself works with.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

/// What is typed, and what the last word is there for.
pub(super) struct Line<'a> {
    /// The command that the words before have reached.
    pub(super) command: &'a Command,
    /// The options that are there, each with its value.
    pub(super) options: Vec<(&'a Arg, OsString)>,
    /// What the last word is, or may become.
    pub(super) place: Place<'a>,
    /// The last word up to where its value begins: `--scope=`, `-p` or nothing.
    pub(super) before: OsString,
    /// What is typed of the value.
    pub(super) value: OsString,
}

/// What a word is.
pub(super) enum Place<'a> {
    /// A command, or an option of the command before it.
    Command,
    /// An option.
    Option,
    /// The value of an option or positional.
    Value(&'a Arg),
    /// The first word of a command that is not ours.
    Program,
    /// The words behind it.
    ItsArguments,
    /// Nothing that the command takes.
    Nothing,
}

impl<'a> Line<'a> {
    pub(super) fn new(root: &'a Command, words: &[OsString], current: &OsStr) -> Self {
        let mut reader = Reader { command: root, options: Vec::new(), waiting: None, positionals: 0, escaped: None };
        for word in words {
            reader.read(word);
        }
        let (place, before, value) = reader.place(current);
        Self { command: reader.command, options: reader.options, place, before: before.into(), value: value.into() }
    }

    /// Whether this option is there already.
    pub(super) fn has(&self, argument: &Arg) -> bool {
        self.options.iter().any(|(option, _)| option.get_id() == argument.get_id())
    }
}

struct Reader<'a> {
    command: &'a Command,
    options: Vec<(&'a Arg, OsString)>,
    /// The option whose value comes next.
    waiting: Option<&'a Arg>,
    positionals: usize,
    /// How many words there are behind `--`.
    escaped: Option<usize>,
}

/// An option that begins a word.
enum Begun<'a, 'w> {
    /// With what stands behind it in the same word, and where that begins.
    Valued(&'a Arg, Option<(&'w [u8], usize)>),
    /// One or several that take no value.
    Switches(Vec<&'a Arg>),
}

impl<'a> Reader<'a> {
    fn read(&mut self, word: &OsStr) {
        if let Some(option) = self.waiting.take() {
            self.options.push((option, word.to_owned()));
        } else if let Some(count) = &mut self.escaped {
            *count += 1;
            self.positionals += 1;
        } else if word == "--" {
            self.escaped = Some(0);
        } else if word.as_bytes().starts_with(b"-") && word != "-" {
            match self.begun(word.as_bytes()) {
                Some(Begun::Valued(option, Some((value, _)))) => {
                    self.options.push((option, OsString::from_vec(value.to_vec())));
                }
                Some(Begun::Valued(option, None)) => self.waiting = Some(option),
                Some(Begun::Switches(switches)) => {
                    self.options.extend(switches.into_iter().map(|switch| (switch, OsString::new())));
                }
                None => {}
            }
        } else if let (0, Some(command)) = (self.positionals, self.command.find_subcommand(word)) {
            self.command = command;
        } else {
            self.positionals += 1;
        }
    }

    /// What the last word is, and where in it the value begins.
    fn place<'w>(&self, current: &'w OsStr) -> (Place<'a>, &'w OsStr, &'w OsStr) {
        let bytes = current.as_bytes();
        let whole = |place| (place, OsStr::new(""), current);
        if let Some(option) = self.waiting {
            return whole(Place::Value(option));
        }
        let last = self.command.get_positionals().find(|argument| argument.is_last_set());
        if let (Some(count), Some(_)) = (self.escaped, last) {
            return whole(if count == 0 { Place::Program } else { Place::ItsArguments });
        }
        if self.escaped.is_none() && bytes.starts_with(b"-") {
            return match self.begun(bytes) {
                Some(Begun::Valued(option, Some((value, at)))) => {
                    (Place::Value(option), OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(value))
                }
                _ => whole(Place::Option),
            };
        }
        if self.command.has_subcommands() && self.positionals == 0 {
            return whole(Place::Command);
        }
        let positionals: Vec<_> = self.command.get_positionals().filter(|argument| !argument.is_last_set()).collect();
        let takes_all = |argument: &&&Arg| argument.get_num_args().is_some_and(|range| range.max_values() > 1);
        let positional = positionals.get(self.positionals).or_else(|| positionals.last().filter(takes_all));
        match positional {
            Some(argument) => whole(Place::Value(argument)),
            None if self.command.get_positionals().next().is_none() => whole(Place::Option),
            None => whole(Place::Nothing),
        }
    }

    fn begun<'w>(&self, word: &'w [u8]) -> Option<Begun<'a, 'w>> {
        match word.strip_prefix(b"--") {
            Some(long) => self.long(long),
            None => self.cluster(word),
        }
    }

    fn long<'w>(&self, word: &'w [u8]) -> Option<Begun<'a, 'w>> {
        let equals = word.iter().position(|byte| *byte == b'=');
        let name = std::str::from_utf8(&word[..equals.unwrap_or(word.len())]).ok()?;
        let is_it = |argument: &&Arg| {
            argument.get_long() == Some(name)
                || argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
        };
        let option = self.command.get_arguments().find(is_it)?;
        Some(match takes_value(option) {
            true => Begun::Valued(option, equals.map(|at| (&word[at + 1..], "--".len() + at + 1))),
            false => Begun::Switches(vec![option]),
        })
    }

    /// `-qp etl`, `-qpetl` and `-qp=etl`.
    fn cluster<'w>(&self, word: &'w [u8]) -> Option<Begun<'a, 'w>> {
        let mut switches = Vec::new();
        for (at, byte) in word.iter().enumerate().skip(1) {
            let short = Some(char::from(*byte));
            let option = self.command.get_arguments().find(|argument| argument.get_short() == short)?;
            if takes_value(option) {
                let begin = at + 1 + usize::from(word.get(at + 1) == Some(&b'='));
                let value = word.get(begin..).filter(|value| begin > at + 1 || !value.is_empty());
                return Some(Begun::Valued(option, value.map(|value| (value, begin))));
            }
            switches.push(option);
        }
        (!switches.is_empty()).then_some(Begun::Switches(switches))
    }
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.takes_values())
}

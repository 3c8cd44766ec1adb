//! A command line that could not be understood, told without quoting any of it: what stands in the wrong place may be
//! a value.

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::Codes;
use crate::console::{self, Console};
use crate::failure::Stop;

/// Prints the help that was asked for, or says what is wrong, and returns the exit code.
pub(crate) fn answer(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let stop = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render().to_string();
            match console::standard_output().and_then(|mut out| out.write_all(text.as_bytes()).map_err(Stop::output)) {
                Ok(()) => return 0,
                Err(stop) => stop,
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = std::io::stderr().write_all(error.render().to_string().as_bytes());
            return secretkit::ErrorKind::Usage.exit_code();
        }
        kind => Stop::usage(message(error, kind, arguments), hint(error, kind, arguments)),
    };
    stop.end(&Console::from_raw(arguments), codes(arguments))
}

/// Whose exit codes: as much as can be understood of the command line tells the command.
fn codes(arguments: &[OsString]) -> Codes {
    let lenient = <crate::arguments::Arguments as clap::CommandFactory>::command().ignore_errors(true);
    match lenient.try_get_matches_from(arguments) {
        Ok(found) if found.subcommand_name() == Some("run") => Codes::OfRun,
        _ => Codes::OfKinds,
    }
}

pub(crate) fn message(error: &clap::Error, kind: ErrorKind, arguments: &[OsString]) -> String {
    let option = || known(error, ContextKind::InvalidArg).unwrap_or_else(|| "an option".to_owned());
    match kind {
        ErrorKind::UnknownArgument => match position(error, arguments) {
            Some(position) => format!("argument {position} is not expected there"),
            None => "there is an argument that is not expected there".to_owned(),
        },
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        ErrorKind::ArgumentConflict => match known(error, ContextKind::PriorArg) {
            Some(prior) if prior == option() => format!("{prior} is given more than once"),
            Some(prior) => format!("{} and {prior} contradict each other", option()),
            None => format!("{} contradicts another option", option()),
        },
        ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            format!("{} needs a value", option())
        }
        ErrorKind::TooManyValues => format!("{} takes no value", option()),
        ErrorKind::MissingRequiredArgument => format!("{} is missing", option()),
        _ => "the command line makes no sense as written".to_owned(),
    }
}

pub(crate) fn hint(error: &clap::Error, kind: ErrorKind, arguments: &[OsString]) -> String {
    let help = match command(arguments) {
        Some(command) => format!("`secretkit {command} --help` shows what it takes"),
        None => "`secretkit --help` shows the commands".to_owned(),
    };
    let suggested = known(error, ContextKind::SuggestedArg).or_else(|| known(error, ContextKind::SuggestedSubcommand));
    match (kind, suggested) {
        (ErrorKind::UnknownArgument, None) if matches!(codes(arguments), Codes::OfRun) => {
            format!("{help}; the command and its arguments stand behind --")
        }
        (_, Some(suggested)) => format!("did you mean {suggested}? {help}"),
        (ErrorKind::UnknownArgument, None) => {
            format!("{help}; a value that begins with - is given as --value=VALUE or after --")
        }
        (_, None) => help,
    }
}

/// The command that they name, by its name or an alias, with the one below it as in `key add`.
fn command(arguments: &[OsString]) -> Option<String> {
    let mut command = <crate::arguments::Arguments as clap::CommandFactory>::command();
    let mut names = Vec::new();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(below) = command.find_subcommand(argument).cloned() {
            names.push(below.get_name().to_owned());
            command = below;
        }
    }
    (!names.is_empty()).then(|| names.join(" "))
}

/// Words of the error that are ours: names of options and commands. Never for what was typed.
fn known(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) if !names.is_empty() => Some(names.join(", ")),
        _ => None,
    }
}

/// Which of the arguments it is, counted from 1 behind the program's name: the most that can be said of it.
fn position(error: &clap::Error, arguments: &[OsString]) -> Option<usize> {
    let ContextValue::String(unexpected) = error.get(ContextKind::InvalidArg)? else { return None };
    let is_it = |argument: &OsString| {
        let text = argument.to_string_lossy();
        let cluster = text.starts_with('-') && !text.starts_with("--") && unexpected.starts_with('-');
        text == *unexpected
            || text.split('=').next() == Some(unexpected)
            || cluster && text.contains(unexpected.trim_start_matches('-'))
    };
    arguments.iter().skip(1).position(is_it).map(|index| index + 1)
}

//! No API: how a command line is understood, without doing what it says, for `fuzz-targets/`.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use crate::arguments::Arguments;
use crate::{completion, usage};

/// What is said of a command line that cannot be understood, or the help that it asks for; `None` where it can be.
#[must_use]
pub fn refused(arguments: &[OsString]) -> Option<String> {
    let error = Arguments::try_parse_from(arguments).err()?;
    if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Some(error.render().to_string());
    }
    let kind = error.kind();
    Some(format!("{}\n{}", usage::message(&error, kind, arguments), usage::hint(&error, kind, arguments)))
}

/// The words that a shell hands over on standard input.
#[must_use]
pub fn words(bytes: &[u8]) -> Option<Vec<OsString>> {
    completion::words(bytes)
}

/// How the last word of a line that is being typed is understood: what stands before its value, its value, and what is
/// offered for it where no store is asked.
#[must_use]
pub fn completed(words: &[OsString], current: &OsStr) -> (OsString, OsString, Option<String>) {
    completion::understood(words, current)
}

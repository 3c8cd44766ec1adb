//! The two streams: data on standard output, everything else on standard error.

use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use serde_json::json;

use crate::failure::{Failure, Stop};
use crate::visible;

/// How to print, as the options and variables say.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    pub(crate) format: Format,
    pub(crate) quiet: Quiet,
}

/// The form of what is printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document on standard output, and one JSON object on each line of standard error.
    Json,
}

/// Whether notices and warnings are printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Quiet {
    No,
    Yes,
}

impl Console {
    /// As far as the arguments tell that could not be understood as a whole.
    pub(crate) fn from_raw(arguments: &[OsString]) -> Self {
        let json = arguments.iter().any(|argument| argument == "--output=json" || argument == "-ojson")
            || arguments.windows(2).any(|pair| (pair[0] == "--output" || pair[0] == "-o") && pair[1] == "json")
            || std::env::var_os("SECRETKIT_OUTPUT").is_some_and(|format| format == "json");
        Self { format: if json { Format::Json } else { Format::Table }, quiet: Quiet::No }
    }

    /// Says what was done or found.
    pub(crate) fn notice(&self, text: &str) {
        if self.quiet == Quiet::No {
            self.say("notice", text, text);
        }
    }

    /// Says what should be done otherwise.
    pub(crate) fn warning(&self, text: &str) {
        if self.quiet == Quiet::No {
            self.say("warning", &format!("warning: {text}"), text);
        }
    }

    /// Says what went wrong; never silenced.
    pub(crate) fn failure(&self, failure: &Failure) {
        let Failure { kind, message, hint } = failure;
        match self.format {
            Format::Json => {
                let mut object = json!({ "error": kind.as_str(), "message": message });
                if let Some(hint) = hint {
                    object["hint"] = json!(hint);
                }
                print_object(&object);
            }
            Format::Table => {
                print_line(&format!("error: {message}"));
                if let Some(hint) = hint {
                    print_line(&format!("hint: {hint}"));
                }
            }
        }
    }

    fn say(self, key: &str, line: &str, text: &str) {
        match self.format {
            Format::Json => print_object(&json!({ key: text })),
            Format::Table => print_line(line),
        }
    }
}

/// Standard output without a buffer of its own, in which a value would stay.
///
/// # Errors
/// Where it is closed.
pub(crate) fn standard_output() -> Result<File, Stop> {
    std::io::stdout().as_fd().try_clone_to_owned().map(File::from).map_err(Stop::output)
}

/// Whether colours may go to standard output: it is a terminal that knows them, and `NO_COLOR` is not set.
pub(crate) fn colours(output: &File) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    output.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// One line on standard error. Paths and the like come from outside: what would not be seen in them is escaped.
fn print_line(text: &str) {
    print(visible::escaped(text).into_owned());
}

fn print_object(object: &serde_json::Value) {
    print(visible::escaped_json(&object.to_string()));
}

fn print(mut line: String) {
    line.push('\n');
    // Where nobody can be told, there is nobody to tell that.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

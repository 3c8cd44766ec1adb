//! `secretkit doctor`: reads, rates and says what to do. It changes nothing, and works where there is nothing yet.

mod key;
mod machine;
mod store;
mod variables;

use std::io::Write;

use secretkit::ErrorKind;
use secretkit::store as outside;
use serde::Serialize;

use super::Session;
use crate::console::{self, Console, Format};
use crate::failure::Stop;
use crate::visible;

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let mut checks = Vec::new();
    let state = store::check(session, &mut checks);
    key::check(session, &state, &mut checks);
    machine::check(&mut checks);
    variables::check(session, &mut checks);
    checks.push(machine::versions(&state));
    let worst = checks.iter().map(|check| check.rating).max().unwrap_or(Rating::Secure);
    print(&session.console, &checks, worst)?;
    match worst {
        Rating::Secure | Rating::Weak => Ok(()),
        Rating::Insecure => {
            let hint = "do first what is said under the lines that are rated insecure".to_owned();
            Err(Stop::failed(ErrorKind::UnsafeStore, "the set-up is insecure", hint))
        }
    }
}

/// How safe something is, in the words of `systemd-creds`.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
enum Rating {
    /// Nothing to do.
    Secure,
    /// It works, and could be safer.
    Weak,
    /// Somebody else may read or change what nobody should, or it does not work at all.
    Insecure,
}

impl Rating {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Weak => "weak",
            Self::Insecure => "insecure",
        }
    }
}

/// One line.
#[derive(Serialize)]
struct Check {
    check: &'static str,
    rating: Rating,
    finding: String,
    /// What to do.
    advice: Option<String>,
}

impl Check {
    fn secure(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, rating: Rating::Secure, finding: finding.into(), advice: None }
    }

    fn weak(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, rating: Rating::Weak, finding: finding.into(), advice: Some(advice.into()) }
    }

    fn insecure(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, rating: Rating::Insecure, finding: finding.into(), advice: Some(advice.into()) }
    }
}

impl From<outside::StoreCheck> for Check {
    fn from(found: outside::StoreCheck) -> Self {
        let outside::StoreCheck { check, rating, finding, advice, .. } = found;
        let rating = match rating {
            outside::Rating::Secure => Rating::Secure,
            outside::Rating::Weak => Rating::Weak,
            outside::Rating::Insecure => Rating::Insecure,
        };
        Self { check, rating, finding, advice }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    rating: Rating,
    checks: &'a [Check],
}

fn print(console: &Console, checks: &[Check], rating: Rating) -> Result<(), Stop> {
    let mut output = console::standard_output()?;
    let text = match console.format {
        Format::Json => {
            serde_json::to_string(&Report { rating, checks }).map_err(|error| Stop::output(error.into()))? + "\n"
        }
        Format::Table => {
            let coloured = console::colours(&output);
            let mut text: String = checks.iter().map(|check| line(check, coloured)).collect();
            let open = checks.iter().filter(|check| check.rating != Rating::Secure).count();
            text += &match open {
                0 => "secure: there is nothing to do\n".to_owned(),
                1 => format!("{}: 1 line of {} says what to do\n", rating.as_str(), checks.len()),
                open => format!("{}: {open} lines of {} say what to do\n", rating.as_str(), checks.len()),
            };
            text
        }
    };
    output.write_all(text.as_bytes()).map_err(Stop::output)
}

fn line(check: &Check, coloured: bool) -> String {
    let (colour, plain) = match (coloured, check.rating) {
        (false, _) => ("", ""),
        (true, Rating::Secure) => ("\u{1b}[32m", "\u{1b}[0m"),
        (true, Rating::Weak) => ("\u{1b}[33m", "\u{1b}[0m"),
        (true, Rating::Insecure) => ("\u{1b}[31m", "\u{1b}[0m"),
    };
    let rating = format!("{colour}{:8}{plain}", check.rating.as_str());
    let finding = format!("{rating}  {:14}  {}\n", check.check, visible::escaped(&check.finding));
    match &check.advice {
        Some(advice) => format!("{finding}{:24}  do: {}\n", "", visible::escaped(advice)),
        None => finding,
    }
}

//! `secretkit export`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use secretkit::{Error, ErrorKind, SecretInfo, SecretName, SecretValue, Secrets};
use secretkit_exchange::{Entry, Format, MAX_INPUT_BYTES, Reach, Selected, check_place};

use super::import::{STANDARD, counted, existing, format};
use super::reveal::is_harmless;
use super::{Session, secret_name};
use crate::arguments::Export;
use crate::console;
use crate::failure::Stop;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::terminal;
use crate::visible;

pub(super) fn run(session: &Session, arguments: &Export) -> Result<(), Stop> {
    let names = arguments.names.iter().map(secret_name).collect::<Result<Vec<_>, _>>()?;
    let to = arguments.to.as_ref().map(Path::new).filter(|path| *path != Path::new(STANDARD));
    let format = format(arguments.format.as_ref(), to, "PATH")?;
    let existing = existing(arguments.overwrite);
    match to {
        Some(path) => {
            check_place(path, existing).map_err(|error| Stop::from(error).or_hint("to replace it, add --overwrite"))?
        }
        None if format == Format::Directory => {
            return Err(Stop::usage("a directory does not go to standard output", "give --to PATH".to_owned()));
        }
        None => {}
    }
    let agreed = session.global.agreed()?;
    if !agreed && !terminal::is_there() {
        let hint = "give --yes to write plain values without being asked".to_owned();
        return Err(Stop::usage("export asks first, and there is no terminal to ask at", hint));
    }
    let secrets = session.existing()?;
    let infos = selected(session, arguments, &secrets, &names)?;
    let place = to.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    if !agreed {
        let question = format!("Write the plain values of {} to {place}? [y/N] ", counted(infos.len()));
        if !terminal::confirm(&visible::escaped(&question))? {
            return Err(Stop::failed(ErrorKind::Other, "not exported: the answer was not yes", None));
        }
    }
    let entries = values(session, &secrets, &infos)?;
    match to {
        Some(path) => whole(|| format.write_path(path, &entries, existing).map_err(told))?,
        None => print(&format.write(&entries).map_err(told)?)?,
    }
    let whence = if arguments.effective { "as seen from" } else { "from" };
    session.console.notice(&format!("exported {} {whence} {} to {place}", counted(infos.len()), session.scope));
    Ok(())
}

/// Lets what writes values finish before a signal ends the command: a directory gets its name once it is whole, and until
/// then what was written of it would be left behind, in plain.
fn whole(write: impl FnOnce() -> Result<(), Stop>) -> Result<(), Stop> {
    let signals = Signals::hold_back().map_err(Stop::terminal)?;
    let written = write();
    let signal = signals.within(Duration::ZERO).map_err(Stop::terminal)?;
    drop(signals);
    written?;
    signal.map_or(Ok(()), |signal| Err(Stop::Signalled(signal)))
}

/// What is there and given out. What is not is never left out without a word.
fn selected(
    session: &Session,
    arguments: &Export,
    secrets: &Secrets,
    names: &[SecretName],
) -> Result<Vec<SecretInfo>, Stop> {
    let reach = if arguments.effective { Reach::Effective } else { Reach::Exactly };
    let progress = Progress::start(&session.console, "looking for secrets", None);
    let Selected { available, refused, .. } = secretkit_exchange::select(secrets, &session.scope, names, reach)?;
    drop(progress);
    if !refused.is_empty() && !arguments.skip_unavailable {
        let hint = "to export the others without these, add --skip-unavailable";
        return Err(Stop::from(Error::Several(refused)).or_hint(hint));
    }
    refused.iter().for_each(|error| session.console.warning(&format!("left out: {error}")));
    if available.is_empty() {
        let whence = if arguments.effective { "as seen from" } else { "at exactly" };
        session.console.warning(&format!("there is no secret to export {whence} {}", session.scope));
    }
    Ok(available)
}

fn values(session: &Session, secrets: &Secrets, infos: &[SecretInfo]) -> Result<Vec<Entry>, Stop> {
    let progress = Progress::start(&session.console, "reading values", Some(infos.len()));
    let done = |count| progress.advance(count);
    Ok(secretkit_exchange::values(secrets, &session.scope, infos, done)?)
}

/// The same caution as of `reveal`: what could drive the terminal does not reach it.
fn print(text: &SecretValue) -> Result<(), Stop> {
    let mut output = console::standard_output()?;
    if output.is_terminal() && !is_harmless(text.expose_secret()) {
        let why = "a value holds control bytes, which could drive the terminal";
        let error = Error::Undeliverable { what: "the export".to_owned(), why };
        return Err(Stop::from(error).or_hint("give --to PATH, or send it into a pipe"));
    }
    output.write_all(text.expose_secret()).map_err(Stop::output)
}

/// Why nothing was written.
fn told(error: Error) -> Stop {
    match error {
        Error::TooLarge { length, .. } => {
            let message =
                format!("the file would have {length} bytes, and of one over {MAX_INPUT_BYTES} none is read again");
            let hint = "name the secrets to export in parts, or give --format directory".to_owned();
            Stop::failed(ErrorKind::TooLarge, message, hint)
        }
        error => error.into(),
    }
}

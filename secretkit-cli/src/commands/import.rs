//! `secretkit import`.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use secretkit::{Error, ErrorKind, SecretId};
use secretkit_exchange::{Entry, Existing, Format, Imported, MAX_INPUT_BYTES};
use serde_json::json;

use super::Session;
use crate::arguments::Import;
use crate::console;
use crate::failure::Stop;
use crate::global;
use crate::input;
use crate::progress::Progress;

pub(super) fn run(session: &Session, arguments: &Import) -> Result<(), Stop> {
    let path = Path::new(&arguments.file);
    let format = format(arguments.format.as_ref(), Some(path).filter(|path| *path != Path::new(STANDARD)), "FILE")?;
    if format == Format::Directory && path == Path::new(STANDARD) {
        return Err(Stop::usage("a directory does not come from standard input", "give its path".to_owned()));
    }
    let existing = existing(arguments.overwrite);
    let entries = read(path, format)?;
    // All that the file alone can be wrong about is said before anything is made.
    secretkit_exchange::check_lengths(&entries, input::limit(&session.settings))?;
    let imported = match (entries.is_empty(), arguments.dry_run) {
        (true, _) => Ok(Imported::default()),
        (false, true) => planned(session, &entries, existing),
        (false, false) => written(session, &entries, existing),
    };
    let imported = imported.map_err(|stop| match stop {
        Stop::Failed(failure) if failure.kind == ErrorKind::AlreadyExists => {
            let hint = "nothing was written; to give those new values, add --overwrite".to_owned();
            Stop::failed(failure.kind, failure.message, hint)
        }
        other => other,
    })?;
    report(session, &imported, arguments.dry_run)
}

/// How standard input is named where a path is expected, and standard output.
pub(super) const STANDARD: &str = "-";

/// The format that is named, or that a path tells.
pub(super) fn format(named: Option<&OsString>, path: Option<&Path>, place: &str) -> Result<Format, Stop> {
    let formats = Format::ALL.map(Format::as_str).join(", ");
    let hint = format!("give --format with one of: {formats}");
    match named {
        Some(named) => {
            let known = global::text(named).ok().and_then(|text| text.parse().ok());
            known.ok_or_else(|| Stop::usage("there is no such format", hint))
        }
        None => match path {
            Some(path) => Format::of_path(path)
                .ok_or_else(|| Stop::usage(format!("the name of {place} does not tell its format"), hint)),
            None => Err(Stop::usage("a stream does not tell its format", hint)),
        },
    }
}

pub(super) const fn existing(overwrite: bool) -> Existing {
    if overwrite { Existing::Replace } else { Existing::Refuse }
}

fn read(path: &Path, format: Format) -> Result<Vec<Entry>, Stop> {
    format.read_path(path).map_err(|error| match error {
        Error::TooLarge { .. } if format != Format::Directory => {
            let message = format!("the file has more than {MAX_INPUT_BYTES} bytes, and no more is read of one");
            let hint = "split it; several imports are as good as one, but for what is all or nothing".to_owned();
            Stop::failed(ErrorKind::TooLarge, message, hint)
        }
        error @ Error::InvalidInput { .. } => {
            Stop::from(error).or_hint("docs/exchange.md tells what each format may hold; nothing was written")
        }
        error => error.into(),
    })
}

/// Where there is no store yet, everything would be new; a key that is named would have to be there all the same.
fn planned(session: &Session, entries: &[Entry], existing: Existing) -> Result<Imported, Stop> {
    let secrets = match session.existing() {
        Err(Error::NoStore { .. }) => {
            if let Some(key) = &session.settings.key {
                key.load()?;
            }
            return Ok(Imported::all_new(&session.scope, entries));
        }
        secrets => secrets?,
    };
    let progress = Progress::start(&session.console, "looking for secrets", Some(entries.len()));
    let done = |count| progress.advance(count);
    Ok(secretkit_exchange::plan(&secrets, &session.scope, entries, existing, done)?)
}

fn written(session: &Session, entries: &[Entry], existing: Existing) -> Result<Imported, Stop> {
    let secrets = session.existing_or_new()?;
    let _progress = Progress::start(&session.console, &format!("importing {}", counted(entries.len())), None);
    Ok(secretkit_exchange::import(&secrets, &session.scope, entries, existing)?)
}

fn report(session: &Session, imported: &Imported, dry_run: bool) -> Result<(), Stop> {
    let Imported { created, updated, .. } = imported;
    let (would, done) = if dry_run { ("would have ", "would be ") } else { ("", "") };
    for (what, addresses) in [("created", created), ("updated", updated)] {
        addresses.iter().for_each(|address| session.console.notice(&format!("{would}{what} {address}")));
    }
    let all = counted(created.len() + updated.len());
    session.console.notice(&format!("{all} {done}imported into {}", session.scope));
    match session.console.format {
        console::Format::Table => Ok(()),
        console::Format::Json => {
            let texts = |addresses: &[SecretId]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
            let line = json!({ "created": texts(created), "updated": texts(updated) }).to_string() + "\n";
            console::standard_output()?.write_all(line.as_bytes()).map_err(Stop::output)
        }
    }
}

pub(super) fn counted(secrets: usize) -> String {
    match secrets {
        0 => "no secret".to_owned(),
        1 => "1 secret".to_owned(),
        several => format!("{several} secrets"),
    }
}

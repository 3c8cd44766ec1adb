//! `secretkit backup`.

use std::io::Write;
use std::path::Path;

use secretkit::{Error, ErrorKind, SqliteStore, StoreUrl};
use serde_json::json;

use super::Session;
use super::import::existing;
use crate::arguments::Backup;
use crate::console::{self, Format};
use crate::failure::Stop;

pub(super) fn run(session: &Session, arguments: &Backup) -> Result<(), Stop> {
    let target = Path::new(&arguments.file);
    let StoreUrl::Sqlite(path) = session.settings.store_url()? else {
        let why = "only a SQLite store is backed up by this command; another has tools of its own".to_owned();
        return Err(Error::Unsupported(why).into());
    };
    // No root key is needed: everything goes over as it is sealed.
    SqliteStore::open(&path)?.backup(target, existing(arguments.overwrite)).map_err(|error| failed(error, target))?;
    let length = target.metadata().map_err(|error| Error::file(target, error))?.len();
    session.console.notice(&format!(
        "backed {} up to {}, {length} bytes; the root key is not in it, keep that elsewhere",
        path.display(),
        target.display()
    ));
    match session.console.format {
        Format::Table => Ok(()),
        Format::Json => {
            let line = format!("{}\n", json!({ "path": target.to_string_lossy(), "bytes": length }));
            console::standard_output()?.write_all(line.as_bytes()).map_err(Stop::output)
        }
    }
}

fn failed(error: Error, target: &Path) -> Stop {
    match error {
        Error::File { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => Stop::failed(
            ErrorKind::AlreadyExists,
            format!("already exists: {}", target.display()),
            "give --overwrite to put the backup in its place once it is whole".to_owned(),
        ),
        error => error.into(),
    }
}

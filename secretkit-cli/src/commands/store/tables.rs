//! `secretkit store status` and `secretkit store migrate`.

use std::io::Write;

use secretkit::{StoreStatus, StoreUrl};
use serde_json::json;

use crate::commands::Session;
use crate::console::{self, Format};
use crate::failure::Stop;

pub(super) fn status(session: &Session) -> Result<(), Stop> {
    let store = session.settings.store_url()?;
    let status = store.status()?;
    print(session, &store, status)
}

pub(super) fn migrate(session: &Session) -> Result<(), Stop> {
    let store = session.settings.store_url()?;
    let before = store.status()?;
    let after = store.migrate()?;
    let done = match before.version {
        None => format!("made the store {store}"),
        Some(version) if version == after.needed => format!("nothing to do: {store} is up to date"),
        Some(version) => format!("brought {store} from version {version} to {}", after.needed),
    };
    session.console.notice(&done);
    match session.console.format {
        Format::Table => Ok(()),
        Format::Json => print(session, &store, after),
    }
}

fn print(session: &Session, store: &StoreUrl, status: StoreStatus) -> Result<(), Stop> {
    let StoreStatus { version, needed, commits, .. } = status;
    let text = match session.console.format {
        Format::Json => {
            let object = json!({
                "store": store.to_string(),
                "version": version,
                "needed": needed,
                "current": status.is_current(),
                "commits": commits,
            });
            format!("{object}\n")
        }
        Format::Table => {
            let found = match version {
                None => "no store; the first write makes it, or secretkit store migrate".to_owned(),
                Some(_) if status.is_current() && commits == Some("transaction") => {
                    format!("version {needed}, up to date; without functions on the server, see docs/postgres.md")
                }
                Some(_) if status.is_current() => format!("version {needed}, up to date"),
                Some(version) => format!("version {version}, and {needed} is needed; run secretkit store migrate"),
            };
            format!("{store}: {found}\n")
        }
    };
    console::standard_output()?.write_all(text.as_bytes()).map_err(Stop::output)
}

//! The two files that libpq's users keep: services and passwords.

use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use secretkit_core::{Error, Result};
use zeroize::Zeroizing;

use super::{Given, Origin, take};

/// What the section of this name sets in the first of these files that has it.
///
/// # Errors
/// [`Error::Unsupported`] where none has it, or it has what this client cannot do; [`Error::File`].
pub(super) fn service(name: &str, files: &[PathBuf]) -> Result<Given> {
    for path in files {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::file(path, error)),
        };
        if let Some(given) = section(name, &text, path)? {
            return Ok(given);
        }
    }
    Err(Error::Unsupported("the PostgreSQL service that was named stands in no service file".to_owned()))
}

fn section(wanted: &str, text: &str, path: &Path) -> Result<Option<Given>> {
    let mut found: Option<Given> = None;
    let mut inside = false;
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            inside = name == wanted;
            if inside {
                found = Some(Given::default());
            }
        } else if let Some(given) = found.as_mut().filter(|_| inside) {
            let origin = Origin::Service(path.to_owned(), line);
            let Some((name, value)) = text.split_once('=') else {
                return Err(Error::Unsupported(format!("{origin} is no keyword=value")));
            };
            let name = name.trim_end();
            if name == "service" || name == "servicefile" {
                return Err(Error::Unsupported(format!("{origin} names another service, which libpq does not follow")));
            }
            take(given, name, Zeroizing::new(value.trim_start().to_owned()), &origin)?;
        }
    }
    Ok(found)
}

/// The password that this file keeps for a server, a database and a user. A socket stands in it as `localhost`.
///
/// # Errors
/// [`Error::UnsafeStore`] where others could read the file, which libpq would pass over in silence; [`Error::File`].
pub(super) fn password(path: &Path, place: [&str; 4]) -> Result<Option<Zeroizing<String>>> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::file(path, error)),
    };
    // No file at all is how people say that there is none.
    if !metadata.is_file() {
        return Ok(None);
    }
    private(path, Mode::empty())?;
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?);
    Ok(text.lines().filter(|line| !line.starts_with('#')).find_map(|line| matching(line, place)))
}

/// Refuses a key that others can read. Root may share one with a group, as libpq lets it.
///
/// # Errors
/// [`Error::UnsafeStore`], [`Error::File`].
pub(crate) fn private_key_file(path: &Path) -> Result<()> {
    let status = rustix::fs::stat(path).map_err(|errno| Error::file(path, errno))?;
    private(path, if status.st_uid == 0 { Mode::RGRP } else { Mode::empty() })
}

/// Refuses a file that others can read, but for those whom `allowed` lets in.
fn private(path: &Path, allowed: Mode) -> Result<()> {
    let status = rustix::fs::stat(path).map_err(|errno| Error::file(path, errno))?;
    let others = Mode::from_raw_mode(status.st_mode) & (Mode::RWXG | Mode::RWXO);
    if allowed.contains(others) {
        return Ok(());
    }
    let why = "can be read or written by others; run chmod 600 on it".to_owned();
    Err(Error::UnsafeStore { store: path.display().to_string(), why })
}

/// The password of a line `host:port:database:user:password`, if its first four fit. `*` fits all; `\` takes the next
/// sign as it is.
fn matching(line: &str, place: [&str; 4]) -> Option<Zeroizing<String>> {
    let mut rest = line;
    for wanted in place {
        let (field, behind) = field(rest)?;
        if field.as_str() != wanted && !rest.starts_with("*:") {
            return None;
        }
        rest = behind;
    }
    let (password, _) = field(&format!("{rest}:")).map(|(password, _)| (password, ()))?;
    Some(password).filter(|password| !password.is_empty())
}

/// The text up to the next colon that stands for itself, and what follows it.
fn field(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let mut field = Zeroizing::new(String::new());
    let mut signs = text.char_indices();
    while let Some((place, sign)) = signs.next() {
        match sign {
            ':' => return text.get(place + 1..).map(|rest| (field, rest)),
            '\\' => field.extend(signs.next().map(|(_, sign)| sign)),
            sign => field.push(sign),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Keyword;
    use super::*;

    #[test]
    fn a_password_is_found_by_the_first_line_that_fits() {
        let file = "# db:5432:secrets:app:comment\n\
                    other:5432:secrets:app:no\n\
                    db:5432:secrets:app:with\\:colon and \\\\ blank\n\
                    db:*:*:app:any\n\
                    *:*:*:*:all:of it\n\
                    broken\n";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pgpass");
        std::fs::write(&path, file).unwrap();
        let find = |place| password(&path, place).map(|found| found.map(|text| text.to_string()));
        assert!(find(["db", "5432", "secrets", "app"]).unwrap_err().to_string().contains("chmod 600"));
        rustix::fs::chmod(&path, Mode::RUSR).unwrap();
        let found = |place| find(place).unwrap().unwrap();
        assert_eq!(found(["db", "5432", "secrets", "app"]), "with:colon and \\ blank");
        assert_eq!(found(["db", "5433", "secrets", "app"]), "any");
        // What stands behind a colon that is not escaped is no part of it.
        assert_eq!(found(["db", "5432", "secrets", "somebody"]), "all");
        assert!(password(&directory.path().join("none"), ["db", "5432", "secrets", "app"]).unwrap().is_none());
        assert!(password(Path::new("/dev/null"), ["db", "5432", "secrets", "app"]).unwrap().is_none());
    }

    #[test]
    fn a_service_is_a_section_of_the_first_file_that_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("first"), directory.path().join("second"));
        std::fs::write(&first, "# mine\n[other]\nhost=elsewhere\n\n[team]\nhost = db\nport=5433\n").unwrap();
        std::fs::write(&second, "[team]\nhost=later\n[broken]\nsslcrl=x\n[unknown]\nhunter2=x\n[nothing]\njust\n")
            .unwrap();
        let files = [directory.path().join("none"), first, second];
        let team = service("team", &files).unwrap();
        assert_eq!((team.get(Keyword::Host), team.get(Keyword::Port)), (Some("db"), Some("5433")));
        let refused = |name: &str| service(name, &files).err().unwrap().to_string();
        assert!(refused("broken").contains("line 4, sets sslcrl"), "{}", refused("broken"));
        assert!(refused("unknown").contains("line 6") && !refused("unknown").contains("hunter2"));
        assert!(refused("nothing").contains("line 8"));
        assert!(refused("nobody").contains("no service file"));
    }
}

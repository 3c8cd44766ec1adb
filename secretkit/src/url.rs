//! Stores by URL, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use secretkit_core::store::StoreCheck;
use secretkit_core::{Error, MemoryStore, Part, Result, SecretStore};
#[cfg(feature = "postgres")]
use secretkit_postgres::PostgresUrl;
use secretkit_sqlite::SqliteStore;

use crate::kept::Kept;

/// Which store: `sqlite:PATH`, `postgres://…` or `memory:`.
///
/// A PostgreSQL URL is one as libpq takes it, see `PostgresUrl`. It is printed without its password.
///
/// A path stands as it is: nothing is decoded, and a relative one begins at the working directory. One that begins with
/// `~/` is refused: shells leave that alone behind a colon, and nobody means a directory that is called `~`.
/// `sqlite:///var/lib/app/secrets.db` is the same as `sqlite:/var/lib/app/secrets.db`.
///
/// ```
/// let url: secretkit::StoreUrl = "sqlite:/var/lib/app/secrets.db".parse()?;
/// assert_eq!(url.to_string(), "sqlite:/var/lib/app/secrets.db");
///
/// // No part of a URL that is not understood is printed but its scheme: it may hold a password.
/// let error = "redis://admin:hunter2@cache".parse::<secretkit::StoreUrl>().unwrap_err();
/// assert!(error.to_string().contains("redis:") && !error.to_string().contains("hunter2"));
/// # Ok::<(), secretkit::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// One SQLite file.
    Sqlite(PathBuf),
    /// One schema of a PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
    /// A store in this process's memory, empty at first and gone with it.
    Memory,
}

impl StoreUrl {
    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    /// Those of [`SqliteStore::create`] and of `PostgresStore::create`.
    pub fn create(&self) -> Result<Arc<dyn SecretStore>> {
        Ok(Kept::create(self)?.map_or_else(|| Arc::new(MemoryStore::new()) as _, Kept::shared))
    }
}

/// Which tables a store has, and which this library needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The version of the store's tables; `None` where there is no store.
    pub version: Option<i64>,
    /// The version that this library needs.
    pub needed: i64,
    /// How commits are made on a PostgreSQL store: `function`, or `transaction` where its server had no functions or locks for
    /// that when it was made.
    pub commits: Option<&'static str>,
}

impl StoreStatus {
    /// Whether the store can be used as it is.
    #[must_use]
    pub fn is_current(self) -> bool {
        self.version == Some(self.needed)
    }
}

impl StoreUrl {
    /// Which tables the store has. Makes and changes nothing, and needs no root key.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where its tables are newer than this library, or nobody's; [`Error::Unsupported`] for a store
    /// in memory; what the store says.
    pub fn status(&self) -> Result<StoreStatus> {
        match self {
            Self::Sqlite(path) => {
                let needed = SqliteStore::schema_version();
                match SqliteStore::open(path) {
                    Ok(_) => Ok(StoreStatus { version: Some(needed), needed, commits: None }),
                    Err(Error::NoStore { .. }) => Ok(StoreStatus { version: None, needed, commits: None }),
                    Err(error) => Err(error),
                }
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => secretkit_postgres::status(url).map(of_tables),
            Self::Memory => Err(without_tables()),
        }
    }

    /// Makes the store where there is none, and brings its tables to the version that this library needs. Any number may do
    /// so at once, and it needs no root key.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub fn migrate(&self) -> Result<StoreStatus> {
        match self {
            Self::Sqlite(path) => SqliteStore::create(path).and_then(|_| self.status()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => secretkit_postgres::migrate(url).map(of_tables),
            Self::Memory => Err(without_tables()),
        }
    }
}

impl StoreUrl {
    /// Looks at the store from outside, and says in plain words what was found and what to do. Changes nothing, and needs no
    /// root key; what is sealed is not looked into, that does [`Secrets::verify`](crate::Secrets::verify).
    ///
    /// Of an SQLite file it is what SQLite finds to be wrong with it, of a PostgreSQL store how its server is reached, who
    /// logs in, and what the server does with what it gets, see `secretkit_postgres::examine`.
    ///
    /// # Errors
    /// [`Error::NoStore`] where there is no file; what the store says.
    pub fn examine(&self) -> Result<Vec<StoreCheck>> {
        match self {
            Self::Sqlite(path) => {
                let found = SqliteStore::open(path)?.examine()?;
                if found.is_empty() {
                    return Ok(vec![StoreCheck::secure("file", "SQLite finds nothing wrong with it")]);
                }
                let advice = "keep a copy of the file, and restore a backup; see docs/reliability.md";
                Ok(found.into_iter().map(|what| StoreCheck::insecure("file", what, advice)).collect())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => secretkit_postgres::examine(url),
            Self::Memory => Ok(vec![StoreCheck::secure("store", "in the memory of this process, and gone with it")]),
        }
    }
}

impl StoreUrl {
    /// The orgs of which there is a keyring, in their order, whatever else is wrong with it; an error in the place of each that
    /// has no valid name. For whoever looks for what is wrong, where
    /// [`keyrings`](crate::SecretStore::keyrings) ends with the first such row. Needs no root key. None of a store in memory.
    ///
    /// # Errors
    /// [`Error::NoStore`] where there is no store; what the store says.
    pub fn orgs(&self) -> Result<Vec<Result<Part>>> {
        match self {
            Self::Sqlite(path) => SqliteStore::open(path)?.orgs(),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => secretkit_postgres::PostgresStore::open(url)?.orgs(),
            Self::Memory => Ok(Vec::new()),
        }
    }
}

#[cfg(feature = "postgres")]
fn of_tables(status: secretkit_postgres::Status) -> StoreStatus {
    let commits = status.version.map(|_| status.commits.as_str());
    StoreStatus { version: status.version, needed: status.newest, commits }
}

fn without_tables() -> Error {
    unsupported("a store in memory has no tables")
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", path)) => local_path("sqlite", path).map(Self::Sqlite),
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("memory", _)) => Err(unsupported("nothing follows memory: in a store URL")),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => text.parse().map(Self::Postgres),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => {
                Err(unsupported("this secretkit is built without a PostgreSQL store; use sqlite:PATH"))
            }
            other => {
                let named = named(other);
                Err(unsupported(&format!("{named} is no kind of store known here; use sqlite:PATH or postgres://…")))
            }
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", shown(path)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

pub(crate) fn local_path(scheme: &str, path: &str) -> Result<PathBuf> {
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(unsupported(&format!("{scheme}: takes a path on this machine and no host"))),
        None => path,
    };
    if path.is_empty() {
        return Err(unsupported(&format!("{scheme}: needs a path, as in {scheme}:/path/to/it")));
    }
    if path == "~" || path.starts_with("~/") {
        return Err(unsupported(&format!(
            "{scheme}: takes ~ for no home, and no shell puts one in its place there; write $HOME, or ./~ for a \
             directory of that name"
        )));
    }
    Ok(Path::new(path).to_owned())
}

/// A path as [`local_path`] reads it: where it begins with two slashes, the next would be a host.
pub(crate) fn shown(path: &Path) -> String {
    let host = if path.to_string_lossy().starts_with("//") { "//" } else { "" };
    format!("{host}{}", path.display())
}

/// The scheme of a URL that is not understood, if it is printable as one; nothing else of it is.
pub(crate) fn named(url: Option<(&str, &str)>) -> String {
    let is_scheme = |text: &str| {
        text.len() <= 16
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || "+.-".contains(other))
    };
    match url {
        Some((scheme, _)) if is_scheme(scheme) => format!("{scheme}:"),
        Some(_) | None => "what was given".to_owned(),
    }
}

pub(crate) fn unsupported(words: &str) -> Error {
    Error::Unsupported(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretkit_core::ErrorKind;

    #[track_caller]
    fn refusal(text: &str) -> String {
        let error = text.parse::<StoreUrl>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        format!("{error} {error:?}")
    }

    #[test]
    fn urls_print_as_they_parse() {
        for text in [
            "sqlite:/a/b.db",
            "sqlite:relative.db",
            "sqlite:~a",
            "sqlite:./~/a",
            "sqlite:////a",
            "sqlite://///a",
            "memory:",
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
        }
        assert_eq!("sqlite:///a/b".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("/a/b".into()));
    }

    #[test]
    fn a_refused_url_shows_its_scheme_and_nothing_else() {
        let password = "hUnter2-canary";
        for scheme in ["redis", "mysql", "UPPER", "hUnter2-canary", ""] {
            let told = refusal(&format!("{scheme}://user:{password}@host/db"));
            assert!(!told.contains(password) && !told.contains("user"), "{told}");
        }
        assert!(refusal("redis://x").contains("redis:"));
        for text in ["", ":", "/var/lib/secrets.db", "sqlite:", "sqlite://host/a", "sqlite://", "memory:x", "SQLITE:x"]
        {
            refusal(text);
        }
    }

    #[test]
    fn a_home_that_no_shell_has_put_there_is_refused_with_what_to_write() {
        for text in ["sqlite:~/secrets.db", "sqlite:~"] {
            assert!(refusal(text).contains("write $HOME"), "{text}");
        }
        for text in ["file:~/root.key", "passphrase:file:~/phrase"] {
            let error = text.parse::<crate::KeyUrl>().unwrap_err();
            assert!(error.to_string().contains("write $HOME"), "{error}");
        }
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_postgresql_url_is_taken_whole_and_shows_no_password() {
        let password = "hUnter2-canary";
        let url: StoreUrl = format!("postgresql://user:{password}@host/db?schema=team").parse().unwrap();
        assert!(matches!(url, StoreUrl::Postgres(_)));
        assert_eq!(url.to_string(), "postgres://user@host/db?schema=team");
        let told = refusal(&format!("postgres://user:{password}@host/db?sslcrl=x"));
        assert!(told.contains("sslcrl") && !told.contains(password), "{told}");
        assert!(!format!("{url:?}").contains(password));
    }
}

//! Stores and root keys by URL, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use secretkit_core::{Error, MemoryStore, Result, RootKey, SecretStore, VariableName};
use secretkit_sqlite::SqliteStore;

/// Which store: `sqlite:PATH` or `memory:`.
///
/// A path stands as it is: nothing is decoded, `~` is no home, and a relative one begins at the working directory.
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
    /// A store in this process's memory, empty at first and gone with it.
    Memory,
}

impl StoreUrl {
    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    /// Those of [`SqliteStore::create`].
    pub fn create(&self) -> Result<Arc<dyn SecretStore>> {
        match self {
            Self::Sqlite(path) => Ok(Arc::new(SqliteStore::create(path)?)),
            Self::Memory => Ok(Arc::new(MemoryStore::new())),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", path)) => local_path("sqlite", path).map(Self::Sqlite),
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("memory", _)) => Err(unsupported("nothing follows memory: in a store URL")),
            Some(("postgres" | "postgresql", _)) => {
                Err(unsupported("this secretkit is built without a PostgreSQL store; use sqlite:PATH"))
            }
            other => Err(unsupported(&format!("{} is no kind of store known here; use sqlite:PATH", named(other)))),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

/// Where the root key is: `file:PATH` or `env:NAME`.
///
/// A file is better than a variable, see [`RootKey::from_variable`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyUrl {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A variable of this process's environment.
    Variable(VariableName),
}

impl KeyUrl {
    /// The key file at this path.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the path looks like a key: it was pasted in the wrong place, and errors print
    /// paths.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        refuse_a_key(path.as_os_str().as_encoded_bytes())?;
        Ok(Self::File(path))
    }

    /// Reads the key.
    ///
    /// # Errors
    /// Those of [`RootKey::from_file`] and [`RootKey::from_variable`].
    pub fn load(&self) -> Result<RootKey> {
        match self {
            Self::File(path) => RootKey::from_file(path),
            Self::Variable(name) => RootKey::from_variable(name.as_str()),
        }
    }
}

impl FromStr for KeyUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        refuse_a_key(text.as_bytes())?;
        match text.split_once(':') {
            Some(("file", path)) => Self::file(local_path("file", path)?),
            Some(("env", name)) => {
                refuse_a_key(name.as_bytes())?;
                name.parse().map(Self::Variable)
            }
            other => Err(unsupported(&format!(
                "{} is no kind of root key known here; use file:PATH or env:NAME",
                named(other)
            ))),
        }
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Variable(name) => write!(f, "env:{}", name.as_str()),
        }
    }
}

fn local_path(scheme: &str, path: &str) -> Result<PathBuf> {
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(unsupported(&format!("{scheme}: takes a path on this machine and no host"))),
        None => path,
    };
    if path.is_empty() {
        return Err(unsupported(&format!("{scheme}: needs a path, as in {scheme}:/path/to/it")));
    }
    Ok(Path::new(path).to_owned())
}

/// A key in the place of a key's name must not come back in an error.
fn refuse_a_key(text: &[u8]) -> Result<()> {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match text {
        [most @ .., b'='] if text.len() == 44 && most.iter().all(in_alphabet) => Err(unsupported(
            "a root key itself was given where its place belongs; keep it in a file with mode 600 and name that as \
             file:PATH, or in a variable and name that as env:NAME",
        )),
        _ => Ok(()),
    }
}

/// The scheme of a URL that is not understood, if it is printable as one; nothing else of it is.
fn named(url: Option<(&str, &str)>) -> String {
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

fn unsupported(words: &str) -> Error {
    Error::Unsupported(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretkit_core::ErrorKind;

    #[track_caller]
    fn refusal<T: FromStr<Err = Error> + fmt::Debug>(text: &str) -> String {
        let error = text.parse::<T>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidVariable), "{error:?}");
        format!("{error} {error:?}")
    }

    #[test]
    fn urls_print_as_they_parse() {
        for text in ["sqlite:/a/b.db", "sqlite:relative.db", "memory:"] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
        }
        for text in ["file:/a/root.key", "file:root.key", "env:ROOT_KEY"] {
            assert_eq!(text.parse::<KeyUrl>().unwrap().to_string(), text);
        }
        assert_eq!("sqlite:///a/b".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("/a/b".into()));
        assert_eq!("file:///a/b".parse::<KeyUrl>().unwrap(), KeyUrl::File("/a/b".into()));
    }

    #[test]
    fn a_refused_url_shows_its_scheme_and_nothing_else() {
        let password = "hUnter2-canary";
        for scheme in ["postgres", "postgresql", "redis", "mysql", "UPPER", "hUnter2-canary", ""] {
            let told = refusal::<StoreUrl>(&format!("{scheme}://user:{password}@host/db"));
            assert!(!told.contains(password) && !told.contains("user"), "{told}");
        }
        assert!(refusal::<StoreUrl>("redis://x").contains("redis:"));
        assert!(refusal::<StoreUrl>("postgres://x").contains("PostgreSQL"));
        for text in ["", ":", "/var/lib/secrets.db", "sqlite:", "sqlite://host/a", "sqlite://", "memory:x", "SQLITE:x"]
        {
            refusal::<StoreUrl>(text);
        }
        for text in ["", ":", "/etc/root.key", "file:", "file://host/a", "env:", "env:1", "env:A-B", "vault:x"] {
            refusal::<KeyUrl>(text);
        }
    }

    #[test]
    fn a_key_in_the_place_of_its_name_is_not_printed() {
        let key = "cAnArYcAnArYcAnArYcAnArYcAnArYcAnArYcAnA/+0=";
        for text in [key.to_owned(), format!("file:{key}"), format!("env:{key}")] {
            let told = refusal::<KeyUrl>(&text);
            assert!(!told.contains("cAnArY"), "{told}");
        }
        let told = KeyUrl::file(key).unwrap_err().to_string();
        assert!(!told.contains("cAnArY"), "{told}");
    }
}

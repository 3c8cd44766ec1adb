//! What a connection is to be like: gathered from a URL, a service, the environment and defaults, in this order, as
//! libpq does.

mod connection;
mod files;
mod keywords;
mod values;

use std::fmt;
use std::path::PathBuf;

use secretkit_core::{Error, Result};
use zeroize::Zeroizing;

pub(crate) use connection::{Attributes, Host, Hosts, Settings, Tls, TlsMode, Trust};
pub(crate) use files::private_key_file;
use keywords::{KEYWORDS, Support};

/// A setting that this client can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keyword {
    Host,
    HostAddress,
    Port,
    Database,
    User,
    Password,
    PasswordFile,
    Service,
    ServiceFile,
    Options,
    ApplicationName,
    FallbackApplicationName,
    ConnectTimeout,
    Keepalives,
    KeepalivesIdle,
    KeepalivesInterval,
    KeepalivesCount,
    TcpUserTimeout,
    SslMode,
    SslNegotiation,
    SslRootCertificate,
    SslCertificate,
    SslKey,
    SslServerName,
    SslMinimum,
    SslMaximum,
    ChannelBinding,
    TargetSession,
    LoadBalance,
    Schema,
    PoolSize,
    PoolTimeout,
    StatementTimeout,
    LockTimeout,
    Listen,
}

impl Keyword {
    /// As a URL says it.
    pub(crate) fn name(self) -> &'static str {
        let is_it = |support: &Support| matches!(support, Support::Set(keyword) if *keyword == self);
        KEYWORDS.iter().find(|(.., support)| is_it(support)).map_or("", |(name, ..)| name)
    }
}

/// Where a setting comes from, as an error says it.
pub(crate) enum Origin {
    /// The keyword of this number behind the question mark.
    Url(usize),
    /// A line of a service file.
    Service(PathBuf, usize),
    /// An environment variable.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("the PostgreSQL URL"),
            Self::Service(path, line) => write!(f, "{}, line {line},", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// Settings as they were given, each once.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Given(Vec<(Keyword, Zeroizing<String>)>);

impl Given {
    pub(crate) fn get(&self, wanted: Keyword) -> Option<&str> {
        self.0.iter().find(|(keyword, _)| *keyword == wanted).map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Keyword, &str)> {
        self.0.iter().map(|(keyword, value)| (*keyword, value.as_str()))
    }

    /// In place of what was given before. Nothing at all is as if it were not given, as in libpq.
    pub(crate) fn set_unless_empty(&mut self, keyword: Keyword, value: Zeroizing<String>) -> Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        if value.len() > LONGEST {
            return Err(wrong(keyword, &format!("has at most {LONGEST} bytes")));
        }
        self.0.retain(|(known, _)| *known != keyword);
        self.0.push((keyword, value));
        Ok(())
    }

    /// What `other` has and this has not.
    fn complete(&mut self, other: Self) {
        for (keyword, value) in other.0 {
            if self.get(keyword).is_none() {
                self.0.push((keyword, value));
            }
        }
    }
}

/// Takes what stands under a name somewhere.
///
/// # Errors
/// [`Error::Unsupported`]. A name that nobody knows is not repeated: it may be part of a password that was not encoded.
pub(crate) fn take(given: &mut Given, name: &str, value: Zeroizing<String>, origin: &Origin) -> Result<()> {
    let Some((name, _, support)) = keywords::row(name) else {
        let place = match origin {
            Origin::Url(place) => format!("the PostgreSQL URL: number {place} behind the question mark"),
            other => other.to_string(),
        };
        let words =
            format!("{place} is no keyword that libpq or secretkit knows; is there a sign to be encoded before it?");
        return Err(Error::Unsupported(words));
    };
    match support {
        Support::Set(keyword) => given.set_unless_empty(*keyword, value),
        Support::Only(values) if value.is_empty() || values.contains(&value.as_str()) => Ok(()),
        Support::Only(values) => {
            let words = format!("{origin} sets {name}, of which only {} is supported; remove it", values.join(" or "));
            Err(Error::Unsupported(words))
        }
        Support::Refused if value.is_empty() => Ok(()),
        Support::Refused => {
            Err(Error::Unsupported(format!("{origin} sets {name}, which is not supported here; remove it")))
        }
    }
}

/// A value that makes no sense. It is not repeated.
fn wrong(keyword: Keyword, what: &str) -> Error {
    Error::Unsupported(format!("{} of a PostgreSQL connection {what}", keyword.name()))
}

/// No setting is longer than this.
const LONGEST: usize = 16 * 1024;

//! Connection URLs, as libpq writes them.

use std::fmt;
use std::str::FromStr;

use secretkit_core::{Error, Result};
use zeroize::Zeroizing;

use crate::settings::Keyword;
use crate::settings::{self, Given};

/// Which PostgreSQL store: `postgres://user@host:port/database?schema=name` with every keyword of libpq's that this
/// client can do, and some of its own.
///
/// What the URL leaves out comes from a service, from the `PG…` variables and from defaults, when the store is opened.
/// It is not looked at before.
///
/// `Display` and `Debug` leave out the password and nothing else.
///
/// ```
/// use secretkit_postgres::PostgresUrl;
///
/// let url: PostgresUrl = "postgres://app:hunter2@db.example/secrets?sslmode=verify-full&schema=team".parse()?;
/// assert_eq!(url.to_string(), "postgres://app@db.example/secrets?sslmode=verify-full&schema=team");
///
/// // A keyword that is not supported is refused by its name.
/// let error = "postgres://db.example/secrets?sslcrl=revoked.pem".parse::<PostgresUrl>().unwrap_err();
/// assert!(error.to_string().contains("sslcrl"));
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct PostgresUrl {
    given: Given,
}

impl PostgresUrl {
    pub(crate) const fn given(&self) -> &Given {
        &self.given
    }
}

impl FromStr for PostgresUrl {
    type Err = Error;

    /// # Errors
    /// [`Error::Unsupported`] where it is no such URL, or has a keyword or a value that this client cannot do. Nothing of
    /// the URL is in it but the name of a keyword that is known.
    fn from_str(text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or_else(|| malformed("begins with postgres:// or postgresql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // What was meant for the login or the query would be printed as the name of a database, and be looked up as a host.
        if database.contains('@') {
            return Err(malformed("writes every / and @ of a user, a password or a database as %2F and %40"));
        }
        if database.contains(['&', '=']) {
            return Err(malformed(
                "has a question mark before the first keyword, and no & or = in the name of a database",
            ));
        }
        // The last one: a password that is not encoded may hold others.
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let mut given = Given::default();
        for (keyword, text) in [(Keyword::User, user), (Keyword::Password, password), (Keyword::Database, database)] {
            given.set_unless_empty(keyword, decoded(text)?)?;
        }
        let (hosts, ports) = hosts_and_ports(hosts)?;
        given.set_unless_empty(Keyword::Host, hosts)?;
        given.set_unless_empty(Keyword::Port, ports)?;
        for (place, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(malformed(&format!(
                    "has keyword=value behind the question mark; number {} is none",
                    place + 1
                )));
            };
            let (name, value) = (decoded(name)?, decoded(value)?);
            match (name.as_str(), value.as_str()) {
                // As drivers of other languages write it, and libpq understands.
                ("ssl", "true") => given.set_unless_empty(Keyword::SslMode, Zeroizing::new("require".to_owned()))?,
                _ => settings::take(&mut given, &name, value, &settings::Origin::Url(place + 1))?,
            }
        }
        Ok(Self { given })
    }
}

/// `host:port,host:port` as the two lists that libpq has.
fn hosts_and_ports(text: &str) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, rest))) => match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => (host, ""),
                None => return Err(malformed("has a colon or nothing behind the bracket of a host")),
            },
            Some(None) => return Err(malformed("closes the bracket of a host")),
            None => part.split_once(':').unwrap_or((part, "")),
        };
        hosts.push(decoded(host)?.to_string());
        ports.push(decoded(port)?.to_string());
    }
    let join = |parts: Vec<String>| {
        let some = parts.iter().any(|part| !part.is_empty());
        Zeroizing::new(if some { parts.join(",") } else { String::new() })
    };
    Ok((join(hosts), join(ports)))
}

fn decoded(text: &str) -> Result<Zeroizing<String>> {
    let wrong = || malformed("writes every % as %25");
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return Err(wrong()) };
        rest = tail;
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(wrong);
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    if bytes.contains(&0) {
        return Err(malformed("holds no NUL"));
    }
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| malformed("is UTF-8"))
}

/// With every sign written as its bytes but letters, digits, these, and those that mean nothing in a URL.
fn encoded(text: &str, plain: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            write!(f, "{}", char::from(byte))
        } else {
            write!(f, "%{byte:02X}")
        }
    })
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.given.get(Keyword::User) {
            encoded(user, b"", &mut *f)?;
            f.write_str("@")?;
        }
        let (hosts, ports) = (self.given.get(Keyword::Host), self.given.get(Keyword::Port));
        let placed = can_be_placed(hosts, ports);
        if placed {
            let mut ports = ports.map(|ports| ports.split(',')).into_iter().flatten();
            for (place, host) in hosts.unwrap_or_default().split(',').enumerate() {
                let separator = if place == 0 { "" } else { "," };
                write!(f, "{separator}{host}")?;
                if let Some(port) = ports.next().filter(|port| !port.is_empty()) {
                    write!(f, ":{port}")?;
                }
            }
        }
        f.write_str("/")?;
        if let Some(database) = self.given.get(Keyword::Database) {
            encoded(database, b"/", &mut *f)?;
        }
        let hidden = [Keyword::User, Keyword::Password, Keyword::Database];
        let mut separator = '?';
        for (keyword, value) in self.given.iter().filter(|(keyword, _)| !hidden.contains(keyword)) {
            if placed && matches!(keyword, Keyword::Host | Keyword::Port) {
                continue;
            }
            write!(f, "{separator}{}=", keyword.name())?;
            encoded(value, b"/", &mut *f)?;
            separator = '&';
        }
        Ok(())
    }
}

/// Whether these can stand before the path, and be read again as what they are: as many ports as hosts, or none, and not
/// nothing at all. A socket's directory has slashes, which the place of a host cannot; and what is no number must not be
/// taken for something else than a port.
fn can_be_placed(hosts: Option<&str>, ports: Option<&str>) -> bool {
    let is_something = |list: &str| list.contains(|sign| sign != ',');
    let is_plain = hosts.is_none_or(|hosts| is_something(hosts) && !hosts.contains(['/', ':', '@', '?', '%', '[']));
    is_plain
        && ports.is_none_or(|ports| {
            is_something(ports)
                && ports.split(',').count() == hosts.map_or(1, |hosts| hosts.split(',').count())
                && ports.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        })
}

/// Without the password, like the display.
impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

fn malformed(what: &str) -> Error {
    Error::Unsupported(format!("a PostgreSQL URL {what}, as in postgres://user@host:5432/database?schema=name"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Signs that mean something in some place of a URL, and some that mean nothing.
    const SIGNS: &str = "[a1é,:/@?&=%#\\[\\] +]{0,6}";

    /// Each value as it would have to be written wherever it stands.
    fn written(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_printed_is_read_as_the_same(
            values in prop::collection::vec(
                (prop::sample::select(vec!["user", "dbname", "host", "port", "hostaddr", "schema", "options"]), SIGNS),
                0..7,
            ),
        ) {
            let pairs: Vec<_> = values.iter().map(|(name, value)| format!("{name}={}", written(value))).collect();
            let url: PostgresUrl = format!("postgres:///?{}", pairs.join("&")).parse().unwrap();
            let printed = url.to_string();
            let again: PostgresUrl = printed.parse().unwrap();
            let sorted = |url: &PostgresUrl| {
                let mut all: Vec<_> = url.given.iter().map(|(keyword, value)| (keyword.name(), value.to_owned())).collect();
                all.sort();
                all
            };
            prop_assert_eq!(sorted(&again), sorted(&url), "{}", &printed);
            prop_assert_eq!(again.to_string(), printed);
        }

        #[test]
        fn whatever_is_read_is_printed_in_one_way(
            text in "postgres://[a1é,:/@?&=%\\[\\] 20F]{0,24}(\\?(host|port|user|schema)=[a1,:/@%2F]{0,8}){0,2}",
        ) {
            if let Ok(url) = text.parse::<PostgresUrl>() {
                let printed = url.to_string();
                let again: PostgresUrl = printed.parse().unwrap();
                prop_assert_eq!(again.to_string(), printed);
            }
        }
    }
}

//! Connection URLs, taken apart and put together.

use std::fmt;

/// Who connects where, as a URL that libpq understands: `address.user("postgres").without("sslrootcert").to_string()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    user: String,
    password: String,
    /// `host:port`, several with commas between them.
    hosts: String,
    database: String,
    parameters: Vec<(String, String)>,
}

impl Address {
    pub(crate) fn new(hosts: &str, user: &str, password: &str, database: &str) -> Self {
        let [hosts, user, password, database] = [hosts, user, password, database].map(str::to_owned);
        Self { user, password, hosts, database, parameters: Vec::new() }
    }

    /// Reads a URL; `None` if it is not one of PostgreSQL's.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parameters = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Some(Self {
            user: decode(user)?,
            password: decode(password)?,
            hosts: hosts.to_owned(),
            database: decode(database)?,
            parameters: parameters.map(|(name, value)| Some((decode(name)?, decode(value)?))).collect::<Option<_>>()?,
        })
    }

    /// The same as another user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// The same with another password; an empty one is left out.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// The same at other hosts: `localhost:5432`, or several with commas between them.
    #[must_use]
    pub fn hosts(mut self, hosts: &str) -> Self {
        hosts.clone_into(&mut self.hosts);
        self
    }

    /// The same at another port of 127.0.0.1, as of a [`Proxy`](crate::Proxy).
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.hosts(&format!("127.0.0.1:{port}"))
    }

    /// The same to another database.
    #[must_use]
    pub fn database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }

    /// The same with a parameter, in place of the one of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(found, _)| found != name);
        self
    }

    /// Who connects.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user
    }

    /// By what they are believed.
    #[must_use]
    pub fn password_text(&self) -> &str {
        &self.password
    }

    /// Where: `host:port`, several with commas between them.
    #[must_use]
    pub fn hosts_text(&self) -> &str {
        &self.hosts
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgres://{}", encode(&self.user))?;
        if !self.password.is_empty() {
            write!(formatter, ":{}", encode(&self.password))?;
        }
        write!(formatter, "@{}/{}", self.hosts, encode(&self.database))?;
        for (place, (name, value)) in self.parameters.iter().enumerate() {
            write!(
                formatter,
                "{}{}={}",
                if place == 0 { '?' } else { '&' },
                encode(name),
                encode(value).replace("%2F", "/")
            )?;
        }
        Ok(())
    }
}

/// Percent signs for what is not plain.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?, tail)
            }
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

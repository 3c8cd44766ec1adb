//! The settings of a connection, complete and checked.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secretkit_core::{Error, Result};
use tokio_postgres::config::{ChannelBinding, SslNegotiation};
use zeroize::Zeroizing;

use super::keywords::KEYWORDS;
use super::{Given, Keyword, Origin, files, take, values, wrong};
use crate::schema::SchemaName;

/// What a connection is to be like.
pub(crate) struct Settings {
    pub(crate) hosts: Hosts,
    /// The way to them for whoever listens, where that is another.
    pub(crate) listen: Option<Hosts>,
    pub(crate) database: String,
    pub(crate) user: String,
    password: Option<Zeroizing<String>>,
    password_file: Option<PathBuf>,
    pub(crate) schema: SchemaName,
    pub(crate) application_name: String,
    pub(crate) options: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) attributes: Attributes,
    pub(crate) connect_timeout: Duration,
    pub(crate) tcp_user_timeout: Option<Duration>,
    pub(crate) keepalives: Option<Keepalives>,
    pub(crate) pool_size: usize,
    pub(crate) pool_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
}

/// The servers to try, in their order.
pub(crate) struct Hosts {
    pub(crate) all: Vec<Host>,
    /// In any order instead.
    pub(crate) shuffled: bool,
}

/// One server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Host {
    /// A name, a number, or the directory of a socket. Empty where only the address is given.
    pub(crate) name: String,
    /// Where it is, if its name is not to be asked for.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

/// How a connection is protected, and whom it trusts.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    /// `None` where nothing is said: then it depends on the host, see [`Tls::mode_for`].
    mode: Option<TlsMode>,
    pub(crate) negotiation: SslNegotiation,
    pub(crate) trust: Option<Trust>,
    /// A certificate and its key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) shows_name: bool,
    /// Versions of TLS, as their minor number.
    pub(crate) versions: std::ops::RangeInclusive<u8>,
}

/// `sslmode`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyAuthority,
    VerifyFull,
}

/// Whose signature makes a certificate a good one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// Whoever the operating system trusts.
    System,
    /// The authorities in this file.
    File(PathBuf),
}

/// Which servers will do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attributes {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// The system's own probes of a connection on which nothing is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepalives {
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
}

/// What surrounds this process: where settings come from that nobody gave.
pub(super) struct Surroundings<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub(super) home: Option<PathBuf>,
    pub(super) user: Option<String>,
}

impl Settings {
    /// Completes what a URL gives by the service that it names, the environment and defaults.
    ///
    /// # Errors
    /// `Unsupported` where something is not supported or makes no sense, `File` and `UnsafeStore` of the files that are
    /// named.
    pub(crate) fn complete(given: &Given) -> Result<Self> {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let variable = |name: &str| std::env::var_os(name);
        Self::within(
            given,
            &Surroundings { variable: &variable, home: std::env::home_dir(), user: user.map(|user| user.name) },
        )
    }

    pub(super) fn within(given: &Given, around: &Surroundings<'_>) -> Result<Self> {
        let mut given = given.clone();
        let mut environment = Given::default();
        for (name, variable, _) in KEYWORDS {
            if let Some(variable) = variable
                && let Some(value) = (around.variable)(variable)
            {
                let value = value.into_string().map_err(|_| {
                    Error::Unsupported(format!("the variable {variable} is not UTF-8; set it anew, or remove it"))
                })?;
                take(&mut environment, name, Zeroizing::new(value), &Origin::Variable(variable))?;
            }
        }
        if let Some(name) = given.get(Keyword::Service).or_else(|| environment.get(Keyword::Service)) {
            let named = given.get(Keyword::ServiceFile).or_else(|| environment.get(Keyword::ServiceFile));
            let mut service_files: Vec<PathBuf> = match named {
                Some(path) => vec![path.into()],
                None => around.home.iter().map(|home| home.join(".pg_service.conf")).collect(),
            };
            let shared = (around.variable)("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into());
            service_files.push(Path::new(&shared).join("pg_service.conf"));
            let service = files::service(name, &service_files)?;
            given.complete(service);
        }
        given.complete(environment);
        Self::of(&given, around)
    }

    fn of(given: &Given, around: &Surroundings<'_>) -> Result<Self> {
        let text = |keyword| given.get(keyword).map(str::to_owned);
        let user = text(Keyword::User).or_else(|| around.user.clone());
        let user = user.ok_or_else(|| wrong(Keyword::User, "is not given, and this user has no name"))?;
        let options = text(Keyword::Options);
        let schema = match text(Keyword::Schema) {
            Some(name) => Some(name),
            None => options.as_deref().map(values::searched).transpose()?.flatten(),
        };
        let keepalives = match values::number(given, Keyword::Keepalives, 0..=1)? {
            Some(0) => None,
            _ => Some(Keepalives {
                idle: values::seconds(given, Keyword::KeepalivesIdle)?,
                interval: values::seconds(given, Keyword::KeepalivesInterval)?,
                count: values::number(given, Keyword::KeepalivesCount, 0..=127)?
                    .and_then(|count| u32::try_from(count).ok())
                    .filter(|count| *count > 0),
            }),
        };
        let bindings = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        let attributes = [
            ("any", Attributes::Any),
            ("read-write", Attributes::ReadWrite),
            ("read-only", Attributes::ReadOnly),
            ("primary", Attributes::Primary),
            ("standby", Attributes::Standby),
            ("prefer-standby", Attributes::PreferStandby),
        ];
        let (hosts, listen, tls) = (Hosts::of(given)?, Hosts::to_listen(given)?, Tls::of(given, around)?);
        let mut all = hosts.all.iter().chain(listen.iter().flat_map(|hosts| &hosts.all));
        if tls.trust.is_none() && all.any(|host| tls.mode_for(host) == TlsMode::VerifyAuthority) {
            // Anybody can have a certificate, for another name, from one of those that the system trusts.
            return Err(wrong(Keyword::SslRootCertificate, "names an authority where sslmode is verify-ca"));
        }
        // Two seconds is the least that libpq takes, too.
        let connect_timeout = values::seconds(given, Keyword::ConnectTimeout)?.unwrap_or(CONNECT_TIMEOUT);
        Ok(Self {
            hosts,
            listen,
            database: text(Keyword::Database).unwrap_or_else(|| user.clone()),
            user,
            password: given.get(Keyword::Password).map(|password| Zeroizing::new(password.to_owned())),
            password_file: text(Keyword::PasswordFile)
                .map(PathBuf::from)
                .or_else(|| around.home.as_ref().map(|home| home.join(".pgpass"))),
            schema: SchemaName::parse(schema.as_deref())?,
            application_name: text(Keyword::ApplicationName)
                .or_else(|| text(Keyword::FallbackApplicationName))
                .unwrap_or_else(|| "secretkit".to_owned()),
            options,
            tls,
            channel_binding: values::word(given, Keyword::ChannelBinding, &bindings, ChannelBinding::Prefer)?,
            attributes: values::word(given, Keyword::TargetSession, &attributes, Attributes::ReadWrite)?,
            connect_timeout: connect_timeout.max(Duration::from_secs(2)),
            tcp_user_timeout: values::number(given, Keyword::TcpUserTimeout, 0..=86_400_000)?
                .and_then(|number| u64::try_from(number).ok())
                .filter(|number| *number > 0)
                .map(Duration::from_millis),
            keepalives,
            pool_size: values::number(given, Keyword::PoolSize, 1..=1000)?
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(POOL_SIZE),
            pool_timeout: values::time(given, Keyword::PoolTimeout, POOL_TIMEOUT)?,
            statement_timeout: values::time(given, Keyword::StatementTimeout, STATEMENT_TIMEOUT)?,
            lock_timeout: values::time(given, Keyword::LockTimeout, LOCK_TIMEOUT)?,
        })
    }

    /// The password for one of the hosts: the one given, or the one that the password file has for it now.
    ///
    /// # Errors
    /// `UnsafeStore` and `File` of the password file.
    pub(crate) fn password_for(&self, host: &Host) -> Result<Option<Zeroizing<String>>> {
        if let Some(password) = &self.password {
            return Ok(Some(password.clone()));
        }
        let Some(path) = &self.password_file else { return Ok(None) };
        let address = host.address.map(|address| address.to_string());
        let name = match (&host.name, &address) {
            (name, _) if SOCKETS.contains(&name.as_str()) => "localhost",
            (name, Some(address)) if name.is_empty() => address,
            (name, _) => name,
        };
        files::password(path, [name, &host.port.to_string(), &self.database, &self.user])
    }
}

/// As errors name the store: nothing of it lets anybody in.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", visible(&self.user))?;
        for (place, host) in self.hosts.all.iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            match (&*host.name, &host.address) {
                ("", Some(address)) => write!(f, "{separator}{address}:{}", host.port)?,
                (name, _) => write!(f, "{separator}{}:{}", visible(name), host.port)?,
            }
        }
        write!(f, "/{}", visible(&self.database))?;
        if self.schema != SchemaName::default() {
            write!(f, "?schema={}", visible(self.schema.as_str()))?;
        }
        Ok(())
    }
}

/// Without what would drive a terminal.
fn visible(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign }).collect()
}

impl Hosts {
    fn of(given: &Given) -> Result<Self> {
        let listed = |keyword| given.get(keyword).map(|text: &str| text.split(',').collect::<Vec<_>>());
        let (names, addresses) = (listed(Keyword::Host), listed(Keyword::HostAddress));
        let ports = listed(Keyword::Port).unwrap_or_else(|| vec![""]);
        let count = addresses.as_ref().or(names.as_ref()).map_or(1, Vec::len);
        if names.as_ref().is_some_and(|names| names.len() != count) {
            return Err(wrong(Keyword::HostAddress, "has as many entries as host"));
        }
        if ports.len() != 1 && ports.len() != count {
            return Err(wrong(Keyword::Port, "is one number, or one for each host"));
        }
        let mut all = Vec::with_capacity(count);
        for place in 0..count {
            let port = ports.get(place).or(ports.first()).copied().unwrap_or_default();
            let port = match port.trim() {
                "" => 5432,
                text => text
                    .parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| wrong(Keyword::Port, "is a number from 1 to 65535"))?,
            };
            let name = names.as_ref().and_then(|names| names.get(place)).copied().unwrap_or_default();
            let address =
                match addresses.as_ref().and_then(|addresses| addresses.get(place)).copied().unwrap_or_default() {
                    "" => None,
                    text => {
                        Some(text.parse().map_err(|_| wrong(Keyword::HostAddress, "is a number such as 10.0.0.7"))?)
                    }
                };
            if name.starts_with('@') {
                return Err(wrong(Keyword::Host, "is a name, a number or the directory of a socket"));
            }
            let name = if name.is_empty() && address.is_none() { nearest_socket(port) } else { name.to_owned() };
            all.push(Host { name, address, port });
        }
        let shuffled = values::word(given, Keyword::LoadBalance, &[("disable", false), ("random", true)], false)?;
        Ok(Self { all, shuffled })
    }
}

impl Hosts {
    /// Those of `listen`, as they stand in a URL.
    fn to_listen(given: &Given) -> Result<Option<Self>> {
        let Some(text) = given.get(Keyword::Listen) else { return Ok(None) };
        let wrong = || wrong(Keyword::Listen, "is HOST:PORT, or several with commas between them");
        let one = |text: &str| {
            let (name, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
                Some(Some((name, ""))) => (name, None),
                Some(Some((name, rest))) => (name, Some(rest.strip_prefix(':')?)),
                Some(None) => return None,
                None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
            };
            let port = port.map_or(Some(5432), |port| port.parse().ok()).filter(|port| *port != 0)?;
            (!name.is_empty() && !name.starts_with('@')).then(|| Host { name: name.to_owned(), address: None, port })
        };
        let all = text.split(',').map(one).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        Ok(Some(Self { all, shuffled: false }))
    }
}

impl Settings {
    /// Whether everything that is read comes from where commits are made: from a standby it may come after the notice that it
    /// has changed, and as it was before. One host may be several servers, too, behind one name or one address.
    pub(crate) fn reads_what_is_committed(&self) -> bool {
        matches!(self.attributes, Attributes::ReadWrite | Attributes::Primary)
    }
}

impl Host {
    /// The directory of its socket, if it is one.
    pub(crate) fn socket(&self) -> Option<&Path> {
        (self.address.is_none() && self.name.starts_with('/')).then(|| Path::new(&self.name))
    }

    /// Whether nobody has to be asked where it is.
    pub(crate) fn has_one_place(&self) -> bool {
        self.address.is_some() || self.socket().is_some() || self.name.parse::<IpAddr>().is_ok()
    }

    /// Whether nothing that is said to it leaves this machine.
    pub(crate) fn is_here(&self) -> bool {
        match self.address.or_else(|| self.name.parse().ok()) {
            Some(address) => address.is_loopback(),
            None => self.socket().is_some() || self.name == "localhost",
        }
    }
}

/// The directory where a server of this machine has its socket, or `localhost` where there is none.
fn nearest_socket(port: u16) -> String {
    let listens = |directory: &&str| is_trusted(&Path::new(directory).join(format!(".s.PGSQL.{port}")));
    SOCKETS.into_iter().find(listens).unwrap_or("localhost").to_owned()
}

/// Whether there is such a socket, and nobody can have put it there who should not hear a password: where everybody may
/// make files, it must be our own user's or root's.
fn is_trusted(socket: &Path) -> bool {
    let Ok(made) = socket.symlink_metadata() else { return false };
    let is_everybodys = socket.parent().and_then(|directory| directory.metadata().ok()).is_none_or(|directory| {
        const BY_OTHERS: u32 = 0o002;
        directory.mode() & BY_OTHERS != 0
    });
    !is_everybodys || made.uid() == 0 || made.uid() == rustix::process::geteuid().as_raw()
}

impl Tls {
    fn of(given: &Given, around: &Surroundings<'_>) -> Result<Self> {
        let modes = [
            ("disable", Some(TlsMode::Disable)),
            ("prefer", Some(TlsMode::Prefer)),
            ("require", Some(TlsMode::Require)),
            ("verify-ca", Some(TlsMode::VerifyAuthority)),
            ("verify-full", Some(TlsMode::VerifyFull)),
        ];
        let mut mode = values::word(given, Keyword::SslMode, &modes, None)?;
        let in_home = |name: &str| around.home.as_ref().map(|home| home.join(".postgresql").join(name));
        let trust = match given.get(Keyword::SslRootCertificate) {
            Some("system") => Some(Trust::System),
            Some(path) => Some(Trust::File(path.into())),
            None => in_home("root.crt").filter(|path| path.exists()).map(Trust::File),
        };
        if trust == Some(Trust::System) {
            match mode {
                // Anybody can have a certificate from one of all these.
                Some(weak) if weak != TlsMode::VerifyFull => {
                    return Err(wrong(Keyword::SslMode, "is verify-full where sslrootcert is system"));
                }
                _ => mode = Some(TlsMode::VerifyFull),
            }
        }
        let path = |keyword, name| {
            given.get(keyword).map(PathBuf::from).or_else(|| in_home(name).filter(|path| path.exists()))
        };
        let certificate = path(Keyword::SslCertificate, "postgresql.crt")
            .map(|certificate| {
                let key = path(Keyword::SslKey, "postgresql.key");
                key.map(|key| (certificate, key)).ok_or_else(|| wrong(Keyword::SslKey, "is given where sslcert is"))
            })
            .transpose()?;
        let negotiations = [("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
        let negotiation = values::word(given, Keyword::SslNegotiation, &negotiations, SslNegotiation::Postgres)?;
        if negotiation == SslNegotiation::Direct && mode.is_some_and(|mode| mode < TlsMode::Require) {
            return Err(wrong(Keyword::SslMode, "is at least require where sslnegotiation is direct"));
        }
        let versions = [("TLSv1.2", 2), ("TLSv1.3", 3)];
        let versions = values::word(given, Keyword::SslMinimum, &versions, 2)?
            ..=values::word(given, Keyword::SslMaximum, &versions, 3)?;
        if versions.is_empty() {
            return Err(wrong(Keyword::SslMaximum, "is not below ssl_min_protocol_version"));
        }
        let shows_name = values::number(given, Keyword::SslServerName, 0..=1)? != Some(0);
        Ok(Self { mode, negotiation, trust, certificate, shows_name, versions })
    }

    /// What protects the way to a host. Where nobody says anything, whoever is not on this machine must prove who it is: a
    /// connection that anybody could answer would give them the password.
    pub(crate) fn mode_for(&self, host: &Host) -> TlsMode {
        if host.socket().is_some() {
            return TlsMode::Disable;
        }
        match self.mode {
            // As libpq has it: whoever names an authority wants it to be asked.
            Some(TlsMode::Require) if self.trust.is_some() => TlsMode::VerifyAuthority,
            Some(mode) => mode,
            None if self.negotiation == SslNegotiation::Direct => TlsMode::VerifyFull,
            None if host.is_here() => TlsMode::Prefer,
            None => TlsMode::VerifyFull,
        }
    }
}

/// Where distributions and PostgreSQL itself put the socket.
const SOCKETS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_SIZE: usize = 8;
const POOL_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! From settings to a connection: the first server that answers, lets us in and is of the right kind.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use secretkit_core::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage};

use crate::counted;
use crate::error::{of_connect, of_socket};
use crate::session::Session;
use crate::settings::{Attributes, Host, Hosts, Settings, TlsMode};
use crate::talk::Talk;
use crate::tls;
use crate::wire::{MOST_ADDRESSES, Place, Wire};

/// Makes connections on the runtime's thread, whoever asks for them.
pub(crate) struct Connector {
    settings: Arc<Settings>,
    runtime: Handle,
}

impl Connector {
    pub(crate) const fn new(settings: Arc<Settings>, runtime: Handle) -> Self {
        Self { settings, runtime }
    }
}

impl Manager for Connector {
    type Type = Session;
    type Error = Error;

    async fn create(&self) -> Result<Session> {
        let settings = Arc::clone(&self.settings);
        let begun = Instant::now();
        let connected = self.runtime.spawn(async move { first(&settings, Purpose::Work).await }).await;
        let connected = connected.unwrap_or_else(|_| {
            let why = "was closed meanwhile".to_owned();
            Err(Error::Unavailable { store: self.settings.to_string(), why })
        });
        counted::connecting(begun, &connected);
        let (client, talk) = connected?;
        Ok(Session::new(client, talk))
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Error> {
        if session.is_over() { Err(RecycleError::message("the connection is over")) } else { Ok(()) }
    }
}

/// A connection that hears what is notified, which the runtime sees to until it ends or nobody takes that.
pub(crate) async fn listening(settings: &Settings, say: mpsc::Sender<String>) -> Result<(Client, JoinHandle<()>)> {
    let (client, mut talk) = first(settings, Purpose::Listen).await?;
    let task = tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| talk.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && say.try_send(notification.payload().to_owned()).is_err()
            {
                return;
            }
        }
    });
    Ok((client, task))
}

/// A connection of the kind that work is done on, for what the runtime itself has to ask.
pub(crate) async fn working(settings: &Settings) -> Result<(Client, Talk)> {
    first(settings, Purpose::Work).await
}

/// What a connection is for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Purpose {
    Work,
    Listen,
}

impl Purpose {
    fn hosts(self, settings: &Settings) -> &Hosts {
        match self {
            Self::Work => &settings.hosts,
            Self::Listen => settings.listen.as_ref().unwrap_or(&settings.hosts),
        }
    }

    /// Nobody can listen on a standby, whatever will do for reading.
    fn attributes(self, settings: &Settings) -> Attributes {
        match self {
            Self::Work => settings.attributes,
            Self::Listen => Attributes::Primary,
        }
    }

    fn application_name(self, settings: &Settings) -> String {
        match self {
            Self::Work => settings.application_name.clone(),
            Self::Listen => format!("{} listens", settings.application_name),
        }
    }
}

/// The first of the hosts that will do. Where none does, the reason of the last.
async fn first(settings: &Settings, purpose: Purpose) -> Result<(Client, Talk)> {
    let Hosts { all, shuffled } = purpose.hosts(settings);
    let mut hosts: Vec<&Host> = all.iter().collect();
    if *shuffled {
        shuffle(&mut hosts);
    }
    let attributes = purpose.attributes(settings);
    // One that would only do if there is no better is tried a second time.
    let rounds: &[Attributes] = match attributes {
        Attributes::PreferStandby => &[Attributes::Standby, Attributes::Any],
        _ => std::slice::from_ref(&attributes),
    };
    let mut last = None;
    for wanted in rounds {
        for host in &hosts {
            match of_host(settings, purpose, host, *wanted).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
    }
    Err(last.unwrap_or_else(|| Error::Unsupported("a PostgreSQL URL names a host".to_owned())))
}

/// At the first address of a host that answers.
async fn of_host(settings: &Settings, purpose: Purpose, host: &Host, wanted: Attributes) -> Result<(Client, Talk)> {
    let mut places = match timeout(settings.connect_timeout, Place::all(host)).await {
        Ok(Ok(places)) => places,
        Ok(Err(error)) => return Err(of_socket(settings, &told(host), &error)),
        Err(_) => return Err(silent(settings, host)),
    };
    if purpose.hosts(settings).shuffled {
        shuffle(&mut places);
    }
    places.truncate(MOST_ADDRESSES);
    first_of(&places, settings, purpose, host, wanted).await
}

/// Each has the whole time-out, as in libpq, and may be another server.
async fn first_of(
    places: &[Place],
    settings: &Settings,
    purpose: Purpose,
    host: &Host,
    wanted: Attributes,
) -> Result<(Client, Talk)> {
    let mut last = None;
    for place in places {
        let attempt = async {
            let wire = Wire::to(settings, place).await.map_err(|error| of_socket(settings, &told(host), &error))?;
            Ok(to(settings, purpose, host, wire, wanted).await)
        };
        last = match timeout(settings.connect_timeout, attempt).await {
            Ok(Ok(Ok(Some(connection)))) => return Ok(connection),
            Ok(Ok(Ok(None))) => {
                let why = format!("has at {} no server of the kind that target_session_attrs asks for", told(host));
                Some(Error::Unavailable { store: settings.to_string(), why })
            }
            // Somebody answered, and would say the same again.
            Ok(Ok(Err(error))) => return Err(error),
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
    }
    Err(last.unwrap_or_else(|| silent(settings, host)))
}

fn silent(settings: &Settings, host: &Host) -> Error {
    Error::Unavailable { store: settings.to_string(), why: format!("does not answer at {}", told(host)) }
}

/// `None` where the server is of another kind.
async fn to(
    settings: &Settings,
    purpose: Purpose,
    host: &Host,
    wire: Wire,
    wanted: Attributes,
) -> Result<Option<(Client, Talk)>> {
    let config = config(settings, purpose, host)?;
    let failed = |error: tokio_postgres::Error| of_connect(settings, &told(host), &error);
    let (line, mode) = (wire.line(), settings.tls.mode_for(host));
    let (client, mut talk) = if mode == TlsMode::Disable {
        let (client, connection) = config.connect_raw(wire, NoTls).await.map_err(failed)?;
        (client, Talk::new(connection, line))
    } else {
        let mut tls = tls::connector(&settings.tls, mode)?;
        let Ok(tls) = MakeTlsConnect::<Wire>::make_tls_connect(&mut tls, &named(host));
        let (client, connection) = config.connect_raw(wire, tls).await.map_err(failed)?;
        (client, Talk::new(connection, line))
    };
    let fits = talk.during(fits(&client, wanted)).await.map_err(failed)?;
    Ok(fits.then_some((client, talk)))
}

/// As its certificate has it.
fn named(host: &Host) -> String {
    match host.address {
        Some(address) if host.name.is_empty() => address.to_string(),
        _ => host.name.clone(),
    }
}

fn config(settings: &Settings, purpose: Purpose, host: &Host) -> Result<Config> {
    let mut config = Config::new();
    config
        .user(&settings.user)
        .dbname(&settings.database)
        .application_name(purpose.application_name(settings))
        .options(options(settings, purpose))
        .ssl_mode(match settings.tls.mode_for(host) {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyAuthority | TlsMode::VerifyFull => SslMode::Require,
        })
        .channel_binding(settings.channel_binding);
    if host.socket().is_none() {
        config.ssl_negotiation(settings.tls.negotiation);
    }
    if let Some(password) = settings.password_for(host)? {
        config.password(password.as_bytes());
    }
    Ok(config)
}

/// What every session is told as it begins. What people say themselves comes last, and wins.
///
/// A pooler drops all of it. So nothing relies on it: our statements name the schema of whatever they call.
fn options(settings: &Settings, purpose: Purpose) -> String {
    let mut options = format!(
        "-c statement_timeout={} -c lock_timeout={} -c default_transaction_isolation=read\\ committed \
         -c search_path=pg_catalog,pg_temp",
        settings.statement_timeout.as_millis(),
        settings.lock_timeout.as_millis(),
    );
    if let Some(theirs) = &settings.options {
        options.push(' ');
        options.push_str(theirs);
    }
    // Whoever may only read has a lease to be told all the same.
    if purpose == Purpose::Listen {
        options.push_str(" -c default_transaction_read_only=off");
    }
    options
}

async fn fits(client: &Client, wanted: Attributes) -> Result<bool, tokio_postgres::Error> {
    if wanted == Attributes::Any {
        return Ok(true);
    }
    let answer = client
        .simple_query("SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')");
    let answer = answer.await?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (standby, read_only) = row.unwrap_or((false, false));
    Ok(match wanted {
        Attributes::Any | Attributes::PreferStandby => true,
        Attributes::ReadWrite => !read_only,
        Attributes::ReadOnly => read_only,
        Attributes::Primary => !standby,
        Attributes::Standby => standby,
    })
}

/// A host as errors tell of it.
fn told(host: &Host) -> String {
    match host.address {
        Some(address) if host.name.is_empty() => format!("{address}:{}", host.port),
        _ => format!("{}:{}", host.name, host.port),
    }
}

/// In any order, so that many clients do not all go to the first. It needs not be hard to guess.
fn shuffle<T>(items: &mut [T]) {
    use std::hash::{BuildHasher, RandomState};
    for place in (1..items.len()).rev() {
        let random = RandomState::new().hash_one(place);
        let other = usize::try_from(random % (place as u64 + 1)).unwrap_or_default();
        items.swap(place, other);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use secretkit_test_postgres::{Durability, Options, database};

    use super::*;
    use crate::session::Asking;
    use crate::url::PostgresUrl;

    #[test]
    fn the_next_address_of_a_name_is_tried_where_one_says_nothing() {
        let Some(database) = database() else { return };
        let address = database.address().with("connect_timeout", "2").with("target_session_attrs", "any");
        let url: PostgresUrl = address.to_string().parse().unwrap();
        let settings = Settings::complete(url.given()).unwrap();
        let [host] = settings.hosts.all.as_slice() else { panic!("it has one host") };
        // The system takes connections for whoever never does.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut places = vec![Place::Address(nobody), Place::Address(silent.local_addr().unwrap())];
            let at = async |places: &[Place]| {
                first_of(places, &settings, Purpose::Work, host, Attributes::Any).await.map(drop)
            };
            let unavailable = at(&places).await.unwrap_err();
            assert!(unavailable.to_string().contains("does not answer"), "{unavailable}");
            places.extend(Place::all(host).await.unwrap());
            at(&places).await.unwrap();
        });
    }

    #[test]
    fn the_next_address_of_a_name_is_tried_where_one_is_of_another_kind() {
        let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
        let (database, standby) = (server.database(), server.standby());
        let url: PostgresUrl = database.url().parse().unwrap();
        let settings = Settings::complete(url.given()).unwrap();
        let [host] = settings.hosts.all.as_slice() else { panic!("it has one host") };
        let at = |port| Place::Address(([127, 0, 0, 1], port).into());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = async |places: &[Place], wanted| {
                first_of(places, &settings, Purpose::Work, host, wanted).await.map(drop)
            };
            first(&[at(standby.port()), at(server.port())], Attributes::ReadWrite).await.unwrap();
            first(&[at(server.port()), at(standby.port())], Attributes::Standby).await.unwrap();
            let none = first(&[at(standby.port()), at(standby.port())], Attributes::Primary).await.unwrap_err();
            assert!(none.to_string().contains("target_session_attrs"), "{none}");
        });
    }

    #[test]
    fn a_server_that_never_stops_to_talk_is_left_in_time() {
        const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
        const ANSWER: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
        const NOTICE: &[u8] = b"N\0\0\0\x18SNOTICE\0C00000\0Mon\0\0";
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(READY).unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            // So much that there is always more, and an answer for whoever waits until there is no more.
            let (much, begun) = (NOTICE.repeat(50_000), Instant::now());
            while begun.elapsed() < Duration::from_secs(3) && stream.write_all(&much).is_ok() {}
            let _ = stream.write_all(ANSWER);
        });
        let url = format!("postgres://u@127.0.0.1:{port}/x?sslmode=disable&target_session_attrs=any");
        let settings = Settings::complete(url.parse::<PostgresUrl>().unwrap().given()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, talk) = runtime.block_on(first(&settings, Purpose::Work)).unwrap();
        let mut session = Session::new(client, talk);
        let asked = async |asking: &Asking| asking.client().simple_query("SELECT 1").await.map(drop);
        assert!(session.run(asked, Duration::from_millis(500)).is_none());
        session.abandon();
        server.join().unwrap();
    }
}

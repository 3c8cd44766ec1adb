//! What PostgreSQL says, as our kinds of error.
//!
//! No text of the server's reaches an error: its messages and details quote parameters and rows. What is kept is the
//! SQLSTATE, five signs that PostgreSQL's manual explains.

use std::fmt;
use std::io;

use secretkit_core::{Error, Token};
use tokio_postgres::error::{Severity, SqlState};

use crate::counted;
use crate::migrations::SOMETHING_ELSE;

/// Why a call to the server came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server said so.
    Server(SqlState),
    /// The server said so before it did anything, and may not say it on another connection: this one has prepared what is
    /// not there any more, or leads to a server that only reads by now.
    Stale(SqlState),
    /// There is no connection, or there is none any more, or none to rely on. Whether what was sent took effect is not known.
    Lost(String),
    /// No connection could be made, for a reason that has its kind.
    Connect(Error),
    /// Nobody answered in time.
    Silent,
    /// Every connection was in use all the time.
    Crowded,
    /// What came is not what was asked for.
    Answer(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if breaks_connection(code) || ends_connection(&error) => {
                Self::Lost(format!("it ended the connection ({})", code.code()))
            }
            Some(code) if code == &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => {
                Self::Lost(format!("it does not know itself what became of it ({})", code.code()))
            }
            Some(code) if STALE.contains(&code) => Self::Stale(code.clone()),
            Some(code) => Self::Server(code.clone()),
            None if error.is_closed() => Self::Lost("the connection is closed".to_owned()),
            None => Self::Lost(format!("the connection broke: {}", cause(&error))),
        }
    }
}

impl Failure {
    /// Whether another connection may do better, or the same one a moment later, and nothing at all happened.
    pub(crate) fn is_harmless(&self) -> bool {
        matches!(self, Self::Server(code) if code == &SqlState::T_R_SERIALIZATION_FAILURE || code == &SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// Whether the same read on another connection may do better.
    pub(crate) fn is_worth_another_read(&self) -> bool {
        self.is_harmless() || matches!(self, Self::Lost(_) | Self::Stale(_))
    }

    /// Whether its connection had better not be used again.
    pub(crate) const fn spoils_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent | Self::Stale(_))
    }

    /// Whether it is not known what became of what was sent.
    pub(crate) const fn is_uncertain(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Silent)
    }

    pub(crate) fn is_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Server(code) if code.code() == wanted)
    }

    /// As the error of a call to this store.
    pub(crate) fn named(self, place: &dyn fmt::Display) -> Error {
        let store = place.to_string();
        match self {
            Self::Connect(error) | Self::Answer(error) => error,
            Self::Silent | Self::Crowded => Error::Busy { store },
            Self::Lost(words) => Error::Unavailable { store, why: format!("was lost: {words}; try again") },
            Self::Server(code) | Self::Stale(code) => of_code(store, &code),
        }
    }

    /// As the error of a commit that may have taken effect.
    pub(crate) fn unknown(self, place: &dyn fmt::Display, token: Option<Token>) -> Error {
        counted::unknown();
        let source = match self {
            Self::Lost(words) => words.into(),
            Self::Silent => "it did not answer in time".into(),
            other => other.named(place).into(),
        };
        Error::OutcomeUnknown { store: place.to_string(), token, source }
    }
}

/// The kind of what the server says about a statement.
fn of_code(store: String, code: &SqlState) -> Error {
    let said = code.code();
    match code {
        &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::QUERY_CANCELED
        | &SqlState::TOO_MANY_CONNECTIONS
        | &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED => Error::Busy { store },
        &SqlState::READ_ONLY_SQL_TRANSACTION => Error::ReadOnly { store },
        &SqlState::DISK_FULL => Error::Full { store },
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
            Error::Corrupt { what: format!("the database {store}") }
        }
        &SqlState::INSUFFICIENT_PRIVILEGE => Error::StoreDenied {
            store,
            why: "does not allow its user to do this; `secretkit store grant` gives a login its role".to_owned(),
        },
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => Error::NoStore { store },
        &SqlState::UNDEFINED_COLUMN => Error::NotAStore { store, why: SOMETHING_ELSE.to_owned() },
        // With their language, for one, or left out of a dump.
        &SqlState::UNDEFINED_FUNCTION => Error::NotAStore {
            store,
            why: "lacks functions that it was made with; restore it from a backup".to_owned(),
        },
        _ if said == UNFIT => {
            Error::Store { store, source: "a change does not fit what is stored; expect what it relies on".into() }
        }
        _ if said == SETTLED => {
            Error::Store { store, source: "somebody was told that this did not take effect; so it does not".into() }
        }
        _ if said == ISOLATED => {
            Error::Store { store, source: "it does not run in READ COMMITTED; leave that to us".into() }
        }
        _ => Error::Store { store, source: format!("the server says SQLSTATE {said}").into() },
    }
}

/// Why no connection could be made to a host, as an error that names the store.
pub(crate) fn of_connect(place: &dyn fmt::Display, host: &str, error: &tokio_postgres::Error) -> Error {
    let store = place.to_string();
    if let Some(code) = error.code() {
        let said = code.code();
        return match code {
            &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Error::StoreDenied {
                store,
                why: format!("does not let its user in at {host}: the password is not right, or there is no such user"),
            },
            &SqlState::INVALID_CATALOG_NAME => {
                Error::Unavailable { store, why: format!("has no such database at {host}") }
            }
            &SqlState::CANNOT_CONNECT_NOW => {
                Error::Unavailable { store, why: format!("is starting or stopping at {host}; try again") }
            }
            &SqlState::INSUFFICIENT_PRIVILEGE => {
                Error::StoreDenied { store, why: format!("does not let its user into this database at {host}") }
            }
            // A pooler in between that does not pass settings on says this.
            &SqlState::PROTOCOL_VIOLATION => Error::Unavailable {
                store,
                why: format!("does not understand us at {host} (08P01); a pooler must pass on options"),
            },
            _ if breaks_connection(code) => {
                Error::Unavailable { store, why: format!("ended the connection at {host} ({said})") }
            }
            _ => of_code(store, code),
        };
    }
    let words = cause(error);
    match words.as_str() {
        "password missing" => {
            let why = format!("asks for a password at {host}; give one in PGPASSWORD or the password file");
            Error::StoreDenied { store, why }
        }
        "server does not support TLS" => {
            let why =
                format!("offers no TLS at {host}; switch it on there, or say sslmode=disable where nobody can listen");
            Error::UnsafeStore { store, why }
        }
        _ if is_untrusted(error) => {
            let why = format!(
                "cannot prove at {host} who it is ({words}); name its authority with sslrootcert, and the host as its \
                 certificate does"
            );
            Error::UnsafeStore { store, why }
        }
        _ => Error::Unavailable { store, why: format!("cannot be reached at {host}: {words}") },
    }
}

/// Why nothing could be said to a host.
pub(crate) fn of_socket(place: &dyn fmt::Display, host: &str, error: &io::Error) -> Error {
    let why = format!("cannot be reached at {host}: {}", system_words(error));
    Error::Unavailable { store: place.to_string(), why }
}

/// Whether the certificate was not good enough.
fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    tls_failure(error).is_some_and(|error| {
        matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    })
}

/// What rustls said, if it was rustls.
fn tls_failure<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

/// The innermost reason, in words that hold nothing of the server's: those of the operating system, of rustls and of the
/// client.
fn cause(error: &tokio_postgres::Error) -> String {
    if let Some(error) = tls_failure(error) {
        return match error {
            rustls::Error::InvalidCertificate(error) => certificate_words(error),
            // Its text names what the other side sent.
            rustls::Error::AlertReceived(alert) => format!("the server refused TLS with the alert {alert:?}"),
            _ => "TLS failed".to_owned(),
        };
    }
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    match innermost.downcast_ref::<io::Error>() {
        Some(error) => system_words(error),
        // The client's own words. Any other of its errors says what it was doing.
        None if KNOWN.contains(&innermost.to_string().as_str()) => innermost.to_string(),
        None if error.to_string().starts_with("error parsing response") => "the answer makes no sense".to_owned(),
        None => "the connection failed".to_owned(),
    }
}

/// In the words of the operating system.
fn system_words(error: &io::Error) -> String {
    if error.raw_os_error().is_some() {
        return error.to_string();
    }
    match error.to_string() {
        // The only word for it that the system's own resolver has.
        words if words.starts_with("failed to lookup address") => "its name is not known".to_owned(),
        _ => error.kind().to_string(),
    }
}

fn certificate_words(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Fault;
    match error {
        Fault::Expired | Fault::ExpiredContext { .. } => "its certificate has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "its certificate is not valid yet",
        Fault::Revoked => "its certificate was revoked",
        Fault::UnknownIssuer => "nobody who is trusted signed its certificate",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "its certificate is for another host",
        // Verifiers say these in words of their own.
        Fault::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority (CA:TRUE), which may not be a server's; have one made that it signs"
        }
        Fault::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "its certificate is of X.509 version 1; have one of version 3 made"
        }
        _ => "its certificate is not good",
    }
    .to_owned()
}

/// What the client says in its own words.
const KNOWN: [&str; 3] = ["password missing", "server does not support TLS", "unsupported authentication method"];

/// Whether the server says that this is the end of the connection. What was asked may have taken effect all the same: a
/// server that cannot flush its log panics, and recovers by what is in it.
fn ends_connection(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // As whoever stands between us may leave it out.
        None => ["FATAL", "PANIC"].contains(&error.severity()),
    })
}

/// Whether the server ends the connection when it says this, whoever says it.
fn breaks_connection(code: &SqlState) -> bool {
    code.code().starts_with("08") && code != &SqlState::PROTOCOL_VIOLATION
        || [&SqlState::ADMIN_SHUTDOWN, &SqlState::CRASH_SHUTDOWN, &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
            .contains(&code)
        || code.code() == "57P05"
}

/// See [`Failure::Stale`].
const STALE: [&SqlState; 3] = [
    &SqlState::INVALID_SQL_STATEMENT_NAME,
    // "Cached plan must not change result type."
    &SqlState::FEATURE_NOT_SUPPORTED,
    &SqlState::READ_ONLY_SQL_TRANSACTION,
];

/// What `apply` raises where a change does not fit.
pub(crate) const UNFIT: &str = "SK001";

/// What it raises where somebody was told that it did not take effect.
pub(crate) const SETTLED: &str = "SK003";

/// What it raises where the transaction is not of its kind.
const ISOLATED: &str = "SK002";

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What becomes of an answer like this.
    fn failure(severity: &str, code: &str) -> Failure {
        let fields = format!("S{severity}\0C{code}\0Mwords\0\0");
        let length = u8::try_from(fields.len() + 4).unwrap();
        let answer = [b"E\0\0\0".as_slice(), &[length], fields.as_bytes()].concat();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(&answer).unwrap();
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(async {
            let url = format!("postgres://u@127.0.0.1:{port}/x?sslmode=disable");
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.simple_query("SELECT 1").await.unwrap_err()
        });
        server.join().unwrap();
        error.into()
    }

    #[test]
    fn whoever_ends_the_connection_has_not_said_that_nothing_was_done() {
        // 58030: the log could not be flushed. 53100: there was no room for it.
        for code in ["58030", "53100", "25P04"] {
            assert!(failure("PANIC", code).is_uncertain(), "{code}");
            assert!(failure("FATAL", code).is_uncertain(), "{code}");
            assert!(!failure("ERROR", code).is_uncertain(), "{code}");
        }
        // As CockroachDB does where nodes lost each other at the end of a transaction.
        assert!(failure("ERROR", "40003").is_uncertain());
    }
}

//! Every keyword of a connection URL, and what becomes of it here.

use super::Keyword::{self, *};

/// What a keyword means here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Support {
    /// It is a setting.
    Set(Keyword),
    /// It is one of libpq's that this client cannot do: only these values of it, which ask for nothing, are taken.
    Only(&'static [&'static str]),
    /// It is one of libpq's that this client cannot do at all.
    Refused,
}

/// A keyword, the environment variable that stands for it where it has one, and what it means here.
pub(super) type Row = (&'static str, Option<&'static str>, Support);

/// The row of a keyword, if anybody knows it.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    KEYWORDS.iter().find(|(known, ..)| *known == name)
}

/// All of libpq's up to version 18, and ours.
pub(super) const KEYWORDS: &[Row] = &[
    ("host", Some("PGHOST"), Support::Set(Host)),
    ("hostaddr", Some("PGHOSTADDR"), Support::Set(HostAddress)),
    ("port", Some("PGPORT"), Support::Set(Port)),
    ("dbname", Some("PGDATABASE"), Support::Set(Database)),
    ("user", Some("PGUSER"), Support::Set(User)),
    ("password", Some("PGPASSWORD"), Support::Set(Password)),
    ("passfile", Some("PGPASSFILE"), Support::Set(PasswordFile)),
    ("service", Some("PGSERVICE"), Support::Set(Service)),
    ("servicefile", Some("PGSERVICEFILE"), Support::Set(ServiceFile)),
    ("options", Some("PGOPTIONS"), Support::Set(Options)),
    ("application_name", Some("PGAPPNAME"), Support::Set(ApplicationName)),
    ("fallback_application_name", None, Support::Set(FallbackApplicationName)),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT"), Support::Set(ConnectTimeout)),
    ("keepalives", None, Support::Set(Keepalives)),
    ("keepalives_idle", None, Support::Set(KeepalivesIdle)),
    ("keepalives_interval", None, Support::Set(KeepalivesInterval)),
    ("keepalives_count", None, Support::Set(KeepalivesCount)),
    ("tcp_user_timeout", None, Support::Set(TcpUserTimeout)),
    ("sslmode", Some("PGSSLMODE"), Support::Set(SslMode)),
    ("sslnegotiation", Some("PGSSLNEGOTIATION"), Support::Set(SslNegotiation)),
    ("sslrootcert", Some("PGSSLROOTCERT"), Support::Set(SslRootCertificate)),
    ("sslcert", Some("PGSSLCERT"), Support::Set(SslCertificate)),
    ("sslkey", Some("PGSSLKEY"), Support::Set(SslKey)),
    ("sslsni", Some("PGSSLSNI"), Support::Set(SslServerName)),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), Support::Set(SslMinimum)),
    ("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION"), Support::Set(SslMaximum)),
    ("channel_binding", Some("PGCHANNELBINDING"), Support::Set(ChannelBinding)),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS"), Support::Set(TargetSession)),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), Support::Set(LoadBalance)),
    // Ours. They have no variables, so that nobody else's can change them.
    ("schema", None, Support::Set(Schema)),
    ("pool_size", None, Support::Set(PoolSize)),
    ("pool_timeout", None, Support::Set(PoolTimeout)),
    ("statement_timeout", None, Support::Set(StatementTimeout)),
    ("lock_timeout", None, Support::Set(LockTimeout)),
    ("listen", None, Support::Set(Listen)),
    // What asks for what is so anyway.
    ("client_encoding", Some("PGCLIENTENCODING"), Support::Only(&["UTF8", "utf8", "UTF-8", "utf-8", "auto"])),
    ("gssencmode", Some("PGGSSENCMODE"), Support::Only(&["disable", "prefer"])),
    ("sslcompression", Some("PGSSLCOMPRESSION"), Support::Only(&["0"])),
    ("sslcertmode", Some("PGSSLCERTMODE"), Support::Only(&["allow"])),
    ("requiressl", Some("PGREQUIRESSL"), Support::Only(&["0"])),
    ("replication", None, Support::Only(&["false", "off", "no", "0"])),
    ("min_protocol_version", Some("PGMINPROTOCOLVERSION"), Support::Only(&["3.0"])),
    ("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), Support::Only(&["3.0", "latest"])),
    // What this client cannot do.
    ("sslpassword", None, Support::Refused),
    ("sslcrl", Some("PGSSLCRL"), Support::Refused),
    ("sslcrldir", Some("PGSSLCRLDIR"), Support::Refused),
    ("sslkeylogfile", None, Support::Refused),
    ("requirepeer", Some("PGREQUIREPEER"), Support::Refused),
    ("require_auth", Some("PGREQUIREAUTH"), Support::Refused),
    ("krbsrvname", Some("PGKRBSRVNAME"), Support::Refused),
    ("gsslib", Some("PGGSSLIB"), Support::Refused),
    ("gssdelegation", Some("PGGSSDELEGATION"), Support::Refused),
    ("scram_client_key", None, Support::Refused),
    ("scram_server_key", None, Support::Refused),
    ("oauth_issuer", None, Support::Refused),
    ("oauth_client_id", None, Support::Refused),
    ("oauth_client_secret", None, Support::Refused),
    ("oauth_scope", None, Support::Refused),
    ("authtype", None, Support::Refused),
    ("tty", None, Support::Refused),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_keyword_and_each_variable_stands_once() {
        let names: BTreeSet<_> = KEYWORDS.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), KEYWORDS.len());
        let variables: Vec<_> = KEYWORDS.iter().filter_map(|(_, variable, _)| *variable).collect();
        assert_eq!(variables.iter().collect::<BTreeSet<_>>().len(), variables.len());
        assert!(variables.iter().all(|variable| variable.starts_with("PG")));
    }
}

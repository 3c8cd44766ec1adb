//! A look at a store, its server and the way there from outside, with what to do in plain words.

mod data;
mod server;

use std::sync::Arc;

use secretkit_core::store::StoreCheck;
use secretkit_core::{Clock, Result, SystemClock};
use tokio_postgres::Row;
use tokio_postgres::types::Type as T;

use crate::error::Failure;
use crate::migrations::{self, MIGRATIONS};
use crate::product::Product;
use crate::runtime::Engine;
use crate::session::Asking;
use crate::settings::{Keyword, Settings};
use crate::url::PostgresUrl;

/// Looks at the store at this URL, whether there is one yet or not: how its server is reached, who logs in, what the server
/// does with what is committed and what it writes into its log, whether there is room for the pool. Changes nothing, needs
/// no root key, and asks three statements at most.
///
/// # Errors
/// What [`PostgresStore::open`](crate::PostgresStore::open) says of connecting, and of tables that no version of this
/// library made.
pub fn examine(url: &PostgresUrl) -> Result<Vec<StoreCheck>> {
    examine_at(url, &SystemClock)
}

fn examine_at(url: &PostgresUrl, clock: &dyn Clock) -> Result<Vec<StoreCheck>> {
    let settings = Arc::new(Settings::complete(url.given())?);
    let engine = Engine::start(&settings)?;
    let facts = engine.run(async |asking| Facts::asked(asking, &settings, clock).await);
    engine.end();
    let facts = facts.map_err(|failure| failure.named(&*settings))?;
    let mut checks = vec![
        server::server(&facts),
        server::tls(&facts, &settings),
        server::password(url.given().get(Keyword::Password).is_some()),
        server::login(&facts),
        server::standby(&facts),
        server::clock(&facts),
        server::connections(&facts, &settings),
        server::time_outs(&facts),
        data::tables(&facts, &settings),
        data::durability(&facts),
        data::log(&facts),
    ];
    checks.extend(data::public(&facts));
    checks.extend(data::creators(&facts));
    checks.extend(server::idle(&facts));
    Ok(checks)
}

/// What the server says of itself and of us.
struct Facts {
    product: Product,
    /// The version of TLS between the server and whoever speaks to it, which may be a pooler.
    tls: Option<String>,
    superuser: bool,
    /// What else the login may do that an application has no need for.
    powers: Vec<&'static str>,
    owner: bool,
    public: bool,
    /// Who beside the tables' owner and superusers may create in the schema.
    creators: String,
    standby: bool,
    /// How far the server's clock is ahead of ours in microseconds, and how far off that may be.
    ahead: i64,
    margin: i64,
    most_connections: i64,
    reserved: i64,
    in_use: i64,
    /// Limits of the login and of the database, where there are any.
    limits: Vec<(&'static str, i64)>,
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    standbys: bool,
    statement_timeout: i64,
    idle_timeout: i64,
    log_statement: String,
    log_slow: i64,
    log_parameters: i64,
    log_parameters_on_error: i64,
    /// How many of those that a commit takes are there.
    functions: i64,
    tables: migrations::Applied,
}

impl Facts {
    async fn asked(asking: &Asking, settings: &Settings, clock: &dyn Clock) -> Result<Self, Failure> {
        let tables = migrations::applied(asking.client(), settings).await?;
        migrations::judged(settings, MIGRATIONS, &tables)?;
        let before = clock.now().as_micros();
        let rows = asking.client().query_typed(QUESTION, &[(&settings.schema.as_str(), T::TEXT)]).await?;
        let after = clock.now().as_micros();
        let read = |row: &Row| -> Result<Self, tokio_postgres::Error> {
            let number = |name: &str| -> Result<i64, tokio_postgres::Error> {
                Ok(row.try_get::<_, Option<i64>>(name)?.unwrap_or_default())
            };
            let text = |name: &str| -> Result<String, tokio_postgres::Error> {
                Ok(row.try_get::<_, Option<String>>(name)?.unwrap_or_default())
            };
            let is = |name: &str| -> Result<bool, tokio_postgres::Error> {
                Ok(row.try_get::<_, Option<bool>>(name)?.unwrap_or_default())
            };
            let mut powers = Vec::new();
            for (column, power) in POWERS {
                if is(column)? {
                    powers.push(power);
                }
            }
            let mut limits = Vec::new();
            for (column, whose) in LIMITS {
                // Below zero is none.
                limits.extend(Some((whose, number(column)?)).filter(|(_, most)| *most >= 0));
            }
            Ok(Self {
                product: Product::new(
                    &text("words")?,
                    u32::try_from(number("version")?).unwrap_or_default(),
                    text("encoding")?,
                ),
                tls: row.try_get("tls")?,
                superuser: is("superuser")?,
                powers,
                owner: is("owner")?,
                public: is("public")?,
                creators: text("creators")?,
                standby: is("standby")?,
                ahead: number("now")? - (before / 2 + after / 2),
                margin: (after - before).max(0) / 2,
                most_connections: number("most_connections")?,
                reserved: number("reserved")?,
                in_use: number("in_use")?,
                limits,
                fsync: text("fsync")? != "off",
                full_page_writes: text("full_page_writes")? != "off",
                synchronous_commit: text("synchronous_commit")?,
                standbys: !text("standbys")?.is_empty(),
                statement_timeout: number("statement_timeout")?,
                idle_timeout: number("idle_timeout")?,
                log_statement: text("log_statement")?,
                log_slow: number("log_slow")?,
                log_parameters: number("log_parameters")?,
                log_parameters_on_error: number("log_parameters_on_error")?,
                functions: number("functions")?,
                tables: Vec::new(),
            })
        };
        let senseless =
            || Failure::Answer(secretkit_core::Error::Corrupt { what: "an answer of the server".to_owned() });
        let row = rows.first().ok_or_else(senseless)?;
        Ok(Self { tables, ..read(row).map_err(|_| senseless())? })
    }
}

const POWERS: [(&str, &str); 4] = [
    ("bypasses", "pass by row-level security"),
    ("makes_roles", "make logins"),
    ("makes_databases", "make databases"),
    ("replicates", "copy the whole server"),
];

const LIMITS: [(&str, &str); 2] = [("login_limit", "login"), ("database_limit", "database")];

/// Everything in one statement, of catalogs and settings that any login may see. Functions are named with their schema, as
/// in `statements`, and both sides of an operator are of one type: any other could be found on the search path. `pg_settings` has numbers in the units of
/// the server; a setting that this version has not is nothing.
const QUESTION: &str = "\
WITH s AS (SELECT name, setting FROM pg_catalog.pg_settings),
  me AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname = current_user),
  ours AS (SELECT * FROM pg_catalog.pg_namespace WHERE nspname = $1)
SELECT
  pg_catalog.version() AS words,
  (SELECT setting::bigint FROM s WHERE name = 'server_version_num') AS version,
  (SELECT setting FROM s WHERE name = 'server_encoding') AS encoding,
  (SELECT t.version FROM pg_catalog.pg_stat_ssl AS t WHERE t.pid = pg_catalog.pg_backend_pid() AND t.ssl) AS tls,
  (SELECT rolsuper FROM me) AS superuser,
  (SELECT rolbypassrls FROM me) AS bypasses,
  (SELECT rolcreaterole FROM me) AS makes_roles,
  (SELECT rolcreatedb FROM me) AS makes_databases,
  (SELECT rolreplication FROM me) AS replicates,
  (SELECT rolconnlimit::bigint FROM me) AS login_limit,
  (SELECT datconnlimit::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS database_limit,
  (SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM ours) AS owner,
  (SELECT pg_catalog.has_schema_privilege('public', oid, 'USAGE') FROM ours) AS public,
  (SELECT pg_catalog.string_agg(CASE a.who WHEN 0::oid THEN 'every login' ELSE pg_catalog.pg_get_userbyid(a.who)::text END, ', '
      ORDER BY a.who)
    FROM (
      SELECT acl.grantee AS who FROM ours, pg_catalog.aclexplode(nspacl) AS acl WHERE acl.privilege_type = 'CREATE'
      UNION SELECT nspowner FROM ours
    ) AS a
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE oid = a.who AND rolsuper)
      AND a.who <> coalesce((SELECT c.relowner FROM ours, pg_catalog.pg_class AS c
        WHERE c.relnamespace = ours.oid AND c.relname = 'migrations'), (SELECT oid FROM me))) AS creators,
  pg_catalog.pg_is_in_recovery() AS standby,
  (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000::numeric)::bigint AS now,
  (SELECT setting::bigint FROM s WHERE name = 'max_connections') AS most_connections,
  (SELECT pg_catalog.sum(setting::bigint)::bigint FROM s
    WHERE name IN ('superuser_reserved_connections', 'reserved_connections')) AS reserved,
  (SELECT pg_catalog.sum(numbackends)::bigint FROM pg_catalog.pg_stat_database) AS in_use,
  (SELECT setting FROM s WHERE name = 'fsync') AS fsync,
  (SELECT setting FROM s WHERE name = 'full_page_writes') AS full_page_writes,
  (SELECT setting FROM s WHERE name = 'synchronous_commit') AS synchronous_commit,
  (SELECT setting FROM s WHERE name = 'synchronous_standby_names') AS standbys,
  (SELECT setting::bigint FROM s WHERE name = 'statement_timeout') AS statement_timeout,
  (SELECT setting::bigint FROM s WHERE name = 'idle_in_transaction_session_timeout') AS idle_timeout,
  (SELECT setting FROM s WHERE name = 'log_statement') AS log_statement,
  coalesce((SELECT pg_catalog.min(setting::bigint) FROM s WHERE setting <> '-1'
    AND name IN ('log_min_duration_statement', 'log_min_duration_sample')), -1) AS log_slow,
  (SELECT setting::bigint FROM s WHERE name = 'log_parameter_max_length') AS log_parameters,
  (SELECT setting::bigint FROM s WHERE name = 'log_parameter_max_length_on_error') AS log_parameters_on_error,
  (SELECT pg_catalog.count(DISTINCT p.proname) FROM ours, pg_catalog.pg_proc AS p WHERE p.pronamespace = ours.oid
    AND p.proname IN ('lock_key', 'settle', 'apply', 'key_uses', 'touch', 'outcome', 'tell')) AS functions";

/// Those that are counted there.
const FUNCTIONS: i64 = 7;

#[cfg(test)]
mod tests {
    use secretkit_core::store::Rating;
    use secretkit_core::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn the_question_names_the_schema_of_every_function() {
        assert_eq!(crate::schema::unqualified(QUESTION), None);
    }

    #[test]
    fn a_clock_that_is_off_is_told() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.url().parse().unwrap();
        let now = SystemClock.now().as_micros();
        for (ours, way) in [(now - 3_600_000_000, "ahead of"), (now + 3_600_000_000, "behind")] {
            let checks = examine_at(&url, &ManualClock::new(Timestamp::from_micros(ours))).unwrap();
            let clock = checks.iter().find(|check| check.check == "clock").unwrap();
            assert!(clock.rating == Rating::Weak && clock.finding.contains(way), "{clock:?}");
        }
    }

    #[test]
    fn a_way_on_which_others_may_listen_or_answer_is_told() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let settings = |url: &str| Arc::new(Settings::complete(url.parse::<PostgresUrl>().unwrap().given()).unwrap());
        let here = settings(&database.url());
        let engine = Engine::start(&here).unwrap();
        let facts = engine.run(async |asking| Facts::asked(asking, &here, &SystemClock).await).unwrap();
        engine.end();
        assert!(facts.tls.as_deref().is_some_and(|version| version.starts_with("TLSv1.")));
        let rated = |url: &str| server::tls(&facts, &settings(url));
        for (mode, rating, words) in [
            ("disable", Rating::Insecure, "may read along"),
            ("prefer", Rating::Insecure, "only as long as the server offers it"),
            ("require", Rating::Insecure, "whoever answers for db.example is believed"),
            ("verify-ca&sslrootcert=/authority.pem", Rating::Weak, "is not looked at (verify-ca)"),
            ("verify-full", Rating::Secure, "had to prove its name"),
        ] {
            let check = rated(&format!("postgres://app@db.example/secrets?sslmode={mode}"));
            assert!(check.rating == rating && check.finding.contains(words), "{check:?}");
        }
        assert_eq!(rated("postgres://app@db.example/secrets").rating, Rating::Secure);
        // One of several is enough.
        let mixed = rated("postgres://app@localhost,db.example/secrets?sslmode=prefer");
        assert!(mixed.rating == Rating::Insecure && mixed.finding.contains("db.example"), "{mixed:?}");
        let socket = rated("postgres://app@%2Frun%2Fpostgresql/secrets");
        assert!(socket.rating == Rating::Secure && socket.finding.contains("socket"), "{socket:?}");
        assert_eq!(rated("postgres://app@127.0.0.1/secrets?sslmode=disable").rating, Rating::Secure);
    }
}

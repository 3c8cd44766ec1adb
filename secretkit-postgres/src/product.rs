//! Which servers a store can be on.
//!
//! Other products speak PostgreSQL's protocol and lack what a store relies on, and some of them say nothing of that: a lock is
//! taken and not held, or a transaction sees less than it should. A store there would lose what it promises without a
//! word. So a server is asked what it is, and looked at whether it does what it says, before anything is made on it.

use secretkit_core::Error;
use tokio_postgres::Client;

use crate::error::Failure;

/// What a server says it is.
pub(crate) struct Product {
    /// `PostgreSQL 17.10`, or what another product calls itself.
    name: String,
    /// 170010 for that.
    version: u32,
    encoding: String,
}

/// Why a store cannot be on a server.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Unfit {
    /// What is wrong: the end of a sentence that begins with the server.
    pub(crate) finding: &'static str,
    /// What to do.
    pub(crate) advice: &'static str,
}

impl From<Unfit> for Error {
    fn from(Unfit { finding, advice }: Unfit) -> Self {
        Self::Unsupported(format!("this server {finding}; {advice}"))
    }
}

impl Product {
    /// From what `version()`, `server_version_num` and `server_encoding` say.
    pub(crate) fn new(words: &str, version: u32, encoding: String) -> Self {
        Self { name: name_of(words), version, encoding }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn encoding(&self) -> &str {
        &self.encoding
    }

    /// What keeps a store from being there, if anything does.
    pub(crate) fn unfit(&self) -> Option<Unfit> {
        if let Some(unfit) = unfit_by_name(&self.name) {
            return Some(unfit);
        }
        if self.version < OLDEST {
            return Some(Unfit { finding: "is too old", advice: USE_POSTGRES });
        }
        (self.encoding != "UTF8").then_some(Unfit {
            finding: "keeps the texts of this database as something else than UTF-8, and not every name fits",
            advice: "make one with ENCODING 'UTF8'",
        })
    }
}

/// The same, of what `version()` says alone.
pub(crate) fn unfit_by_name(words: &str) -> Option<Unfit> {
    if !words.starts_with("PostgreSQL ") {
        return Some(Unfit { finding: "is not PostgreSQL, and its locks may hold nothing", advice: USE_POSTGRES });
    }
    // YugabyteDB: `PostgreSQL 15.2-YB-2025.1.0.0-b0`.
    name_of(words).contains("-YB-").then_some(Unfit {
        finding: "is YugabyteDB, which does not show who holds the locks of tables",
        advice: USE_POSTGRES,
    })
}

/// The first two words: a build has many more, and its machine among them.
fn name_of(words: &str) -> String {
    words.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Refuses a server on which a store cannot be. Within a transaction, and takes locks there that nobody else asks for.
///
/// # Errors
/// [`Error::Unsupported`], which says why.
pub(crate) async fn demand(client: &Client) -> Result<(), Failure> {
    let said = client.query_typed(SAID, &[]).await?;
    let text = |column| said.first().and_then(|row| row.try_get::<_, &str>(column).ok()).unwrap_or_default();
    let product = Product::new(text(0), text(1).parse().unwrap_or_default(), text(2).to_owned());
    if let Some(unfit) = product.unfit() {
        return Err(Error::from(unfit).into());
    }
    client.query_typed(TAKEN, &[]).await?;
    let seen = client.query_typed(SEEN, &[]).await?;
    for (column, (finding, advice)) in LACKS.into_iter().enumerate() {
        if seen.first().and_then(|row| row.try_get(column).ok()) != Some(true) {
            return Err(Error::from(Unfit { finding, advice }).into());
        }
    }
    Ok(())
}

const SAID: &str = "SELECT pg_catalog.version(), pg_catalog.current_setting('server_version_num'), \
     pg_catalog.current_setting('server_encoding')";

/// A lock of ours alone, and that of a table.
const TAKEN: &str = "SELECT pg_catalog.pg_advisory_xact_lock_shared(0, pg_catalog.pg_backend_pid()), oid \
     FROM pg_catalog.pg_class LIMIT 1";

/// Whether they are held, and whether there is what functions are written in.
const SEEN: &str = "WITH held AS (\
        SELECT locktype, relation, mode FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND granted\
     ) SELECT EXISTS (SELECT FROM held WHERE locktype = 'advisory' AND mode = 'ShareLock'), \
     EXISTS (SELECT FROM held WHERE locktype = 'relation' AND relation = 'pg_catalog.pg_class'::regclass::oid), \
     EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname = 'plpgsql')";

/// What a server lacks of which this is not so.
const LACKS: [(&str, &str); 3] = [
    ("takes advisory locks and does not hold them", USE_POSTGRES),
    ("does not show who holds the locks of tables", USE_POSTGRES),
    ("has no PL/pgSQL in this database", "run CREATE EXTENSION plpgsql there"),
];

const USE_POSTGRES: &str = "use PostgreSQL 14 or newer";

const OLDEST: u32 = 140_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_names_the_schema_of_every_function() {
        for statement in [SAID, TAKEN, SEEN] {
            assert_eq!(crate::schema::unqualified(statement), None, "{statement}");
        }
    }

    #[test]
    fn who_is_postgres_is_told_by_its_name_and_its_version() {
        let unfit = |words: &str, version| Product::new(words, version, "UTF8".to_owned()).unfit();
        for (words, version) in [
            ("PostgreSQL 14.0 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 14.2.0, 64-bit", 140_000),
            ("PostgreSQL 17.2 (Debian 17.2-1.pgdg120+1) on aarch64-unknown-linux-gnu", 170_002),
            ("PostgreSQL 17.2 - Percona Server for PostgreSQL 17.2.1 on x86_64-pc-linux-gnu", 170_002),
            ("PostgreSQL 19devel on x86_64-pc-linux-gnu", 190_000),
        ] {
            assert_eq!(unfit(words, version), None, "{words}");
        }
        for (words, version, finding) in [
            ("CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu, built 2025/05/09)", 130_000, "is not PostgreSQL"),
            ("PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu", 150_002, "is YugabyteDB"),
            ("PostgreSQL 12.12 (Greenplum Database 7.1.0 build 1) on x86_64-pc-linux-gnu", 120_012, "is too old"),
            ("PostgreSQL 13.23 on x86_64-pc-linux-gnu", 130_023, "is too old"),
            ("", 0, "is not PostgreSQL"),
        ] {
            let unfit = unfit(words, version);
            assert!(unfit.as_ref().is_some_and(|unfit| unfit.finding.starts_with(finding)), "{words}: {unfit:?}");
        }
    }
}

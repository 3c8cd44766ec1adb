//! Which servers a store can be on, and what it can consist of there.
//!
//! Other products speak PostgreSQL's protocol and lack what functions rely on, and some of them say nothing of that: a lock is
//! taken and not held, or a transaction sees less than it should. A store there would lose what it promises without a
//! word. So a server is asked what it is, and looked at whether it does what it says, before anything is made on it. Where
//! locks or functions are lacking, a store consists of tables alone.

use secretkit_core::Error;
use tokio_postgres::Client;

use crate::error::Failure;
use crate::layout::Layout;

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

    /// Asks a server.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn of_server(client: &Client) -> Result<Self, Failure> {
        let said = client.query_typed(SAID, &[]).await?;
        let text = |column| said.first().and_then(|row| row.try_get::<_, &str>(column).ok()).unwrap_or_default();
        Ok(Self::new(text(0), text(1).parse().unwrap_or_default(), text(2).to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn encoding(&self) -> &str {
        &self.encoding
    }

    /// What keeps a store from being there, if anything does.
    pub(crate) fn unfit(&self) -> Option<Unfit> {
        let family = Family::of(&self.name);
        if family == Family::Unknown {
            return Some(Unfit { finding: "is not PostgreSQL, and its locks may hold nothing", advice: USE_POSTGRES });
        }
        // CockroachDB calls itself the version of PostgreSQL whose protocol it speaks.
        if family != Family::Cockroach && self.version < OLDEST {
            return Some(Unfit { finding: "is too old", advice: USE_POSTGRES });
        }
        (self.encoding != "UTF8").then_some(Unfit {
            finding: "keeps the texts of this database as something else than UTF-8, and not every name fits",
            advice: "make one with ENCODING 'UTF8'",
        })
    }

    /// Whether its locks can be relied on, by its name.
    pub(crate) fn holds_locks(&self) -> bool {
        Family::of(&self.name) == Family::Postgres
    }

    /// What a store can consist of on this server. Within a transaction, and takes locks there that nobody else asks for.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there can be none, which says why.
    pub(crate) async fn layout(&self, client: &Client) -> Result<Layout, Failure> {
        if let Some(unfit) = self.unfit() {
            return Err(Error::from(unfit).into());
        }
        match Family::of(&self.name) {
            Family::Cockroach => return Ok(Layout::PlainTables),
            Family::Yugabyte => return Ok(Layout::Tables),
            Family::Postgres | Family::Unknown => {}
        }
        client.query_typed(TAKEN, &[]).await?;
        let seen = client.query_typed(SEEN, &[]).await?;
        let has = |column| seen.first().and_then(|row| row.try_get(column).ok()) == Some(true);
        Ok(if (0..LOOKED_AT).all(has) { Layout::Functions } else { Layout::Tables })
    }
}

/// Why a store that has functions cannot be used on a server to which it was brought, by what `version()` says.
pub(crate) fn unfit_by_name(words: &str) -> Option<Unfit> {
    let finding = match Family::of(words) {
        Family::Postgres => return None,
        Family::Cockroach => "is CockroachDB, whose locks do not hold what this store relies on",
        Family::Yugabyte => "is YugabyteDB, which does not show who holds the locks that this store relies on",
        Family::Unknown => "is not PostgreSQL, and its locks may hold nothing",
    };
    Some(Unfit { finding, advice: "use it on PostgreSQL, and bring it here with secretkit store copy" })
}

/// Who made a server, as far as something is known of it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Family {
    Postgres,
    Cockroach,
    Yugabyte,
    Unknown,
}

impl Family {
    /// By what `version()` says, or the beginning of that.
    fn of(words: &str) -> Self {
        if words.starts_with("CockroachDB ") {
            return Self::Cockroach;
        }
        if !words.starts_with("PostgreSQL ") {
            return Self::Unknown;
        }
        // YugabyteDB: `PostgreSQL 15.2-YB-2025.1.0.0-b0`.
        if name_of(words).contains("-YB-") { Self::Yugabyte } else { Self::Postgres }
    }
}

/// The first two words: a build has many more, and its machine among them.
fn name_of(words: &str) -> String {
    words.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
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

/// So many.
const LOOKED_AT: usize = 3;

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
        // Its own number says nothing.
        assert_eq!(unfit("CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu, built 2025/05/09)", 130_000), None);
        assert_eq!(unfit("PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu", 150_002), None);
        for (words, version, finding) in [
            ("PostgreSQL 11.2-YB-2024.1.0.0-b0 on x86_64-pc-linux-gnu", 110_002, "is too old"),
            ("PostgreSQL 12.12 (Greenplum Database 7.1.0 build 1) on x86_64-pc-linux-gnu", 120_012, "is too old"),
            ("PostgreSQL 13.23 on x86_64-pc-linux-gnu", 130_023, "is too old"),
            ("Materialize 26.0 (PostgreSQL 9.5)", 90_500, "is not PostgreSQL"),
            ("", 0, "is not PostgreSQL"),
        ] {
            let unfit = unfit(words, version);
            assert!(unfit.as_ref().is_some_and(|unfit| unfit.finding.starts_with(finding)), "{words}: {unfit:?}");
        }
    }
}

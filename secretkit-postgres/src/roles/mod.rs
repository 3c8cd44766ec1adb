//! Who may do what, and in which orgs: groups on the server with the rights of each role, and logins in them.

mod groups;
mod logins;
#[cfg(test)]
mod plans;

use std::fmt;
use std::str::FromStr;

use secretkit_core::{Error, Part, PartKind, Result};
use tokio_postgres::types::Type as T;
use tokio_postgres::{Client, Row};

use crate::error::Failure;
use crate::layout::Layout;
use crate::migrations::{ALONE, MIGRATIONS, PATIENCE, UNHURRIED, applied, demand_current, with_engine};
use crate::session::Asking;
use crate::settings::Settings;
use crate::url::PostgresUrl;
use groups::Groups;
pub(crate) use groups::renew;

/// What a login may do, in the orgs that it is granted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum StoreRole {
    /// Resolves, lists, shows, and records what was used.
    Reader,
    /// Creates, changes and deletes secrets beside that, and registers consumers. The first secret of an org makes its
    /// keyring; no other change of a keyring is a writer's.
    Writer,
    /// Reads, changes keyrings, and writes anew what stands under old keys. Makes and changes no secret.
    Rotator,
    /// Reads everything, with the trail of events, and writes nothing at all.
    Auditor,
}

impl StoreRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Writer, Self::Rotator, Self::Auditor];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Rotator => "rotator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for StoreRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StoreRole {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| Error::Unsupported("a role is reader, writer, rotator or auditor".to_owned()))
    }
}

/// That a login sees an org.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreGrant {
    /// Who logs in.
    pub login: String,
    /// What it may do; `None` where it is in none of the groups, and so may do nothing.
    pub role: Option<StoreRole>,
    /// Where.
    pub org: Part,
}

/// Lets a login of the server see an org, with the rights of a role. False where it could do so already.
///
/// The role is a group on the server, made where there is none; its rights are set anew. Groups are called by the schema
/// and their role, as `secretkit_reader`, or by `prefix` in place of the schema, which the first grant settles. It is
/// one transaction.
///
/// # Errors
/// - [`Error::StoreDenied`] where the user of the URL is not the owner of the tables, may not make or give groups, and for
///   a login that is not there, that nothing would restrict, or that has another role already.
/// - [`Error::Unsupported`] where the groups are called otherwise, or could not be, and where commits are
///   [transactions](crate::Commits::Transaction).
/// - [`Error::NoStore`], [`Error::NotAStore`], and what [`PostgresStore::open`](crate::PostgresStore::open) says of
///   connecting.
pub fn grant(url: &PostgresUrl, login: &str, role: StoreRole, org: &Part, prefix: Option<&str>) -> Result<bool> {
    as_owner(url, async |client, settings| {
        let groups = Groups::settled(client, settings, prefix).await?;
        groups.make(client, settings).await?;
        logins::judge(client, settings, &groups, login, role).await?;
        logins::forget_dropped(client, settings).await?;
        let text = settings.schema.fill(
            "INSERT INTO @schema@.logins (login, org) SELECT oid, $2 FROM pg_roles WHERE rolname = $1 \
             ON CONFLICT DO NOTHING",
        );
        let added = client.execute_typed(&text, &[(&login, T::NAME), (&org.as_str(), T::TEXT)]).await?;
        let joined = groups.join(client, settings, login, role).await?;
        Ok(added > 0 || joined)
    })
}

/// Lets a login see an org no more, or none at all. Returns how many it saw. Where none is left, it leaves the groups, too.
///
/// It holds from the next statement on, also for those who are logged in, but for whoever still sits in a transaction of
/// REPEATABLE READ or SERIALIZABLE that was begun before. Caches that are told of commits are told of it,
/// too; any other gives what it has until its greatest age.
///
/// # Errors
/// Those of [`grant`], but for what they say of the login.
pub fn revoke(url: &PostgresUrl, login: &str, org: Option<&Part>) -> Result<u64> {
    as_owner(url, async |client, settings| {
        logins::forget_dropped(client, settings).await?;
        let schema = &settings.schema;
        let text = schema.fill(
            "DELETE FROM @schema@.logins WHERE login = (SELECT oid FROM pg_roles WHERE rolname = $1) \
             AND (org = $2 OR $2 IS NULL) RETURNING org",
        );
        let org = org.map(Part::as_str);
        let removed = client.query_typed(&text, &[(&login, T::NAME), (&org, T::TEXT)]).await?;
        let text = schema
            .fill("SELECT FROM @schema@.logins WHERE login = (SELECT oid FROM pg_roles WHERE rolname = $1) LIMIT 1");
        if client.query_typed(&text, &[(&login, T::NAME)]).await?.is_empty() {
            groups::leave(client, settings, login).await?;
        }
        logins::tell(client, settings, &removed).await?;
        Ok(removed.len() as u64)
    })
}

/// Who sees what, by login and org.
///
/// # Errors
/// Those of [`revoke`].
pub fn grants(url: &PostgresUrl) -> Result<Vec<StoreGrant>> {
    as_owner(url, async |client, settings| {
        let text = settings.schema.fill(
            "SELECT who.rolname::text, l.org, g.role FROM @schema@.logins AS l \
             JOIN pg_roles AS who ON who.oid = l.login LEFT JOIN LATERAL (\
                SELECT r.role FROM @schema@.roles AS r JOIN pg_roles AS of ON of.rolname = r.name \
                JOIN pg_auth_members AS m ON m.roleid = of.oid WHERE m.member = l.login GROUP BY r.role\
             ) AS g ON true ORDER BY who.rolname::text COLLATE \"C\", l.org, g.role",
        );
        let rows = client.query_typed(&text, &[]).await?;
        let corrupt = || Error::Corrupt { what: format!("the logins of {settings}") };
        Ok(rows.iter().map(|row| read(row).ok_or_else(corrupt)).collect::<Result<_>>()?)
    })
}

/// What an administrator runs where the owner of the tables may not make groups: it makes them, gives them their rights, and
/// lets the owner give them to logins. Changes nothing itself.
///
/// # Errors
/// Those of [`revoke`], and [`Error::Unsupported`] as in [`grant`].
pub fn roles_sql(url: &PostgresUrl, prefix: Option<&str>) -> Result<String> {
    as_owner(url, async |client, settings| {
        let groups = Groups::settled(client, settings, prefix).await?;
        let owner = owner(client, settings).await?;
        Ok(groups.sql(settings, &owner))
    })
}

/// Does something in a transaction that nobody else is in, as the owner of tables that are up to date.
fn as_owner<T>(url: &PostgresUrl, work: impl AsyncFn(&Client, &Settings) -> Result<T, Failure>) -> Result<T> {
    with_engine(url, |engine, settings| {
        // Who may not do this is told before anybody waits for anything.
        let may = engine.run(async |session: &Asking| owned(session.client(), settings).await);
        may.map_err(|failure| failure.named(settings))?;
        let outcome = engine.run_within(PATIENCE, async |session: &Asking| {
            let client = session.client();
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            let outcome = alone(client, settings, &work).await;
            let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = client.batch_execute(end).await;
            // Where the connection is gone, so is the transaction.
            let outcome = outcome?;
            ended?;
            Ok(outcome)
        });
        outcome.map_err(|failure| failure.named(settings))
    })
}

async fn alone<R>(
    client: &Client,
    settings: &Settings,
    work: impl AsyncFn(&Client, &Settings) -> Result<R, Failure>,
) -> Result<R, Failure> {
    client.batch_execute(UNHURRIED).await?;
    client.batch_execute(&settings.schema.fill(ALONE)).await?;
    owned(client, settings).await?;
    work(client, settings).await
}

/// Refuses whoever is not the owner of the tables, and tables that are not up to date or have no roles.
async fn owned(client: &Client, settings: &Settings) -> Result<(), Failure> {
    if demand_current(settings, MIGRATIONS, &applied(client, settings).await?)? != Layout::Functions {
        let why = "this store was made where the server had no functions or no locks for it, and has no roles: it is its \
                   owner's alone; copy it to a PostgreSQL server that has both";
        return Err(Error::Unsupported(why.to_owned()).into());
    }
    let text = "SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class AS c \
                JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'secrets'";
    let rows = client.query_typed(text, &[(&settings.schema.as_str(), T::TEXT)]).await?;
    if rows.first().and_then(|row| row.try_get(0).ok()) != Some(true) {
        let owner = owner(client, settings).await?;
        return Err(denied(settings, &format!("has rights that its owner alone gives and shows; log in as {owner}")));
    }
    Ok(())
}

/// Whose the tables are.
async fn owner(client: &Client, settings: &Settings) -> Result<String, Failure> {
    let text = "SELECT pg_catalog.pg_get_userbyid(c.relowner)::text FROM pg_catalog.pg_class AS c \
                JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'secrets'";
    let rows = client.query_typed(text, &[(&settings.schema.as_str(), T::TEXT)]).await?;
    let owner = rows.first().and_then(|row| row.try_get(0).ok());
    Ok(owner.ok_or_else(|| Error::NoStore { store: settings.to_string() })?)
}

fn read(row: &Row) -> Option<StoreGrant> {
    let (login, org, role): (String, String, Option<String>) =
        (row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?);
    let role = role.map(|role| role.parse().ok()).map_or(Some(None), |role| role.map(Some))?;
    Some(StoreGrant { login, role, org: Part::parse(PartKind::Org, &org).ok()? })
}

fn denied(settings: &Settings, why: &str) -> Failure {
    Failure::Answer(Error::StoreDenied { store: settings.to_string(), why: why.to_owned() })
}

//! The groups on the server: what they are called, what they may do, and who is in them.

use std::fmt::Write as _;

use secretkit_core::Error;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type as T;

use super::{StoreRole, denied};
use crate::error::Failure;
use crate::schema::{literal, quoted};
use crate::settings::Settings;

/// The name of each role's group.
pub(super) struct Groups(Vec<(StoreRole, String)>);

impl Groups {
    /// As they were called before, or else by this prefix, or else by the schema.
    pub(super) async fn settled(client: &Client, settings: &Settings, prefix: Option<&str>) -> Result<Self, Failure> {
        let named = Self::named(prefix.unwrap_or(settings.schema.as_str()))?;
        let known = Self::known(client, settings).await?;
        if known.0.is_empty() {
            return Ok(named);
        }
        if prefix.is_some() && known.0 != named.0 {
            let names: Vec<_> = known.0.iter().map(|(_, name)| name.as_str()).collect();
            let words =
                format!("the groups of this store are called {} already; leave the prefix out", names.join(", "));
            return Err(Error::Unsupported(words).into());
        }
        Ok(known)
    }

    fn named(prefix: &str) -> Result<Self, Failure> {
        let names: Vec<_> = StoreRole::ALL.into_iter().map(|role| (role, format!("{prefix}_{role}"))).collect();
        let fits = |name: &str| name.len() <= 63 && !name.contains('\0') && !name.starts_with("pg_");
        if prefix.is_empty() || !names.iter().all(|(_, name)| fits(name)) {
            let words = "the name of a group has at most 63 bytes and does not begin with pg_; choose a prefix";
            return Err(Error::Unsupported(words.to_owned()).into());
        }
        Ok(Self(names))
    }

    /// As they were called before; none where there never were any.
    async fn known(client: &Client, settings: &Settings) -> Result<Self, Failure> {
        let text = settings.schema.fill("SELECT role, name::text FROM @schema@.roles");
        let rows = client.query_typed(&text, &[]).await?;
        let mut known = Vec::new();
        for role in StoreRole::ALL {
            let row = rows.iter().find(|row| row.try_get(0).is_ok_and(|name: &str| name == role.as_str()));
            known.extend(row.and_then(|row| row.try_get(1).ok()).map(|name: String| (role, name)));
        }
        Ok(Self(known))
    }

    fn name(&self, wanted: StoreRole) -> &str {
        self.0.iter().find(|(role, _)| *role == wanted).map_or("", |(_, name)| name)
    }

    /// Makes those that are not there, remembers what they are called, and sets their rights.
    pub(super) async fn make(&self, client: &Client, settings: &Settings) -> Result<(), Failure> {
        for (role, name) in &self.0 {
            if !is_there(client, name).await? {
                let made = client.batch_execute(&format!("CREATE ROLE {} NOLOGIN", quoted(name))).await;
                made.map_err(|error| {
                    refused(
                        error.into(),
                        settings,
                        "does not let its user make groups: that takes CREATEROLE. Or let an \
                        administrator run what `secretkit store roles` prints",
                    )
                })?;
            }
            let text = settings.schema.fill(REMEMBER);
            client.execute_typed(&text, &[(&role.as_str(), T::TEXT), (&name.as_str(), T::NAME)]).await?;
        }
        Ok(client.batch_execute(&self.rights(settings)).await?)
    }

    /// Takes the login into its role's group. False where it was there.
    pub(super) async fn join(
        &self,
        client: &Client,
        settings: &Settings,
        login: &str,
        role: StoreRole,
    ) -> Result<bool, Failure> {
        let group = self.name(role);
        if is_member(client, login, group).await? {
            return Ok(false);
        }
        let joined = client.batch_execute(&format!("GRANT {} TO {}", quoted(group), quoted(login))).await;
        joined.map_err(|error| {
            let why = format!(
                "does not let its user take logins into the group {group}: that takes CREATEROLE, or the ADMIN OPTION that \
                 `secretkit store roles` has an administrator give"
            );
            refused(error.into(), settings, &why)
        })?;
        Ok(true)
    }

    /// In which of the other roles' groups the login is.
    pub(super) async fn other(
        &self,
        client: &Client,
        login: &str,
        but: StoreRole,
    ) -> Result<Option<StoreRole>, Failure> {
        for (role, name) in self.0.iter().filter(|(role, _)| *role != but) {
            if is_member(client, login, name).await? {
                return Ok(Some(*role));
            }
        }
        Ok(None)
    }

    fn rights(&self, settings: &Settings) -> String {
        let mark = |(role, name): &(StoreRole, String)| (format!("@{role}@"), quoted(name));
        let marks: Vec<_> = self.0.iter().map(mark).collect();
        let marks: Vec<_> = marks.iter().map(|(mark, name)| (mark.as_str(), name.clone())).collect();
        settings.schema.fill_with(RIGHTS, &marks)
    }

    /// All of it, for somebody to read and run.
    pub(super) fn sql(&self, settings: &Settings, owner: &str) -> String {
        let mut text = "-- As an administrator. Groups belong to the server, not to one database.\n".to_owned();
        let names: Vec<_> = self.0.iter().map(|(_, name)| quoted(name)).collect();
        for name in &names {
            let _ = writeln!(text, "CREATE ROLE {name} NOLOGIN;");
        }
        let _ = writeln!(text, "-- So that the owner of the tables may take logins into them.");
        let _ = writeln!(text, "GRANT {} TO {} WITH ADMIN OPTION;\n", names.join(", "), quoted(owner));
        for (role, name) in &self.0 {
            let row = format!("VALUES ({}, {})", literal(role.as_str()), literal(name));
            let _ = writeln!(text, "{};", settings.schema.fill(REMEMBER).replace("VALUES ($1, $2)", &row));
        }
        let _ = writeln!(text, "\n{}", self.rights(settings));
        let _ = write!(
            text,
            "{}",
            settings.schema.fill(
                "-- For each login: secretkit store grant, or\n\
                 -- INSERT INTO @schema@.logins (login, org) VALUES ('\"LOGIN\"', 'ORG');\n"
            )
        );
        let _ = writeln!(text, "-- GRANT {} TO \"LOGIN\";", names.join(" or "));
        text
    }
}

/// Sets the rights of the groups anew, if there are any: the tables are others now.
pub(crate) async fn renew(client: &Client, settings: &Settings) -> Result<(), Failure> {
    let text = "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                WHERE n.nspname = $1 AND c.relname = 'roles'";
    if client.query_typed(text, &[(&settings.schema.as_str(), T::TEXT)]).await?.is_empty() {
        return Ok(());
    }
    let known = Groups::known(client, settings).await?;
    for (_, name) in &known.0 {
        // Who removed one has made up their mind.
        if !is_there(client, name).await? {
            return Ok(());
        }
    }
    if known.0.len() == StoreRole::ALL.len() {
        client.batch_execute(&known.rights(settings)).await?;
    }
    Ok(())
}

/// Takes the login out of the groups that it is in.
pub(super) async fn leave(client: &Client, settings: &Settings, login: &str) -> Result<(), Failure> {
    for (_, name) in &Groups::known(client, settings).await?.0 {
        if is_member(client, login, name).await? {
            let left = client.batch_execute(&format!("REVOKE {} FROM {}", quoted(name), quoted(login))).await;
            left.map_err(|error| {
                let why = format!(
                    "does not let its user take logins out of the group {name}: that takes CREATEROLE, or \
                    its ADMIN OPTION"
                );
                refused(error.into(), settings, &why)
            })?;
        }
    }
    Ok(())
}

async fn is_there(client: &Client, name: &str) -> Result<bool, Failure> {
    Ok(!client.query_typed("SELECT FROM pg_roles WHERE rolname = $1", &[(&name, T::NAME)]).await?.is_empty())
}

async fn is_member(client: &Client, login: &str, group: &str) -> Result<bool, Failure> {
    let text = "SELECT FROM pg_auth_members AS m JOIN pg_roles AS of ON of.oid = m.roleid \
                JOIN pg_roles AS who ON who.oid = m.member WHERE who.rolname = $1 AND of.rolname = $2";
    Ok(!client.query_typed(text, &[(&login, T::NAME), (&group, T::NAME)]).await?.is_empty())
}

/// What is missing, where the server says that something is.
fn refused(failure: Failure, settings: &Settings, why: &str) -> Failure {
    match failure {
        Failure::Server(code) if code == SqlState::INSUFFICIENT_PRIVILEGE => denied(settings, why),
        other => other,
    }
}

const RIGHTS: &str = include_str!("../../roles/rights.sql");

const REMEMBER: &str =
    "INSERT INTO @schema@.roles (role, name) VALUES ($1, $2) ON CONFLICT (role) DO UPDATE SET name = excluded.name";

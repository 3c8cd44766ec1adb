//! Which logins can be restricted at all, and what is left of those that are gone.

use tokio_postgres::types::Type as T;
use tokio_postgres::{Client, Row};

use super::groups::Groups;
use super::{StoreRole, denied};
use crate::error::Failure;
use crate::settings::Settings;

/// Refuses a login that is not there, that the policies would not hold for, or that has another role.
pub(super) async fn judge(
    client: &Client,
    settings: &Settings,
    groups: &Groups,
    login: &str,
    role: StoreRole,
) -> Result<(), Failure> {
    // Whoever can become somebody else is as free as they are.
    let text = settings.schema.fill(
        "SELECT u.rolcanlogin, u.rolinherit, bool_or(r.rolsuper OR r.rolbypassrls), bool_or(r.oid = c.relowner), \
            bool_or(r.rolcreaterole), bool_or(u.rolreplication OR r.rolname IN \
                ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')), \
            bool_or(r.oid = n.nspowner OR has_schema_privilege(r.oid, n.oid, 'CREATE')), \
            bool_or(r.rolname = 'pg_write_all_data' OR EXISTS (\
                SELECT FROM pg_class AS t, aclexplode(t.relacl) AS a \
                WHERE t.relnamespace = n.oid AND a.grantee IN (r.oid, 0::oid) AND a.grantee <> t.relowner \
                    AND a.privilege_type <> 'SELECT' AND r.rolname NOT IN (SELECT name FROM @schema@.roles))) \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, pg_roles AS u \
            JOIN pg_roles AS r ON pg_has_role(u.oid, r.oid, 'MEMBER') \
         WHERE u.rolname = $1 AND n.nspname = @name@ AND c.relname = 'secrets' GROUP BY u.rolcanlogin, u.rolinherit",
    );
    let rows = client.query_typed(&text, &[(&login, T::NAME)]).await?;
    let is = |column| rows.first().and_then(|row| row.try_get(column).ok()).unwrap_or(false);
    let why = if rows.is_empty() {
        format!("has no login {login}; an administrator makes one with CREATE ROLE … LOGIN PASSWORD …")
    } else if !is(0) {
        format!("cannot tell who stands behind {login}, as whom nobody logs in; name the logins themselves")
    } else if is(2) {
        format!("does not restrict {login}, who is or can become a superuser, or has BYPASSRLS; use another login")
    } else if is(3) {
        format!("does not restrict {login}, who owns the tables or can become who does; use another login")
    } else if is(4) {
        format!("does not restrict {login}, who has CREATEROLE and can become another; use another login")
    } else if is(5) {
        format!("does not restrict {login}, who can read the server's files or its log; use another login")
    } else if is(6) {
        // The functions of a store look into its schema, and would find theirs, whoever runs them.
        format!(
            "does not restrict {login}, who may create in the schema of the tables, and so put something of theirs where \
             others would run it; REVOKE CREATE ON SCHEMA … FROM PUBLIC, and from {login}, or use another login"
        )
    } else if is(7) {
        format!(
            "does not restrict {login}, who may write to the tables whatever its role is, by pg_write_all_data or rights of \
             its own or of a group; REVOKE those, or use another login"
        )
    } else if !is(1) {
        format!("would give {login} nothing, who has NOINHERIT; ALTER ROLE … INHERIT changes that")
    } else if let Some(other) = groups.other(client, login, role).await? {
        format!("knows {login} as {other}, and one login has one role; revoke that, or use another login")
    } else {
        return Ok(());
    };
    Err(denied(settings, &why))
}

/// Removes what logins that were dropped since could see: nobody has it any more.
pub(super) async fn forget_dropped(client: &Client, settings: &Settings) -> Result<(), Failure> {
    let text = settings.schema.fill("DELETE FROM @schema@.logins WHERE login NOT IN (SELECT oid FROM pg_roles)");
    client.execute_typed(&text, &[]).await?;
    Ok(())
}

/// Tells those who keep answers of these orgs that who may have them has changed. Whoever fills the queue of notifications
/// does not stop it by that: then all who listen are about to find out that nothing is told any more.
pub(super) async fn tell(client: &Client, settings: &Settings, orgs: &[Row]) -> Result<(), Failure> {
    let text = settings
        .schema
        .fill("SELECT @schema@.tell('keyring', $1, NULL, NULL, NULL) WHERE pg_notification_queue_usage() < 0.9");
    for row in orgs {
        let org: &str = row.try_get(0)?;
        client.query_typed(&text, &[(&org, T::TEXT)]).await?;
    }
    Ok(())
}

//! Fresh databases.

use std::path::PathBuf;

use crate::address::Address;
use crate::{random, sql};

/// A fresh, empty database and its owner, who is no superuser. Dropped with this.
#[derive(Debug)]
pub struct Database {
    psql: PathBuf,
    /// How we make and drop databases.
    administrator: Address,
    /// How the superuser comes here as any client does.
    superuser: Address,
    owner: Address,
    name: String,
}

impl Database {
    pub(crate) fn new(psql: PathBuf, administrator: Address, superuser: Address, place: &str) -> Self {
        let name = format!("test_{}", &random()[..16]);
        let superuser = superuser.database(&name);
        let owner = superuser.clone().user(&name).password(&random());
        let made = Self { psql, administrator, superuser, owner, name };
        made.create_role(&made.owner);
        let name = &made.name;
        sql::run(
            &made.psql,
            &made.administrator,
            &format!("CREATE DATABASE {name} OWNER {name} TEMPLATE template0 {place};"),
        );
        made
    }

    fn create_role(&self, role: &Address) {
        let (name, password) = (role.user_name(), role.password_text());
        let statement = format!("CREATE ROLE {name} LOGIN PASSWORD '{password}';");
        sql::run(&self.psql, &self.administrator, &statement);
    }

    /// Its owner's URL, with TLS and the server's authority.
    #[must_use]
    pub fn url(&self) -> String {
        self.owner.to_string()
    }

    /// Its owner's address, to make other URLs from.
    #[must_use]
    pub fn address(&self) -> Address {
        self.owner.clone()
    }

    /// The superuser's address here.
    #[must_use]
    pub fn superuser(&self) -> Address {
        self.superuser.clone()
    }

    /// A new role that may log in here and do nothing else.
    #[must_use]
    pub fn role(&self) -> Address {
        let role = self.owner.clone().user(&format!("{}_{}", self.name, &random()[..8])).password(&random());
        self.create_role(&role);
        role
    }

    /// Its name, which is its owner's too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL here as the superuser, and returns the rows, one a line, with `|` between columns.
    ///
    /// # Panics
    ///
    /// If a statement fails.
    pub fn sql(&self, statements: &str) -> String {
        sql::run(&self.psql, &self.administrator.clone().database(&self.name), statements)
    }

    /// Runs SQL as somebody else, by libpq.
    ///
    /// # Errors
    ///
    /// What the client said, if it cannot connect or a statement fails.
    pub fn sql_as(&self, address: &Address, statements: &str) -> Result<String, String> {
        sql::attempt(&self.psql, address, statements)
    }

    /// Another of PostgreSQL's programs, `pg_dump` for one, from where `psql` is.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.psql.with_file_name(name)
    }

    /// Breaks every connection to this database.
    pub fn terminate_backends(&self) {
        self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid();",
        );
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = &self.name;
        // A server that is stopped, paused or gone takes its databases with it.
        // And a standby that is away is not waited for.
        let drop = format!("SET synchronous_commit = local;\nDROP DATABASE {name} WITH (FORCE);");
        let _ = sql::attempt(&self.psql, &self.administrator, &drop);
        // The owner last: what it has made and given goes before.
        let roles = format!(
            "SET synchronous_commit = local;\n\
             SELECT format('DROP ROLE %I;', rolname) FROM pg_roles WHERE rolname LIKE '{name}%' \
             ORDER BY rolname DESC \\gexec\n"
        );
        let _ = sql::attempt(&self.psql, &self.administrator, &roles);
    }
}

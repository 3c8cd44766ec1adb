//! `secretkit store grant`, `revoke`, `grants` and `roles`.

use std::ffi::OsString;
use std::io::Write;

use secretkit::{Error, ErrorKind, Part, StoreGrant, StoreRole};
use serde::Serialize;

use crate::arguments::{Grant, Revoke, Roles};
use crate::commands::Session;
use crate::console;
use crate::failure::Stop;
use crate::global;
use crate::rows::{self, Column, Row};

pub(super) fn grant(session: &Session, arguments: &Grant) -> Result<(), Stop> {
    let (login, org) = (text(&arguments.login, "login")?, named(session)?);
    let role: StoreRole = text(&arguments.role, "role")?.parse()?;
    let new = session.settings.store_url()?.grant(login, role, &org, prefix(arguments.prefix.as_ref())?)?;
    session.console.notice(&match new {
        true => format!("{login} is a {role} in org {org}"),
        false => format!("nothing to do: {login} is a {role} in org {org}"),
    });
    Ok(())
}

pub(super) fn revoke(session: &Session, arguments: &Revoke) -> Result<(), Stop> {
    let login = text(&arguments.login, "login")?;
    let org = match (arguments.all, session.global.names_org()) {
        (true, true) => return Err(Stop::usage("--all is every org; leave out --org", None)),
        (true, false) => None,
        (false, _) => Some(named(session)?),
    };
    match session.settings.store_url()?.revoke(login, org.as_ref())? {
        0 => {
            let seen = org.map_or_else(|| "no org".to_owned(), |org| format!("nothing of org {org}"));
            let hint = "`secretkit store grants` lists who sees what".to_owned();
            Err(Stop::failed(ErrorKind::NotFound, format!("not found: {login} sees {seen} as it is"), hint))
        }
        orgs => {
            let seen = match (org, orgs) {
                (Some(org), _) => format!("anything of org {org}"),
                (None, 1) => "its one org".to_owned(),
                (None, several) => format!("any of its {several} orgs"),
            };
            session.console.notice(&format!("{login} does not see {seen} any more"));
            Ok(())
        }
    }
}

pub(super) fn list(session: &Session) -> Result<(), Stop> {
    let org = session.org()?;
    let mut grants = session.settings.store_url()?.grants()?;
    grants.retain(|grant| org.as_ref().is_none_or(|org| grant.org == *org));
    if grants.is_empty() {
        session.console.notice("no login was granted anything; the owner of the tables sees everything");
    }
    let grants: Vec<_> = grants.into_iter().map(Granted::from).collect();
    rows::print(&session.console, &grants)
}

pub(super) fn print(session: &Session, arguments: &Roles) -> Result<(), Stop> {
    let sql = session.settings.store_url()?.roles_sql(prefix(arguments.prefix.as_ref())?)?;
    console::standard_output()?.write_all(sql.as_bytes()).map_err(Stop::output)
}

/// The org that is named: what nobody meant is given to nobody.
fn named(session: &Session) -> Result<Part, Stop> {
    session.org()?.ok_or_else(|| Stop::usage("no org is named", "name it with --org".to_owned()))
}

fn prefix(argument: Option<&OsString>) -> Result<Option<&str>, Stop> {
    argument.map(|prefix| text(prefix, "prefix")).transpose()
}

fn text<'a>(argument: &'a OsString, field: &'static str) -> Result<&'a str, Stop> {
    Ok(global::text(argument).map_err(|fault| Error::InvalidMetadata { field, fault })?)
}

/// What a login sees, as JSON.
#[derive(Serialize)]
struct Granted {
    login: String,
    role: Option<&'static str>,
    org: Part,
}

impl From<StoreGrant> for Granted {
    fn from(StoreGrant { login, role, org, .. }: StoreGrant) -> Self {
        Self { login, role: role.map(StoreRole::as_str), org }
    }
}

impl Row<3> for Granted {
    const COLUMNS: [Column; 3] = [Column::Text("LOGIN"), Column::Text("ROLE"), Column::Text("ORG")];

    fn cells(&self) -> [String; 3] {
        [self.login.clone(), self.role.unwrap_or("none").to_owned(), self.org.to_string()]
    }
}

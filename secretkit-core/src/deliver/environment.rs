//! Environment variables, planned before any is set.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::id::SecretId;
use crate::record::Revision;
use crate::request::VariableName;
use crate::secrets::Resolved;
use crate::value::SecretValue;

/// Which variables to set to what. Nothing is set until a host does it: a library must not change the environment of
/// the process it is in.
#[derive(Debug, Default)]
pub struct EnvironmentPlan(Vec<EnvironmentVariable>);

/// One variable of a plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: VariableName,
    /// What to set it to: the value itself, or the path of the file that holds it.
    pub value: SecretValue,
    /// The secret it comes from.
    pub source: SecretId,
    /// Which of the secret's values.
    pub revision: Revision,
}

impl EnvironmentPlan {
    /// Plans a variable for a value, or for the path of the file that holds it.
    ///
    /// # Errors
    /// [`Error::VariableClaimedTwice`]; [`Error::Undeliverable`] for a value with a NUL byte, which no variable holds.
    pub(super) fn claim(&mut self, name: VariableName, resolved: &Resolved, path: Option<&Path>) -> Result<()> {
        let source = resolved.info.address.clone();
        if let Some(first) = self.0.iter().find(|claimed| claimed.name == name) {
            let again = first.source == source;
            return Err(Error::VariableClaimedTwice {
                variable: name.to_string(),
                first: first.source.to_string(),
                second: if again { "another request for it".to_owned() } else { source.to_string() },
            });
        }
        let value = match path {
            Some(path) => SecretValue::copied_from(path.as_os_str().as_bytes()),
            None => resolved.value.clone(),
        };
        if value.expose_secret().contains(&0) {
            let why = "the value holds a NUL byte, which an environment variable cannot; ask for a file instead";
            return Err(Error::Undeliverable { what: format!("{source} in variable {name}"), why });
        }
        self.0.push(EnvironmentVariable { name, value, source, revision: resolved.revision });
        Ok(())
    }

    /// The variables, in the order of their requests.
    pub fn iter(&self) -> impl Iterator<Item = &EnvironmentVariable> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts them into the environment of a child process, which alone gets them. The copies that `Command` makes are
    /// not wiped; drop it soon.
    pub fn apply_to(&self, command: &mut Command) {
        for EnvironmentVariable { name, value, .. } in &self.0 {
            let value: OsString = OsStr::from_bytes(value.expose_secret()).to_owned();
            command.env(name.as_str(), value);
        }
    }
}

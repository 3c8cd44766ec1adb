//! The orgs that a command is about which looks after keys and stores, and not after one secret.

use secretkit::seal::{KekId, KeyState};
use secretkit::{ErrorKind, KeyStatus, Part, Secrets};

use super::Session;
use crate::failure::Stop;

impl Session {
    /// The org that is named by an option or the variable. Such a command knows no project and no domain.
    ///
    /// # Errors
    /// `usage` where a project or domain is named by an option.
    pub(super) fn org(&self) -> Result<Option<Part>, Stop> {
        let global = &self.global;
        let within_scope = global.scope.is_some() && (self.scope.project().is_some() || self.scope.domain().is_some());
        if within_scope || global.project.is_some() || global.domain.is_some() || global.workspace.is_some() {
            let hint = "name an org with --org, or none for all of them".to_owned();
            return Err(Stop::usage("this is about a whole org and takes no project or domain", hint));
        }
        Ok(self.settings.org.clone())
    }

    /// The org that is named, or all that have keys, with the root key that each is wrapped with.
    ///
    /// # Errors
    /// `not_found` where the one that is named has none, and what the store says.
    pub(super) fn orgs(&self, secrets: &Secrets) -> Result<Vec<(Part, KekId)>, Stop> {
        let named = self.org()?;
        self.orgs_of(secrets, named.as_ref())
    }

    pub(super) fn orgs_of(&self, secrets: &Secrets, named: Option<&Part>) -> Result<Vec<(Part, KekId)>, Stop> {
        let mut orgs = secrets.keys().orgs()?;
        if let Some(named) = named {
            orgs.retain(|(org, _)| org == named);
            if orgs.is_empty() {
                return Err(without_keys(named));
            }
        }
        if orgs.is_empty() {
            self.console.notice("nothing was ever stored here");
        }
        Ok(orgs)
    }

    /// The one org whose keys are to be changed, with its keys.
    ///
    /// # Errors
    /// `not_found` where it has none, and what the store and the root key say.
    pub(super) fn keys_of_org(&self, secrets: &Secrets) -> Result<KeyStatus, Stop> {
        self.org()?;
        let org = self.scope.org();
        self.orgs_of(secrets, Some(org))?;
        Ok(secrets.keys().status(org)?)
    }
}

fn without_keys(org: &Part) -> Stop {
    let hint = "`secretkit key status` shows the orgs that have".to_owned();
    Stop::failed(ErrorKind::NotFound, format!("not found: org {org} has no keys, nothing was ever stored in it"), hint)
}

/// Whether all of an org's keys are destroyed: nothing of it can be opened, and nothing is wrong with that.
pub(super) fn is_erased(status: &KeyStatus) -> bool {
    status.keys.iter().all(|(info, _)| info.state == KeyState::Destroyed)
}

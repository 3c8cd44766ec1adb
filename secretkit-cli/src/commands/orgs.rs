//! The orgs that a command is about which looks after keys and stores, and not after one secret.

use secretkit::seal::{KekId, KeyState};
use secretkit::{ErrorKind, KeyStatus, Part, Secrets};

use super::Session;
use crate::failure::{Failure, Stop};

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

    /// The org that is named, or all that have keys, with the root key that each is wrapped with. Where those are not all
    /// of the store, that is said.
    ///
    /// # Errors
    /// `not_found` where the one that is named has none, and what the store says.
    pub(super) fn orgs(&self, secrets: &Secrets) -> Result<Vec<(Part, KekId)>, Stop> {
        let named = self.org()?;
        let orgs = self.orgs_of(secrets, named.as_ref())?;
        if named.is_none() {
            self.warn_of_others(secrets)?;
        }
        Ok(orgs)
    }

    pub(super) fn orgs_of(&self, secrets: &Secrets, named: Option<&Part>) -> Result<Vec<(Part, KekId)>, Stop> {
        if let Some(named) = named {
            // By itself: what is wrong with another org must not be in its way.
            let row = secrets.store().keyring(named)?;
            return match row {
                Some(row) => Ok(vec![(row.org, row.wrapped.kek)]),
                None => Err(without_keys(secrets, named)?),
            };
        }
        let orgs = secrets.keys().orgs()?;
        if orgs.is_empty() {
            self.tell_of_none(secrets)?;
        }
        Ok(orgs)
    }

    /// As [`orgs`](Self::orgs), for whoever is to find what is wrong: with each that cannot be named an error in its place, and
    /// with those whose keyring makes no sense.
    ///
    /// # Errors
    /// Those of [`orgs`](Self::orgs), but for such rows.
    pub(super) fn orgs_to_verify(&self, secrets: &Secrets) -> Result<Vec<secretkit::Result<Part>>, Stop> {
        if self.org()?.is_some() {
            return Ok(self.orgs(secrets)?.into_iter().map(|(org, _)| Ok(org)).collect());
        }
        let orgs = self.settings.store_url()?.orgs()?;
        if orgs.is_empty() {
            self.tell_of_none(secrets)?;
        }
        self.warn_of_others(secrets)?;
        Ok(orgs)
    }

    fn tell_of_none(&self, secrets: &Secrets) -> Result<(), Stop> {
        if secrets.store().sees_all_orgs()? {
            self.console.notice("nothing was ever stored here");
        }
        Ok(())
    }

    fn warn_of_others(&self, secrets: &Secrets) -> Result<(), Stop> {
        if !secrets.store().sees_all_orgs()? {
            self.console.warning(&format!("{}; nothing is said of others", seen_in_part(secrets)));
        }
        Ok(())
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

/// What keeps a command from one org, such as a root key that is gone, need not keep it from the others. The last line and
/// the exit code tell of the first that failed.
#[derive(Default)]
pub(super) struct Failures(Option<Failure>);

impl Failures {
    /// What came `of` one org or another part, where anything did; another that failed is told at once.
    ///
    /// # Errors
    /// What each of the others would meet, and a signal.
    pub(super) fn pass<T>(
        &mut self,
        session: &Session,
        of: &dyn std::fmt::Display,
        outcome: Result<T, Stop>,
    ) -> Result<Option<T>, Stop> {
        match outcome {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Stop::Failed(failure)) if !is_of_store(failure.kind) => {
                let Failure { kind, message, hint } = failure;
                let message = format!("{of}: {message}");
                match &self.0 {
                    None => self.0 = Some(Failure { kind, message, hint }),
                    Some(_) => session.console.warning(&format!("{message}; the others are not held up by it")),
                }
                Ok(None)
            }
            Err(stop) => Err(stop),
        }
    }

    /// The end of the command.
    ///
    /// # Errors
    /// That of the first org that failed.
    pub(super) fn end(self) -> Result<(), Stop> {
        self.0.map_or(Ok(()), |first| Err(Stop::Failed(first)))
    }

    /// The same where something else decides how the command ends.
    pub(super) fn warn(self, session: &Session) {
        self.0.iter().for_each(|first| session.console.warning(&first.message));
    }
}

/// What every org of the store would meet.
const fn is_of_store(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::ReadOnly | ErrorKind::Full)
}

/// Of a store whose login sees some of its orgs only.
pub(super) fn seen_in_part(secrets: &Secrets) -> String {
    format!("the login of {} sees only the orgs that it was granted", secrets.store())
}

fn without_keys(secrets: &Secrets, named: &Part) -> Result<Stop, Stop> {
    let hint = "`secretkit key status` shows the orgs that have".to_owned();
    let what = match secrets.store().sees_all_orgs()? {
        true => format!("org {named} has no keys, nothing was ever stored in it"),
        false => format!("no keys of org {named}; {}", seen_in_part(secrets)),
    };
    Ok(Stop::failed(ErrorKind::NotFound, format!("not found: {what}"), hint))
}

/// Whether all of an org's keys are destroyed: nothing of it can be opened, and nothing is wrong with that.
pub(super) fn is_erased(status: &KeyStatus) -> bool {
    status.keys.iter().all(|(info, _)| info.state == KeyState::Destroyed)
}

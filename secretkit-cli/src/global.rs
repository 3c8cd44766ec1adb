//! What the global options say, together with the variables.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use secretkit::{Actor, Caching, Error, Fault, KeyUrl, Part, PartKind, Scope, Settings, StoreUrl};

use crate::arguments::Global;
use crate::console::{Console, Format, Quiet};
use crate::failure::Stop;
use crate::passphrase::AtTerminal;

impl Global {
    /// How to print.
    ///
    /// # Errors
    /// `usage` for a form that there is not.
    pub(crate) fn console(&self) -> Result<Console, Stop> {
        let format = self.output.clone().or_else(|| variable("SECRETKIT_OUTPUT"));
        let format = match format.as_deref().map(OsStr::as_bytes) {
            None | Some(b"table") => Format::Table,
            Some(b"json") => Format::Json,
            Some(_) => return Err(Stop::usage("there is no such form of output; it is table or json", None)),
        };
        let quiet = if switched(self.quiet, "SECRETKIT_QUIET")? { Quiet::Yes } else { Quiet::No };
        Ok(Console { format, quiet })
    }

    /// Whether to go on without asking.
    ///
    /// # Errors
    /// `usage` where the variable says neither yes nor no.
    pub(crate) fn agreed(&self) -> Result<bool, Stop> {
        switched(self.yes, "SECRETKIT_YES")
    }

    /// Which store, key, scope and actor.
    ///
    /// # Errors
    /// Where two options contradict each other, `unsupported` for a store in memory, and those of [`Settings::or_environment`].
    pub(crate) fn settings(&self) -> Result<Settings, Stop> {
        let mut settings = Settings::default();
        settings.store = option(self.store.as_ref(), "store")?.map(str::parse).transpose()?;
        settings.key = match (option(self.key.as_ref(), "root key")?, &self.key_file) {
            (Some(_), Some(_)) => return Err(Stop::usage("--key and --key-file are both given; give one", None)),
            (Some(url), None) => Some(url.parse()?),
            (None, Some(path)) => Some(KeyUrl::file(path)?),
            (None, None) => None,
        };
        for url in &self.previous_key {
            settings.previous_keys.extend(option(Some(url), "previous root key")?.map(str::parse).transpose()?);
        }
        for key in &self.org_key {
            settings.org_keys.extend(option(Some(key), "root key of an org")?.map(KeyUrl::of_org).transpose()?);
        }
        settings.anchor = match &self.anchor {
            Some(path) if path.is_empty() => return Err(Stop::usage("the anchor has no path", None)),
            path => path.as_ref().map(PathBuf::from),
        };
        settings.ask = Some(Arc::new(AtTerminal));
        // One command asks once: it would keep what nobody asks for again.
        settings.cache = Some(Caching::off());
        settings.actor = option(self.actor.as_ref(), "actor")?.map(Actor::parse).transpose()?;
        self.set_scope(&mut settings)?;
        let settings = settings.or_environment()?;
        if settings.store == Some(StoreUrl::Memory) {
            let why = "memory: lives only inside one process and would be gone with this command; use sqlite:PATH";
            return Err(Error::Unsupported(why.to_owned()).into());
        }
        Ok(settings)
    }

    /// Whether the scope was named as a whole, and so exactly it is meant.
    pub(crate) const fn names_whole_scope(&self) -> bool {
        self.scope.is_some()
    }

    /// Whether a project or domain was named by an option.
    pub(crate) const fn names_project_or_domain(&self) -> bool {
        self.scope.is_some() || self.project.is_some() || self.domain.is_some() || self.workspace.is_some()
    }

    /// Whether an org was named by an option.
    pub(crate) const fn names_org(&self) -> bool {
        self.scope.is_some() || self.org.is_some() || self.workspace.is_some()
    }

    fn set_scope(&self, settings: &mut Settings) -> Result<(), Stop> {
        let in_parts = self.org.is_some() || self.project.is_some() || self.domain.is_some();
        match (&self.scope, &self.workspace) {
            (Some(_), Some(_)) => return Err(contradiction()),
            (Some(_), None) | (None, Some(_)) if in_parts => return Err(contradiction()),
            (Some(scope), None) => {
                let text = text(scope).map_err(|fault| Error::InvalidScope { fault })?;
                let scope: Scope = text.parse()?;
                settings.org = Some(scope.org().clone());
                settings.project = scope.project().cloned();
                settings.domain = scope.domain().cloned();
            }
            (None, Some(workspace)) => {
                let (org, project) = workspace_parts(workspace)?;
                settings.org = Some(org);
                settings.project = Some(project);
            }
            (None, None) => {
                settings.org = part(self.org.as_ref(), PartKind::Org)?;
                settings.project = part(self.project.as_ref(), PartKind::Project)?;
                settings.domain = part(self.domain.as_ref(), PartKind::Domain)?;
            }
        }
        Ok(())
    }
}

fn contradiction() -> Stop {
    let hint = "give one of: --scope; --workspace; or any of --org, --project and --domain".to_owned();
    Stop::usage("the scope is given in more than one way", hint)
}

/// A workspace of `tw` in the only form that has a meaning here.
fn workspace_parts(workspace: &OsString) -> Result<(Part, Part), Stop> {
    let bytes = workspace.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) {
        let hint = "give --workspace ORG/WORKSPACE, which is the same as --org ORG --project WORKSPACE".to_owned();
        let message = "numeric workspace ids exist only in Seqera Platform, which gives them out";
        return Err(Stop::usage(message, hint));
    }
    match option(Some(workspace), "workspace")?.and_then(|text| text.split_once('/')) {
        Some((org, project)) => Ok((Part::parse(PartKind::Org, org)?, Part::parse(PartKind::Project, project)?)),
        None => Err(Stop::usage("a workspace is written ORG/WORKSPACE", None)),
    }
}

/// This part of a scope or name, from an argument that may hold anything.
///
/// # Errors
/// `invalid_name`.
pub(crate) fn part(argument: Option<&OsString>, part: PartKind) -> Result<Option<Part>, Error> {
    let Some(argument) = argument else { return Ok(None) };
    let text = text(argument).map_err(|fault| Error::InvalidName { part, fault })?;
    Part::parse(part, text).map(Some)
}

/// An argument that names something, as text.
///
/// # Errors
/// Where it stops being text.
pub(crate) fn text(argument: &OsStr) -> Result<&str, Fault> {
    std::str::from_utf8(argument.as_bytes()).map_err(|fault| Fault::Character { at: fault.valid_up_to() })
}

fn option<'a>(argument: Option<&'a OsString>, field: &'static str) -> Result<Option<&'a str>, Error> {
    argument.map(|argument| text(argument).map_err(|fault| Error::InvalidMetadata { field, fault })).transpose()
}

fn switched(option: bool, name: &'static str) -> Result<bool, Stop> {
    if option { Ok(true) } else { says_yes(name) }
}

/// Whether this variable says yes.
///
/// # Errors
/// `usage` where it says neither yes nor no.
pub(crate) fn says_yes(name: &'static str) -> Result<bool, Stop> {
    match variable(name).as_deref().map(OsStr::as_bytes) {
        None | Some(b"0" | b"no" | b"false") => Ok(false),
        Some(b"1" | b"yes" | b"true") => Ok(true),
        Some(_) => Err(Stop::usage(format!("{name} says neither yes nor no; set it to 1 or 0"), None)),
    }
}

/// Empty counts as not set, as in [`Settings`].
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

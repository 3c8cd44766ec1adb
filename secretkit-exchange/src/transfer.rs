//! Between a file and a scope: what the command and the Python package have in common.

use std::collections::HashSet;
use std::path::Path;

use secretkit_core::store::Within;
use secretkit_core::{
    Error, PutItem, PutMode, Result, Revision, Scope, SecretId, SecretInfo, SecretName, SecretRequest, Secrets,
};
use secretkit_files::Existing;

use crate::directory::{read_directory, write_directory};
use crate::file::{read_file, write_file};
use crate::format::{Entry, Format};

/// How many secrets are read at a time.
const PAGE: usize = 256;

impl Format {
    /// The secrets in this file, or in this directory where that is the format.
    ///
    /// # Errors
    /// Those of [`read_file`] and [`Format::read`], or of [`read_directory`].
    pub fn read_path(self, path: &Path) -> Result<Vec<Entry>> {
        match self {
            Self::Directory => read_directory(path),
            Self::Dotenv | Self::Json | Self::Nextflow => self.read(read_file(path)?.expose_secret()),
        }
    }

    /// Makes a file of these secrets, or a directory where that is the format.
    ///
    /// # Errors
    /// Those of [`Format::write`] and [`write_file`], or of [`write_directory`].
    pub fn write_path(self, path: &Path, entries: &[Entry], existing: Existing) -> Result<()> {
        match self {
            Self::Directory => write_directory(path, entries, existing),
            Self::Dotenv | Self::Json | Self::Nextflow => write_file(path, &self.write(entries)?, existing),
        }
    }
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// The secrets that are new.
    pub created: Vec<SecretId>,
    /// The secrets that were there, and have a new value.
    pub updated: Vec<SecretId>,
}

impl Imported {
    /// What an import into a store that holds nothing would do.
    #[must_use]
    pub fn all_new(scope: &Scope, entries: &[Entry]) -> Self {
        Self { created: entries.iter().map(|entry| address(scope, entry)).collect(), updated: Vec::new() }
    }
}

/// Refuses values that no write would take, before anything is opened or made for them.
///
/// # Errors
/// [`Error::ValueTooLarge`] with the name of the first.
pub fn check_lengths(entries: &[Entry], limit: usize) -> Result<()> {
    match entries.iter().find(|entry| entry.value.len() > limit) {
        None => Ok(()),
        Some(Entry { name, value }) => Err(Error::ValueTooLarge { name: name.clone(), length: value.len(), limit }),
    }
}

/// Puts all of them into exactly this scope in one commit, or none.
///
/// A secret that is there keeps its id and whatever else is kept about it, its being switched off among that.
///
/// # Errors
/// Those of [`plan`] and of [`Secrets::put_all`].
pub fn import(secrets: &Secrets, scope: &Scope, entries: &[Entry], existing: Existing) -> Result<Imported> {
    check_lengths(entries, secrets.value_limit())?;
    let items: Vec<_> =
        entries.iter().map(|entry| PutItem { id: address(scope, entry), value: &entry.value }).collect();
    let mode = match existing {
        Existing::Refuse => PutMode::Create,
        Existing::Replace => PutMode::Overwrite,
    };
    let infos = match secrets.put_all(&items, mode) {
        // One was in the way; a person wants to know all of them. Whoever was and is gone again stays named.
        Err(error @ Error::AlreadyExists { .. }) => {
            return Err(plan(secrets, scope, entries, existing, |_| {}).err().unwrap_or(error));
        }
        infos => infos?,
    };
    let (created, updated): (Vec<_>, Vec<_>) = infos.into_iter().partition(|info| info.revision == Revision::FIRST);
    let addresses = |infos: Vec<SecretInfo>| infos.into_iter().map(|info| info.address.clone()).collect();
    Ok(Imported { created: addresses(created), updated: addresses(updated) })
}

/// What [`import`] would do now. Writes nothing; `done` hears how many were looked for.
///
/// # Errors
/// [`Error::ValueTooLarge`]; [`Error::Several`] with an [`Error::AlreadyExists`] for each that is there, where that is
/// refused; and those of [`Secrets::infos`].
pub fn plan(
    secrets: &Secrets,
    scope: &Scope,
    entries: &[Entry],
    existing: Existing,
    mut done: impl FnMut(usize),
) -> Result<Imported> {
    check_lengths(entries, secrets.value_limit())?;
    let mut planned = Imported::default();
    for entries in entries.chunks(PAGE) {
        let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        for (info, name) in secrets.infos(scope, &names)?.into_iter().zip(names) {
            let group = if info.is_some() { &mut planned.updated } else { &mut planned.created };
            group.push(SecretId::new(scope.clone(), name));
        }
        done(entries.len());
    }
    if existing == Existing::Refuse && !planned.updated.is_empty() {
        return Err(Error::Several(planned.updated.into_iter().map(|id| Error::AlreadyExists { id }).collect()));
    }
    Ok(planned)
}

/// Where an export finds its secrets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "at a scope, or as seen from there")]
pub enum Reach {
    /// At exactly the scope.
    Exactly,
    /// As a task at the scope would get them.
    Effective,
}

/// What an export would hold.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Selected {
    /// The secrets that are given out.
    pub available: Vec<SecretInfo>,
    /// Why the others are not: an [`Error::Inactive`] or [`Error::Expired`] for each.
    pub refused: Vec<Error>,
}

/// Finds the secrets to export, all of them or those of these names. Reads no value.
///
/// # Errors
/// [`Error::Several`] with an [`Error::NotFound`] for each name that is missing, and what a listing may fail with.
pub fn select(secrets: &Secrets, scope: &Scope, names: &[SecretName], reach: Reach) -> Result<Selected> {
    let mut missing: HashSet<&SecretName> = names.iter().collect();
    let mut selected = Selected::default();
    let mut take = |info: SecretInfo| {
        if !names.is_empty() && !missing.remove(info.address.name()) {
            return;
        }
        match secrets.judge(&info) {
            Ok(()) => selected.available.push(info),
            Err(error) => selected.refused.push(error),
        }
    };
    match reach {
        Reach::Exactly => {
            for page in secrets.list(Within::Exactly(scope.clone()), PAGE) {
                page?.into_iter().for_each(&mut take);
            }
        }
        Reach::Effective => {
            for page in secrets.effective(scope, PAGE) {
                page?.into_iter().for_each(|effective| take(effective.info));
            }
        }
    }
    let searched = || match reach {
        Reach::Exactly => vec![scope.clone()],
        Reach::Effective => scope.chain().collect(),
    };
    let absent: Vec<_> = names.iter().filter(|name| missing.remove(name)).collect();
    if absent.is_empty() {
        return Ok(selected);
    }
    let not_found = |name: &SecretName| Error::NotFound { name: name.clone(), searched: searched() };
    Err(Error::Several(absent.into_iter().map(not_found).collect()))
}

/// The values of these secrets, each of which counts as used. `done` hears how many were read.
///
/// # Errors
/// Those of [`Secrets::get`].
pub fn values(
    secrets: &Secrets,
    scope: &Scope,
    infos: &[SecretInfo],
    mut done: impl FnMut(usize),
) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(infos.len());
    for infos in infos.chunks(PAGE) {
        let pinned =
            |info: &SecretInfo| SecretRequest::new(info.address.name().clone()).pinned_to(info.address.scope().clone());
        let requests: Vec<_> = infos.iter().map(pinned).collect();
        for (resolved, request) in secrets.resolve_many(scope, &requests)?.into_iter().zip(requests) {
            entries.push(Entry { name: request.name, value: resolved?.value });
        }
        done(infos.len());
    }
    Ok(entries)
}

fn address(scope: &Scope, entry: &Entry) -> SecretId {
    SecretId::new(scope.clone(), entry.name.clone())
}

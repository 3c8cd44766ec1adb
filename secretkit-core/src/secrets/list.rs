//! Listing: pages of checked heads, by place and by what people keep about them.

use super::Secrets;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::id::{SecretId, SecretName};
use crate::part::Part;
use crate::record::SecretInfo;
use crate::scope::Scope;
use crate::store::{Query, Within};
use crate::time::Timestamp;

impl Secrets {
    /// The secrets in one place, ordered by name and then scope, `page` at a time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretValue, Secrets, store::Within};
    /// # let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
    /// secrets.put(&"acme:token".parse()?, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
    /// for page in secrets.list(Within::Exactly("acme".parse()?), 100) {
    ///     for info in page? {
    ///         println!("{} {}", info.address, info.digest);
    ///     }
    /// }
    /// # Ok::<(), secretkit_core::Error>(())
    /// ```
    ///
    /// Each page is a snapshot of its own: a secret that is there all the time appears exactly once.
    pub fn list(&self, within: Within, page: usize) -> Pages<'_> {
        Pages { secrets: self, unused_since: None, query: Some(Query::first(within, page.max(1))) }
    }

    /// What a task at `scope` would get: for each name the first secret that exists along the scope's chain, with
    /// those that it hides. Ordered by name, `page` names at a time.
    pub fn effective(&self, scope: &Scope, page: usize) -> EffectivePages<'_> {
        let page = page.max(1);
        let pages = self.list(Within::Along(scope.clone()), page);
        EffectivePages { pages, page, selection: Selection::default(), held: Vec::new() }
    }

    fn page(&self, query: &Query) -> Result<Vec<SecretInfo>> {
        self.authorize()?;
        self.reread(|_| self.page_of_now(query))
    }

    fn page_of_now(&self, query: &Query) -> Result<Vec<SecretInfo>> {
        let org = query.within.org();
        let listed = self.store.list(query)?;
        if listed.is_empty() {
            self.check_absence(org)?;
        }
        let infos: Vec<SecretInfo> = listed
            .into_iter()
            .map(|row| {
                let info = row.verify(|check| self.with_keys(org, check))?;
                let asked = query.within.contains(info.address.scope()) && query.filter.matches(&info);
                if asked { Ok(info) } else { Err(Error::corrupt(&info.address)) }
            })
            .collect::<Result<_>>()?;
        self.with_last_use(org, infos)
    }

    /// The same with what is recorded of their last uses.
    pub(super) fn with_last_use(&self, org: &Part, infos: Vec<SecretInfo>) -> Result<Vec<SecretInfo>> {
        if infos.is_empty() {
            return Ok(infos);
        }
        let uses = self.last_uses(org, &infos)?;
        Ok(infos.into_iter().zip(uses).map(|(info, used)| info.used(used)).collect())
    }
}

/// Which secrets a listing shows: those that meet every condition. The default shows all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "what a store looks for, and what it does not")]
pub struct Selection {
    /// Those that match.
    pub filter: Filter,
    /// Those of which no use since this time is recorded, and that are themselves older.
    pub unused_since: Option<Timestamp>,
}

impl From<Filter> for Selection {
    fn from(filter: Filter) -> Self {
        Self { filter, unused_since: None }
    }
}

/// The pages of a listing. None is empty, and only the last may be short of what was asked for, unless
/// [`unused_since`](Selection::unused_since) leaves some out. An error ends it.
#[derive(Debug)]
pub struct Pages<'a> {
    secrets: &'a Secrets,
    unused_since: Option<Timestamp>,
    query: Option<Query>,
}

impl Pages<'_> {
    /// Only these secrets.
    #[must_use]
    pub fn filtered(mut self, selection: impl Into<Selection>) -> Self {
        let Selection { filter, unused_since } = selection.into();
        if let Some(query) = &mut self.query {
            query.filter = filter;
        }
        self.unused_since = unused_since;
        self
    }

    /// Begins behind this address, for whoever shows one page at a time and keeps nothing in between but where the
    /// last one ended. It need not be there any more.
    #[must_use]
    pub fn after(mut self, address: SecretId) -> Self {
        if let Some(query) = &mut self.query {
            query.after = Some(address);
        }
        self
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<SecretInfo>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut query = self.query.take()?;
            let mut infos = match self.secrets.page(&query) {
                Ok(infos) => infos,
                Err(error) => return Some(Err(error)),
            };
            if infos.len() == query.limit {
                query.after = infos.last().map(|info| info.address.clone());
                self.query = Some(query);
            }
            if let Some(time) = self.unused_since {
                infos.retain(|info| is_unused_since(info, time));
            }
            if !infos.is_empty() {
                return Some(Ok(infos));
            }
        }
    }
}

/// What a task would get for one name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Effective {
    /// The secret that answers, also where it is inactive or expired: then the task gets an error.
    pub info: SecretInfo,
    /// The secrets of the same name that it hides, nearest first.
    pub hides: Vec<SecretInfo>,
}

/// The pages of [`Secrets::effective`]. No page is empty, and none splits a name.
#[derive(Debug)]
pub struct EffectivePages<'a> {
    pages: Pages<'a>,
    page: usize,
    selection: Selection,
    /// Read already, and not given out: at most one page and one name.
    held: Vec<SecretInfo>,
}

impl EffectivePages<'_> {
    /// Only the names of whose answer this is true. What it hides is shown all the same.
    #[must_use]
    pub fn filtered(mut self, selection: impl Into<Selection>) -> Self {
        self.selection = selection.into();
        self
    }

    /// Begins behind this name, see [`Pages::after`].
    #[must_use]
    pub fn after(mut self, name: SecretName) -> Self {
        if let Some(Query { within: Within::Along(scope), .. }) = &self.pages.query {
            // Of all secrets of one name, the nearest comes last.
            let last = SecretId::new(scope.clone(), name);
            self.pages = self.pages.after(last);
        }
        self
    }

    /// Takes the first name with all its secrets, which must have been read.
    fn take_name(&mut self) -> Option<Effective> {
        let name = self.held.first()?.address.name().clone();
        let end = self.held.iter().position(|info| *info.address.name() != name).unwrap_or(self.held.len());
        let mut infos: Vec<SecretInfo> = self.held.drain(..end).collect();
        // Nearest first: the project decides before the domain does.
        infos.sort_by_key(|info| {
            let scope = info.address.scope();
            (scope.project().is_none(), scope.domain().is_none())
        });
        let info = infos.remove(0);
        Some(Effective { info, hides: infos })
    }

    fn shows(&self, effective: &Effective) -> bool {
        let Selection { filter, unused_since } = &self.selection;
        filter.matches(&effective.info) && unused_since.is_none_or(|time| is_unused_since(&effective.info, time))
    }
}

impl Iterator for EffectivePages<'_> {
    type Item = Result<Vec<Effective>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut shown = Vec::new();
        while shown.len() < self.page {
            let whole = match (self.held.first(), self.held.last()) {
                (Some(first), Some(last)) => first.address.name() != last.address.name(),
                _ => false,
            };
            if !whole {
                // The secrets of one name stand side by side; they are all there once another name follows.
                match self.pages.next() {
                    Some(Ok(infos)) => {
                        self.held.extend(infos);
                        continue;
                    }
                    Some(Err(error)) => {
                        self.held.clear();
                        return Some(Err(error));
                    }
                    None if self.held.is_empty() => break,
                    None => {}
                }
            }
            shown.extend(self.take_name().filter(|effective| self.shows(effective)));
        }
        if shown.is_empty() { None } else { Some(Ok(shown)) }
    }
}

fn is_unused_since(info: &SecretInfo, time: Timestamp) -> bool {
    info.last_used().map_or(info.created.at, |used| used.at) < time
}

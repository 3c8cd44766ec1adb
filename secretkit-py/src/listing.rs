//! Listings that keep one page in memory, however long they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::store::Within;
use secretkit::{Filter, Pages, Scope, Search, SecretId, SecretName, Timestamp};

use crate::edit::{self, activity};
use crate::error::{Result, usage};
use crate::gate::detached;
use crate::info::{Effective, SecretInfo};
use crate::keywords::{self, Keywords};
use crate::moment::Moment;
use crate::text;

/// How many are read at once.
const PAGE: usize = 500;

/// Which secrets a listing shows. What is counted from now was counted when the call was made.
pub(crate) struct Selection(secretkit::Selection);

impl Selection {
    pub(crate) fn of(keywords: Keywords<'_>, now: Timestamp) -> Result<Self> {
        let mut filter = Filter::default();
        if let Some(text) = keywords.some("search")? {
            filter.search = Some(Search::parse(&keywords::string("search text", &text)?)?);
        }
        if let Some(tags) = keywords.some("tags")? {
            filter.tags = edit::tags("tags", &tags)?.iter().map(Box::from).collect();
        }
        if let Some(active) = keywords.some("active")? {
            filter.activity = Some(activity(keywords::boolean("active", &active)?));
        }
        let expired = keywords.some("expired")?.map_or(Ok(false), |value| keywords::boolean("expired", &value))?;
        let until = match keywords.some("expiring")? {
            Some(value) => Some(Moment::end("expiring", &value)?.at("expiring", now)?),
            None => expired.then_some(now),
        };
        // What expires now has expired.
        let from = if expired { i64::MIN } else { now.as_micros().saturating_add(1) };
        filter.expires = until.map(|until| Timestamp::from_micros(from)..=until);
        let unused_since = match keywords.some("unused_since")? {
            Some(value) => Some(Moment::since("unused_since", &value)?.at("unused_since", now)?),
            None => None,
        };
        keywords.finish()?;
        Ok(Self(secretkit::Selection { filter, unused_since }))
    }

    pub(crate) fn pages<'a>(&self, secrets: &'a secretkit::Secrets, within: Within) -> Pages<'a> {
        secrets.list(within, PAGE).filtered(self.0.clone())
    }
}

/// Where a call lists: the org of `here` unless it says otherwise.
pub(crate) fn within(
    py: Python<'_>,
    here: &Scope,
    scope: Option<&Bound<'_, PyString>>,
    within: Option<&Bound<'_, PyString>>,
) -> Result<Within> {
    let within = match (scope, within) {
        (None, None) => return Ok(Within::Org(here.org().clone())),
        (Some(scope), None) => return Ok(Within::Exactly(text::scope(scope)?)),
        (None, Some(within)) => text::scope(within)?,
        (Some(_), Some(_)) => return Err(usage(py, "give scope or within, not both")),
    };
    match (within.project(), within.domain()) {
        (None, None) => Ok(Within::Org(within.org().clone())),
        (Some(project), None) => Ok(Within::Project { org: within.org().clone(), project: project.clone() }),
        (_, Some(_)) => Err(usage(py, "within is an org or a project, as acme or acme/etl")),
    }
}

/// What can be listed, by pages that can each begin behind the last item of the one before.
trait Listed: Sized + Send {
    type Place: Send + Sync;
    type Cursor: Clone + Send;

    /// The items of a page, and whether there may be another one.
    fn page(
        secrets: &secretkit::Secrets,
        place: &Self::Place,
        selection: &Selection,
        after: Option<Self::Cursor>,
    ) -> secretkit::Result<(Vec<Self>, bool)>;

    fn cursor(&self) -> Self::Cursor;
}

impl Listed for secretkit::SecretInfo {
    type Place = Within;
    type Cursor = SecretId;

    fn page(
        secrets: &secretkit::Secrets,
        place: &Within,
        selection: &Selection,
        after: Option<SecretId>,
    ) -> secretkit::Result<(Vec<Self>, bool)> {
        let mut pages = selection.pages(secrets, place.clone());
        if let Some(address) = after {
            pages = pages.after(address);
        }
        let items = pages.next().transpose()?.unwrap_or_default();
        // What is not shown because it was used makes a page shorter, and does not end the listing.
        let more = items.len() == PAGE || (selection.0.unused_since.is_some() && !items.is_empty());
        Ok((items, more))
    }

    fn cursor(&self) -> SecretId {
        self.address.clone()
    }
}

impl Listed for secretkit::Effective {
    type Place = Scope;
    type Cursor = SecretName;

    fn page(
        secrets: &secretkit::Secrets,
        place: &Scope,
        selection: &Selection,
        after: Option<SecretName>,
    ) -> secretkit::Result<(Vec<Self>, bool)> {
        let mut pages = secrets.effective(place, PAGE).filtered(selection.0.clone());
        if let Some(name) = after {
            pages = pages.after(name);
        }
        let items = pages.next().transpose()?.unwrap_or_default();
        let more = items.len() == PAGE;
        Ok((items, more))
    }

    fn cursor(&self) -> SecretName {
        self.info.address.name().clone()
    }
}

/// Reads a listing, and keeps one page of it and where that ended.
struct Reader<T: Listed> {
    secrets: Arc<secretkit::Secrets>,
    place: T::Place,
    selection: Selection,
    state: Mutex<State<T>>,
}

struct State<T: Listed> {
    held: VecDeque<T>,
    last: Option<T::Cursor>,
    next: Next,
}

enum Next {
    Due,
    /// Another thread is at it.
    BeingRead,
    None,
}

impl<T: Listed> Reader<T> {
    fn new(secrets: Arc<secretkit::Secrets>, place: T::Place, selection: Selection) -> Self {
        let state = State { held: VecDeque::new(), last: None, next: Next::Due };
        Self { secrets, place, selection, state: Mutex::new(state) }
    }

    fn next(&self, py: Python<'_>) -> Result<Option<T>> {
        loop {
            let mut state = self.state();
            if let Some(item) = state.held.pop_front() {
                return Ok(Some(item));
            }
            match std::mem::replace(&mut state.next, Next::BeingRead) {
                Next::Due => {}
                Next::None => {
                    state.next = Next::None;
                    return Ok(None);
                }
                Next::BeingRead => {
                    return Err(
                        PyRuntimeError::new_err("another thread is reading this listing; give each its own").into()
                    );
                }
            }
            let after = state.last.take();
            drop(state);
            let page = detached(py, || T::page(&self.secrets, &self.place, &self.selection, after));
            let mut state = self.state();
            state.next = Next::None;
            let (items, more) = page?;
            if more {
                state.next = Next::Due;
                state.last = items.last().map(T::cursor);
            }
            state.held = items.into();
        }
    }

    /// Held for a moment and never while detached, so that no fork can find it held.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `Secrets.iterate` returns: one `SecretInfo` after the other, read a page at a time.
#[pyclass(frozen, module = "secretkit._secretkit", name = "SecretInfos")]
pub(crate) struct SecretInfos(Reader<secretkit::SecretInfo>);

#[pymethods]
impl SecretInfos {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<SecretInfo>> {
        Ok(self.0.next(py)?.map(SecretInfo))
    }
}

impl SecretInfos {
    pub(crate) fn new(secrets: Arc<secretkit::Secrets>, within: Within, selection: Selection) -> Self {
        Self(Reader::new(secrets, within, selection))
    }
}

/// What `Secrets.effective` returns: one `Effective` after the other, read a page at a time.
#[pyclass(frozen, module = "secretkit._secretkit", name = "Effectives")]
pub(crate) struct Effectives(Reader<secretkit::Effective>);

#[pymethods]
impl Effectives {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<Effective>> {
        Ok(self.0.next(py)?.map(|effective| Effective::new(py, effective)).transpose()?)
    }
}

impl Effectives {
    pub(crate) fn new(secrets: Arc<secretkit::Secrets>, scope: Scope, selection: Selection) -> Self {
        Self(Reader::new(secrets, scope, selection))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SecretInfos>()?;
    module.add_class::<Effectives>()
}

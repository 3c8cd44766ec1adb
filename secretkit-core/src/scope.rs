//! Where a secret lives, and the order in which a task looks for one.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, Fault, Result};
use crate::part::{Part, PartKind, deserialize_from_text};

/// Where a secret lives: an org, and optionally a project, a domain or both.
///
/// There are four kinds, with the text forms `org`, `org/project`, `org/*/domain` and `org/project/domain` and no
/// other. `*` stands for an absent project before a domain and for nothing else; it is no wildcard.
///
/// ```
/// use secretkit_core::Scope;
///
/// let scope: Scope = "acme/*/production".parse()?;
/// assert_eq!(scope.project(), None);
/// assert_eq!(scope.to_string(), "acme/*/production");
/// assert!("acme/*".parse::<Scope>().is_err());
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope {
    org: Part,
    project: Option<Part>,
    domain: Option<Part>,
}

impl Scope {
    /// The org that stands where none is named.
    pub const DEFAULT_ORG: &'static str = "default";

    /// The scope of these parts.
    #[must_use]
    pub const fn new(org: Part, project: Option<Part>, domain: Option<Part>) -> Self {
        Self { org, project, domain }
    }

    /// From the three parts as text; absent is `None`, and an empty text is refused.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the first part that is no [`Part`].
    pub fn from_parts(org: &str, project: Option<&str>, domain: Option<&str>) -> Result<Self> {
        Ok(Self {
            org: Part::parse(PartKind::Org, org)?,
            project: project.map(|text| Part::parse(PartKind::Project, text)).transpose()?,
            domain: domain.map(|text| Part::parse(PartKind::Domain, text)).transpose()?,
        })
    }

    /// The org.
    #[must_use]
    pub const fn org(&self) -> &Part {
        &self.org
    }

    /// The project, if the scope has one.
    #[must_use]
    pub const fn project(&self) -> Option<&Part> {
        self.project.as_ref()
    }

    /// The domain, if the scope has one.
    #[must_use]
    pub const fn domain(&self) -> Option<&Part> {
        self.domain.as_ref()
    }

    /// The scopes whose secrets a task at this scope sees, nearest first: org + project + domain, org + project,
    /// org + domain, org. Those that need a project or domain which this scope lacks are left out.
    ///
    /// A project stands before a domain because a project belongs to one team and a domain to everyone: what the
    /// team set for itself is the nearer wish.
    pub fn chain(&self) -> impl Iterator<Item = Self> + '_ {
        let own_then_none = |part: Option<&'_ Part>| part.cloned().into_iter().map(Some).chain([None]);
        own_then_none(self.project()).flat_map(move |project| {
            own_then_none(self.domain()).map(move |domain| Self::new(self.org.clone(), project.clone(), domain))
        })
    }

    /// Whether a task at `task` sees the secrets at this scope: whether this is in its chain.
    #[must_use]
    pub fn includes(&self, task: &Self) -> bool {
        let Self { org, project, domain } = self;
        *org == task.org
            && (project.is_none() || *project == task.project)
            && (domain.is_none() || *domain == task.domain)
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('/');
        let org = parts.next().unwrap_or_default();
        let (project, domain) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(Error::InvalidScope { fault: Fault::Shape("it has more than three parts") });
        }
        match (project, domain) {
            (Some("*"), None) => Err(Error::InvalidScope { fault: Fault::Shape("`*` stands only before a domain") }),
            (Some("*"), domain) => Self::from_parts(org, None, domain),
            (project, domain) => Self::from_parts(org, project, domain),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.org)?;
        match (&self.project, &self.domain) {
            (None, None) => Ok(()),
            (Some(project), None) => write!(f, "/{project}"),
            (None, Some(domain)) => write!(f, "/*/{domain}"),
            (Some(project), Some(domain)) => write!(f, "/{project}/{domain}"),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

deserialize_from_text!(Scope);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_and_no_other() {
        for text in ["o", "o/p", "o/*/d", "o/p/d"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "/", "o/", "o/p/", "o//d", "*", "*/p", "o/*", "o/p/*", "o/*/*", "o/p/d/x", "o/ p", " o"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?} must not parse");
        }
    }
}

//! What a call says of a secret's metadata.

use pyo3::prelude::*;
use secretkit::{Activity, Description, MetadataEdit, Secrets, Setting, Tags};

use crate::error::Result;
use crate::keywords::{self, Keywords};
use crate::moment::Moment;

/// What a call changes of a secret's metadata; an expiry that is counted from now gets its place later.
pub(crate) struct Edit {
    rest: MetadataEdit,
    expires: Setting<Moment>,
}

impl Edit {
    /// Of a secret that may be there already.
    pub(crate) fn of(keywords: Keywords<'_>) -> Result<Self> {
        let (add_tags, remove_tags) = (tags_or_none(&keywords, "add_tags")?, tags_or_none(&keywords, "remove_tags")?);
        let mut edit = Self::of_new(keywords)?;
        (edit.rest.add_tags, edit.rest.remove_tags) = (add_tags, remove_tags);
        Ok(edit)
    }

    /// Of a secret that is made.
    pub(crate) fn of_new(keywords: Keywords<'_>) -> Result<Self> {
        let mut rest = MetadataEdit::default();
        let text = |value: &Bound<'_, PyAny>| Ok(Description::parse(&keywords::string("description", value)?)?);
        rest.description = setting(keywords.take("description")?, text)?;
        rest.tags = setting(keywords.take("tags")?, |value| tags("tags", value))?;
        rest.activity = match keywords.take("active")? {
            None => None,
            Some(value) => Some(activity(keywords::boolean("active", &value)?)),
        };
        rest.keep = setting(keywords.take("keep")?, |value| keywords::count("keep", value))?;
        let expires = setting(keywords.take("expires")?, |value| Moment::end("expiry", value))?;
        keywords.finish()?;
        Ok(Self { rest, expires })
    }

    /// The change if it is asked for now.
    pub(crate) fn now(&self, secrets: &Secrets) -> secretkit::Result<MetadataEdit> {
        let mut edit = self.rest.clone();
        edit.expires_at = match self.expires {
            Setting::Keep => Setting::Keep,
            Setting::Set(moment) => Setting::Set(moment.at("expiry", secrets.clock().now())?),
            Setting::Clear => Setting::Clear,
        };
        Ok(edit)
    }
}

pub(crate) const fn activity(active: bool) -> Activity {
    if active { Activity::Active } else { Activity::Inactive }
}

fn setting<T>(
    given: Option<Bound<'_, PyAny>>,
    parse: impl FnOnce(&Bound<'_, PyAny>) -> Result<T>,
) -> Result<Setting<T>> {
    match given {
        None => Ok(Setting::Keep),
        Some(value) if value.is_none() => Ok(Setting::Clear),
        Some(value) => parse(&value).map(Setting::Set),
    }
}

fn tags_or_none(keywords: &Keywords<'_>, name: &'static str) -> Result<Tags> {
    keywords.take(name)?.map_or(Ok(Tags::default()), |value| tags(name, &value))
}

pub(crate) fn tags(field: &'static str, value: &Bound<'_, PyAny>) -> Result<Tags> {
    let texts = keywords::strings(field, value)?;
    Ok(Tags::parse(texts.iter().map(String::as_str))?)
}

//! A secret as JSON. The keys are documented in `docs/cli.md` and keep their meaning.

use secretkit::{
    Consumer, ConsumerInfo, Digest, Generation, Part, Revision, SecretInfo, SecretName, StableId, Timestamp,
};
use serde::Serialize;

use crate::table::Row;

/// Everything about a secret that is shown; there is no field that could hold a value.
#[derive(Serialize)]
pub(crate) struct SecretObject<'a> {
    id: StableId,
    name: &'a SecretName,
    org: &'a Part,
    project: Option<&'a Part>,
    domain: Option<&'a Part>,
    revision: Revision,
    generation: Generation,
    #[serde(serialize_with = "as_text")]
    digest: Digest,
    description: Option<&'a str>,
    tags: Vec<&'a str>,
    expires_at: Option<Timestamp>,
    active: bool,
    inactive_since: Option<Timestamp>,
    first_revision: Revision,
    keep: Option<u32>,
    created_at: Timestamp,
    created_by: &'a str,
    updated_at: Timestamp,
    updated_by: &'a str,
    value_at: Timestamp,
    value_by: &'a str,
    /// Only what was read knows it.
    #[serde(flatten)]
    last_use: Option<LastUse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hides: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumers: Option<Vec<ConsumerObject<'a>>>,
}

#[derive(Serialize)]
struct LastUse<'a> {
    last_used_at: Option<Timestamp>,
    last_used_by: Option<&'a str>,
}

/// One of a secret's consumers.
#[derive(Serialize)]
pub(crate) struct ConsumerObject<'a> {
    pub(crate) name: &'a Consumer,
    pub(crate) seen_at: Timestamp,
    pub(crate) seen_by: &'a str,
}

impl<'a> From<&'a ConsumerInfo> for ConsumerObject<'a> {
    fn from(ConsumerInfo { name, seen, .. }: &'a ConsumerInfo) -> Self {
        Self { name, seen_at: seen.at, seen_by: seen.by.as_str() }
    }
}

impl<'a> SecretObject<'a> {
    /// Of a secret as a listing or `show` read it: with its last use.
    pub(crate) fn read(info: &'a SecretInfo) -> Self {
        let used = info.last_used();
        let last_use =
            LastUse { last_used_at: used.map(|used| used.at), last_used_by: used.map(|used| used.by.as_str()) };
        Self { last_use: Some(last_use), ..Self::from(info) }
    }

    /// With its consumers.
    pub(crate) fn used_by(self, consumers: &'a [ConsumerInfo]) -> Self {
        Self { consumers: Some(consumers.iter().map(ConsumerObject::from).collect()), ..self }
    }
}

impl<'a> From<&'a Row> for SecretObject<'a> {
    fn from(row: &'a Row) -> Self {
        let object = Self::read(&row.info);
        let addresses = |hidden: &[SecretInfo]| hidden.iter().map(|info| info.address.to_string()).collect();
        Self { hides: row.hides.as_deref().map(addresses), ..object }
    }
}

impl<'a> From<&'a SecretInfo> for SecretObject<'a> {
    fn from(info: &'a SecretInfo) -> Self {
        let scope = info.address.scope();
        let metadata = &info.metadata;
        Self {
            id: info.id,
            name: info.address.name(),
            org: scope.org(),
            project: scope.project(),
            domain: scope.domain(),
            revision: info.revision,
            generation: info.generation,
            digest: info.digest,
            description: metadata.description.as_ref().map(|text| text.as_str()),
            tags: metadata.tags.iter().collect(),
            expires_at: metadata.expires_at,
            active: metadata.is_active(),
            inactive_since: metadata.inactive_since,
            first_revision: info.first_revision,
            keep: info.keep,
            created_at: info.created.at,
            created_by: info.created.by.as_str(),
            updated_at: info.updated.at,
            updated_by: info.updated.by.as_str(),
            value_at: info.valued.at,
            value_by: info.valued.by.as_str(),
            last_use: None,
            hides: None,
            consumers: None,
        }
    }
}

/// For what has a text form and no form of its own in JSON.
pub(crate) fn as_text<S: serde::Serializer>(text: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

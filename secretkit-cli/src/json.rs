//! A secret as JSON. The keys are documented in `docs/cli.md` and keep their meaning.

use secretkit::{Digest, Generation, Part, Revision, SecretInfo, SecretName, StableId, Timestamp};
use serde::Serialize;

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
    created_at: Timestamp,
    created_by: &'a str,
    updated_at: Timestamp,
    updated_by: &'a str,
}

impl<'a> From<&'a SecretInfo> for SecretObject<'a> {
    fn from(info: &'a SecretInfo) -> Self {
        let scope = info.address.scope();
        Self {
            id: info.id,
            name: info.address.name(),
            org: scope.org(),
            project: scope.project(),
            domain: scope.domain(),
            revision: info.revision,
            generation: info.generation,
            digest: info.digest,
            created_at: info.created.at,
            created_by: info.created.by.as_str(),
            updated_at: info.updated.at,
            updated_by: info.updated.by.as_str(),
        }
    }
}

/// For what has a text form and no form of its own in JSON.
pub(crate) fn as_text<S: serde::Serializer>(text: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

//! Text from Python. Python's own complaint about a string that is not Unicode quotes the string, so it never leaves.

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};
use secretkit::{Consumer, Error, Fault, PartKind, Revision, Scope, SecretName};

use crate::error::Result;

/// The text of one part of a name or scope; what it says is checked by whoever takes it.
pub(crate) fn part<'a>(kind: PartKind, text: &'a Bound<'_, PyString>) -> Result<&'a str> {
    text.to_str().map_err(|_| Error::InvalidName { part: kind, fault: Fault::Shape("it is not Unicode") }.into())
}

/// A scope in its text form.
pub(crate) fn scope(text: &Bound<'_, PyString>) -> Result<Scope> {
    Ok(part(PartKind::Org, text)?.parse()?)
}

/// The scope that these parts make. One that names any part is whole, but for its org: half a scope from here and half
/// from there is nobody's wish.
pub(crate) fn scope_with(
    scope: &Scope,
    org: Option<&Bound<'_, PyString>>,
    project: Option<&Bound<'_, PyString>>,
    domain: Option<&Bound<'_, PyString>>,
) -> Result<Scope> {
    if org.is_none() && project.is_none() && domain.is_none() {
        return Ok(scope.clone());
    }
    let org = org.map_or(Ok(scope.org().as_str()), |org| part(PartKind::Org, org))?;
    let project = project.map(|project| part(PartKind::Project, project)).transpose()?;
    let domain = domain.map(|domain| part(PartKind::Domain, domain)).transpose()?;
    Ok(Scope::from_parts(org, project, domain)?)
}

/// Any other text, of this field.
pub(crate) fn field<'a>(field: &'static str, text: &'a Bound<'_, PyString>) -> Result<&'a str> {
    text.to_str().map_err(|_| Error::InvalidMetadata { field, fault: Fault::Shape("it is not Unicode") }.into())
}

/// The name of a consumer.
pub(crate) fn consumer(name: &Bound<'_, PyString>) -> secretkit::Result<Consumer> {
    let unicode = |_| Error::InvalidMetadata { field: "consumer", fault: Fault::Shape("it is not Unicode") };
    name.to_str().map_err(unicode)?.parse()
}

/// A group and a key as flytekit's calls give them: exactly one of them is the key.
pub(crate) fn group_and_key<'a>(
    group: Option<&'a Bound<'_, PyString>>,
    key: Option<&'a Bound<'_, PyString>>,
) -> Result<(Option<&'a str>, &'a str)> {
    let (group, key) = match (group, key) {
        (Some(group), Some(key)) => (Some(part(PartKind::Group, group)?), part(PartKind::Key, key)?),
        (Some(only), None) | (None, Some(only)) => (None, part(PartKind::Key, only)?),
        (None, None) => return Err(Error::InvalidRequest("it names no secret; give a key").into()),
    };
    // The command and `Secrets` take GROUP/KEY in one, so people write it here, too.
    if key.contains('/') || group.is_some_and(|group| group.contains('/')) {
        let fault =
            Fault::Shape("a group and its key are given apart here: group=\"GROUP\", key=\"KEY\" for GROUP/KEY");
        return Err(Error::InvalidName { part: PartKind::Key, fault }.into());
    }
    Ok((group, key))
}

/// The same as a name.
pub(crate) fn name(group: Option<&Bound<'_, PyString>>, key: Option<&Bound<'_, PyString>>) -> Result<SecretName> {
    let (group, key) = group_and_key(group, key)?;
    Ok(SecretName::from_parts(group, key)?)
}

/// A `group_version`: the number of a revision, as a number or as text.
pub(crate) fn revision(version: &Bound<'_, PyAny>) -> Result<Revision> {
    let Ok(text) = version.cast::<PyString>() else {
        return number(version, "group_version is the number of a revision, from 1");
    };
    // `parse` alone would take a plus sign and leading zeros.
    text.to_str()
        .ok()
        .filter(|text| text.bytes().next().is_some_and(|first| matches!(first, b'1'..=b'9')))
        .and_then(|text| text.parse().ok())
        .and_then(Revision::new)
        .ok_or_else(|| Error::InvalidRequest("group_version is the number of a revision, from 1").into())
}

/// The number of a revision; `otherwise` is what is said of anything else.
pub(crate) fn number(number: &Bound<'_, PyAny>, otherwise: &'static str) -> Result<Revision> {
    whole(number).and_then(Revision::new).ok_or_else(|| Error::InvalidRequest(otherwise).into())
}

/// A number that an `int` holds; `True` is none, whatever Python says.
pub(crate) fn whole(number: &Bound<'_, PyAny>) -> Option<u64> {
    if number.is_exact_instance_of::<PyInt>() { number.extract().ok() } else { None }
}

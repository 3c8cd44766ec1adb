//! A store whose rows somebody alters behind secretkit's back.

use secretkit_core::store::Within;
use secretkit_core::{ErrorKind, PutMode, Result, Revision, SecretId, SecretRequest, SecretValue, Secrets};

/// The secret whose row is altered: its address has every part, and it has two superseded values.
pub const ADDRESS: &str = "acme/etl/production:db/password";

/// Writes the secret at [`ADDRESS`], and others beside it that could be taken for it.
pub fn furnish(secrets: &Secrets) {
    for (address, value) in [
        (ADDRESS, "first"),
        (ADDRESS, "second"),
        (ADDRESS, "third"),
        ("acme/etl:db/near", "near"),
        ("acme/web/production:token", "beside"),
        ("other/etl/production:db/password", "another org's"),
    ] {
        secrets.put(&id(address), &SecretValue::copied_from(value.as_bytes()), PutMode::Overwrite).unwrap();
    }
}

/// What a check of authenticity says; none of these ever comes with a value.
#[track_caller]
pub fn is_refused<T>(outcome: Result<T>, what: &str) {
    let kind = match outcome {
        Ok(_) => panic!("{what} was taken for genuine"),
        Err(error) => error.kind(),
    };
    let refusals = [ErrorKind::Corrupt, ErrorKind::UnknownKey, ErrorKind::WrongRootKey, ErrorKind::Unsupported];
    assert!(refusals.contains(&kind), "{what}: {kind}");
}

/// The addresses of all secrets of an org.
///
/// # Errors
/// Those of [`Secrets::list`].
pub fn listed(secrets: &Secrets, org: &str) -> Result<Vec<String>> {
    let pages: Result<Vec<_>> = secrets.list(Within::Org(id(&format!("{org}:a")).org().clone()), 100).collect();
    Ok(pages?.into_iter().flatten().map(|info| info.address.to_string()).collect())
}

/// The value at [`ADDRESS`] that is of this revision.
///
/// # Errors
/// Those of [`Secrets::resolve`].
pub fn at_revision(secrets: &Secrets, number: u64) -> Result<Vec<u8>> {
    let (address, revision) = (id(ADDRESS), Revision::new(number).unwrap());
    let request = SecretRequest::new(address.name().clone()).at_revision(revision);
    secrets.resolve(address.scope(), &request).map(|resolved| resolved.value.expose_secret().to_vec())
}

fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

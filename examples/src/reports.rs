//! The application of `docs/tutorial-rust.md`: it keeps the password of a database and sends reports from there.

use std::path::Path;
use std::process::{Command, Output};

use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::store::Within;
use secretkit::{
    Error, Expiry, Filter, MetadataEdit, Part, PutMode, Result, Scope, SecretId, SecretInfo, SecretRequest,
    SecretValue, Secrets, Setting, Tags,
};

/// The store in the one directory and the root key in the other; both are made at the first start.
///
/// # Errors
/// What secretkit says.
pub fn open(data: &Path, configuration: &Path) -> Result<Secrets> {
    let key = configuration.join("root.key");
    if !key.exists() {
        secretkit::create_root_key(&key)?;
    }
    secretkit::open(&format!("sqlite:{}", data.join("secrets.db").display()), &format!("file:{}", key.display()))
}

/// Keeps the password for all of the project, for 90 days.
///
/// # Errors
/// What secretkit says.
pub fn keep_password(secrets: &Secrets, password: &SecretValue) -> Result<SecretInfo> {
    let id: SecretId = "acme/etl:db/password".parse()?;
    let mut edit = MetadataEdit::default();
    edit.add_tags = Tags::parse(["postgres", "reports"])?;
    edit.expires_at = Setting::Set("90d".parse::<Expiry>()?.at(secrets.clock().now())?);
    secrets.put_with(&id, password, PutMode::Overwrite, &edit)
}

/// How long the password is, as a task at this scope sees it.
///
/// # Errors
/// What secretkit says: `not_found`, `inactive` and `expired` among it.
pub fn password_length(secrets: &Secrets, scope: &Scope) -> Result<usize> {
    let found = secrets.resolve(scope, &SecretRequest::new("db/password".parse()?))?;
    Ok(found.value.expose_secret().len())
}

/// Runs a script that finds the password in a variable, and its path in another.
///
/// # Errors
/// What secretkit says; then nothing was started.
pub fn send(secrets: &Secrets, scope: &Scope, script: &str) -> Result<Output> {
    let password = SecretRequest::new("db/password".parse()?);
    let requests = [
        password.clone().with_variable("PGPASSWORD".parse()?),
        password.with_variable("PGPASSFILE".parse()?).as_file(),
    ];
    let mut options = DeliveryOptions::default();
    options.consumer = Some("reports:send".parse()?);
    let delivery = Delivery::prepare(secrets, scope, &requests, &options)?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]);
    delivery.environment().apply_to(&mut shell);
    let output = shell.output().map_err(|source| Error::file(Path::new("/bin/sh"), source))?;
    delivery.close()?;
    Ok(output)
}

/// The addresses of all secrets of the org with this tag, whatever their number, a page at a time.
///
/// # Errors
/// What secretkit says.
pub fn tagged(secrets: &Secrets, org: &Part, tag: &str) -> Result<Vec<String>> {
    let filter = Filter { tags: vec![tag.into()], ..Filter::default() };
    let mut found = Vec::new();
    for page in secrets.list(Within::Org(org.clone()), 100).filtered(filter) {
        found.extend(page?.into_iter().map(|info| info.address.to_string()));
    }
    Ok(found)
}

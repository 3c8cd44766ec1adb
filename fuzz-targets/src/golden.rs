//! The golden store of the first release, and everything in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use secretkit_core::internals::Keys;
use secretkit_core::store::{Target, Want, Within};
use secretkit_core::{
    Access, Description, Encoding, Error, ErrorKind, Part, PartKind, RootKey, SecretInfo, SecretRecord, SecretStore,
    SecretValue, Secrets,
};
use secretkit_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::files::with_scratch;

pub(crate) const ORGS: [&str; 2] = ["acme", "other"];

pub(crate) struct Golden {
    pub(crate) root: Arc<RootKey>,
    /// The file's bytes.
    pub(crate) file: Vec<u8>,
    /// What `contents.json` says of each address.
    pub(crate) contents: BTreeMap<String, Value>,
    /// Its secrets, with the keys of their orgs.
    pub(crate) records: Vec<(SecretRecord, Arc<Keys>)>,
}

pub(crate) static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    let folder = folder();
    let file = fs::read(folder.join("secrets.db")).unwrap();
    let contents: Value = serde_json::from_slice(&fs::read(folder.join("contents.json")).unwrap()).unwrap();
    let contents = contents["secrets"].as_array().unwrap().iter();
    let contents = contents.map(|secret| (secret["address"].as_str().unwrap().to_owned(), secret.clone())).collect();
    with_scratch(|scratch| {
        let root = Arc::new(RootKey::from_file(&private_copy(&folder.join("root.key"), scratch)).unwrap());
        let store = SqliteStore::open(&private_copy(&folder.join("secrets.db"), scratch)).unwrap();
        let records = records(Arc::new(store), &root);
        Golden { root, file, contents, records }
    })
});

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/golden/0.1")
}

fn private_copy(file: &Path, directory: &Path) -> PathBuf {
    let copy = directory.join(file.file_name().unwrap());
    fs::copy(file, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    copy
}

fn records(store: Arc<SqliteStore>, root: &Arc<RootKey>) -> Vec<(SecretRecord, Arc<Keys>)> {
    let secrets = opened(Arc::clone(&store) as _, Arc::clone(root));
    let mut found = Vec::new();
    for org in ORGS.map(part) {
        let keys = Arc::new(Keys::of(&*store, &org, &**root).unwrap());
        for info in secrets.list(Within::Org(org), 100).flat_map(Result::unwrap) {
            let fetched = store
                .fetch(&[Want { target: Target::Exact(info.address.clone()), revision: None }])
                .unwrap()
                .remove(0)
                .unwrap();
            found.push((fetched.record, Arc::clone(&keys)));
        }
    }
    found
}

pub(crate) fn opened(store: Arc<dyn SecretStore>, root: Arc<RootKey>) -> Secrets {
    Secrets::new(store, root, Access::Unrestricted).without_usage()
}

pub(crate) fn part(org: &str) -> Part {
    Part::parse(PartKind::Org, org).unwrap()
}

/// What a listing says of a secret, as `contents.json` has it.
pub(crate) fn told_of_head(info: &SecretInfo) -> Value {
    let metadata = &info.metadata;
    json!({
        "address": info.address.to_string(),
        "id": info.id,
        "generation": info.generation,
        "keep": info.keep,
        "inactive_since": metadata.inactive_since,
        "expires_at": metadata.expires_at,
        "description": metadata.description.as_ref().map(Description::as_str),
        "tags": metadata.tags.iter().collect::<Vec<_>>(),
        "created": [json!(info.created.at), json!(info.created.by)],
        "updated": [json!(info.updated.at), json!(info.updated.by)],
    })
}

/// Everything else that a caller can see of it.
pub(crate) fn told_of_rest(secrets: &Secrets, info: &SecretInfo) -> Result<Value, Error> {
    let mut revisions = BTreeMap::new();
    for row in secrets.history(&info.address)? {
        let value = match secrets.get_revision(&info.address, row.revision) {
            Ok(found) => Encoding::Base64.encode(&found.value)?,
            Err(error) if matches!(error.kind(), ErrorKind::Inactive | ErrorKind::Expired) => {
                SecretValue::copied_from(error.kind().as_str().as_bytes())
            }
            Err(error) => return Err(error),
        };
        let value = String::from_utf8(value.expose_secret().to_vec()).unwrap();
        revisions.insert(row.revision.number(), json!([value, row.digest.to_string(), row.valued.at, row.valued.by]));
    }
    let consumers: Vec<_> =
        secrets.consumers(&info.address)?.into_iter().map(|row| json!([row.name, row.seen.at, row.seen.by])).collect();
    let last_used = info.last_used().map(|used| json!([used.at, used.by]));
    Ok(json!({ "last_used": last_used, "revisions": revisions, "consumers": consumers }))
}

//! Where a user's own store and root key are when nothing else is said.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use secretkit_core::{Error, Result};

/// `secretkit/secrets.db` in the user's data directory.
pub(crate) fn store() -> Result<PathBuf> {
    place("secretkit/secrets.db", BaseStrategy::data_dir)
}

/// `secretkit/root.key` in the user's configuration directory.
pub(crate) fn root_key() -> Result<PathBuf> {
    place("secretkit/root.key", BaseStrategy::config_dir)
}

fn place(file: &str, directory: impl Fn(&etcetera::base_strategy::Xdg) -> PathBuf) -> Result<PathBuf> {
    let nowhere = || Error::UnsafeStore {
        store: "the user's own store".to_owned(),
        why: "has no place: HOME is not set to an absolute path; set it, or name a store with SECRETKIT_STORE and a \
              root key with SECRETKIT_KEY_FILE"
            .to_owned(),
    };
    let user = choose_base_strategy().map_err(|_| nowhere())?;
    let place = directory(&user).join(file);
    if !place.is_absolute() {
        return Err(nowhere());
    }
    refuse_foreign(&place, user.home_dir())?;
    Ok(place)
}

/// Under `sudo` HOME may still be the caller's: what root made there the caller could not use, and what the caller
/// made there root should not trust.
fn refuse_foreign(place: &Path, home: &Path) -> Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let is_home = |path: &Path| path == home;
    for ancestor in place.ancestors() {
        let Ok(metadata) = ancestor.metadata() else { continue };
        // Directories of the system's own lie above a home, never at or below it.
        let foreign = metadata.uid() != user && (metadata.uid() != 0 || is_home(ancestor));
        if foreign {
            return Err(Error::UnsafeStore {
                store: place.display().to_string(),
                why: format!(
                    "lies in {}, which belongs to user {} and not to user {user}, as under sudo; set HOME to your own \
                     directory, or name a store with SECRETKIT_STORE and a root key with SECRETKIT_KEY_FILE",
                    ancestor.display(),
                    metadata.uid()
                ),
            });
        }
        // Below a home everything must be the user's; above it nothing need be.
        if is_home(ancestor) || !place.starts_with(home) {
            break;
        }
    }
    Ok(())
}

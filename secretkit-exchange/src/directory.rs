//! A directory with a file for each secret, as Flyte mounts them: `KEY`, and `GROUP/KEY`.
//!
//! flytekit reads `DIRECTORY/group/key` in lower case, and takes the white space off both ends; secretkit does neither
//! when it reads, and the first when it writes.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use secretkit_core::{Error, Result, SecretName};
use secretkit_files::{Directory, Existing, directory_of};
use tempfile::TempDir;

use crate::file::{check_place, read_bounded, stands_there};
use crate::format::{Entry, MAX_INPUT_BYTES};

const FORMAT: &str = "directory";

/// More files than this are not read.
const MAX_FILES: usize = 10_000;

/// An empty file that tells a directory that was written here from any other. Readers pass over what begins with a dot.
const MARK: &str = ".secretkit";

/// More than this in all is not read: everything is in memory at once.
const MAX_BYTES: usize = 64 << 20;

/// The secrets in the files of this directory and of the directories in it, by name.
///
/// What begins with a dot is passed over. A link is followed only to what is in the directory as well, as Kubernetes
/// makes them; where the system cannot promise that, none is.
///
/// # Errors
/// [`Error::File`], [`Error::InvalidInput`] for a file whose name the rules refuse, for one that is no regular file, and
/// for too many of them or too much in all, and [`Error::ValueTooLarge`] for a file of more than
/// [`MAX_INPUT_BYTES`].
pub fn read_directory(path: &Path) -> Result<Vec<Entry>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::file(path, errno))?;
    let mut names = BTreeMap::new();
    for (key, place) in children(path)? {
        // A directory that is linked to is one as well; what lies in it is opened from the root.
        if fs::metadata(&place).is_ok_and(|metadata| metadata.is_dir()) {
            for (inner, inner_place) in children(&place)? {
                names.insert(name_of(Some(&key), &inner, &inner_place)?, inner_place);
            }
        } else {
            names.insert(name_of(None, &key, &place)?, place);
        }
        if names.len() > MAX_FILES {
            return Err(fault(path, "it holds more than 10,000 files"));
        }
    }
    let (mut entries, mut bytes) = (Vec::with_capacity(names.len()), 0);
    for (name, place) in names {
        let within = place.strip_prefix(path).map_err(|_| fault(&place, "it is not in the directory"))?;
        let mut file = open_beneath(&root, within).map_err(|errno| match errno {
            rustix::io::Errno::LOOP | rustix::io::Errno::XDEV => {
                fault(&place, "it is a link that leads out of the directory")
            }
            errno => Error::file(&place, errno),
        })?;
        if !file.metadata().map_err(|error| Error::file(&place, error))?.is_file() {
            return Err(fault(&place, "it is no regular file"));
        }
        let value = read_bounded(&mut file, &place, MAX_INPUT_BYTES).map_err(|error| match error {
            Error::TooLarge { length, limit } => Error::ValueTooLarge { name: name.clone(), length, limit },
            error => error,
        })?;
        bytes += value.len();
        if bytes > MAX_BYTES {
            return Err(fault(path, "its files hold more than 64 MiB in all"));
        }
        entries.push(Entry { name, value });
    }
    Ok(entries)
}

/// Opens without ever leaving the directory, and without waiting for a pipe.
fn open_beneath(root: &impl std::os::fd::AsFd, path: &Path) -> Result<File, rustix::io::Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(root, path, flags, Mode::empty(), within) {
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            opened => return opened.map(File::from),
        }
    }
    walk_beneath(root, path, flags)
}

/// The same where the system cannot promise that: step by step, and along no link.
fn walk_beneath(root: &impl std::os::fd::AsFd, path: &Path, flags: OFlags) -> Result<File, rustix::io::Errno> {
    let (mut parts, mut within) = (path.iter().peekable(), None::<File>);
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let how = flags | OFlags::NOFOLLOW | if is_last { OFlags::empty() } else { OFlags::DIRECTORY };
        let directory = within.as_ref().map_or_else(|| root.as_fd(), std::os::fd::AsFd::as_fd);
        let opened = File::from(rustix::fs::openat(directory, part, how, Mode::empty())?);
        if is_last {
            return Ok(opened);
        }
        within = Some(opened);
    }
    Err(rustix::io::Errno::NOENT)
}

/// What is in a directory but for what begins with a dot, which is how Kubernetes hides its own.
fn children(path: &Path) -> Result<Vec<(std::ffi::OsString, PathBuf)>> {
    let failed = |error| Error::file(path, error);
    let mut found = Vec::new();
    for child in fs::read_dir(path).map_err(failed)? {
        let child = child.map_err(failed)?;
        if !child.file_name().as_encoded_bytes().starts_with(b".") {
            found.push((child.file_name(), child.path()));
        }
        if found.len() > MAX_FILES {
            return Err(fault(path, "it holds more than 10,000 files"));
        }
    }
    Ok(found)
}

fn name_of(group: Option<&OsStr>, key: &OsStr, place: &Path) -> Result<SecretName> {
    let text = |part: &OsStr| part.to_str().map(str::to_owned).ok_or_else(|| fault(place, "its name is no text"));
    let (group, key) = (group.map(text).transpose()?, text(key)?);
    SecretName::from_parts(group.as_deref(), &key)
        .map_err(|error| fault(place, &format!("its name is refused: {error}")))
}

/// Makes a directory that only its owner can read, with a file for each secret: whole under a name of its own, synced,
/// and then moved into place. What it replaces is removed with all that is in it, so that must be a directory that this
/// made, which a file `.secretkit` tells, or an empty one.
///
/// # Errors
/// [`Error::File`], also where the new one stands in its place and what it replaced could not be removed: the error names
/// where that is. [`Error::Undeliverable`] where two names are the same in lower case, where a key stands in the place
/// of a group, and where something stands there and is to stay.
pub fn write_directory(path: &Path, entries: &[Entry], existing: Existing) -> Result<()> {
    let places = places(entries)?;
    check_place(path, existing)?;
    refuse_what_others_made(path)?;
    let parent = Directory::open(directory_of(path))?;
    let failed = |error: std::io::Error| Error::file(path, error);
    let own = fs::Permissions::from_mode(0o700);
    let new = tempfile::Builder::new().prefix(".secretkit-").permissions(own).tempdir_in(parent.path());
    let new = new.map_err(|error| Error::file(parent.path(), error))?;
    File::options().write(true).create_new(true).mode(0o600).open(new.path().join(MARK)).map_err(failed)?;
    for (place, entry) in &places {
        let target = new.path().join(place);
        if let Some(group) = place.parent().filter(|group| !group.as_os_str().is_empty()) {
            let group = new.path().join(group);
            match fs::DirBuilder::new().mode(0o700).create(&group) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&target).map_err(failed)?;
        file.write_all(entry.value.expose_secret()).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    for group in places.keys().filter_map(|place| place.parent()).collect::<HashSet<_>>() {
        Directory::open(&new.path().join(group))?.sync()?;
    }
    Directory::open(new.path())?.sync()?;
    let replaced = put_in_place(new, path, existing)?;
    // The new one is on the disk before the old one goes; and what went does not come back with the power.
    let synced = parent.sync();
    let Some(replaced) = replaced else { return synced };
    remove(&replaced)?;
    synced.and_then(|()| parent.sync())
}

/// All that is in a directory goes where another takes its place. A wrong path must not cost anybody a home.
fn refuse_what_others_made(path: &Path) -> Result<()> {
    let refused = |why| Err(Error::Undeliverable { what: path.display().to_string(), why });
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(there) if !there.is_dir() => {
            refused("a file stands where the directory belongs; remove it or name another place")
        }
        Ok(_) if fs::symlink_metadata(path.join(MARK)).is_ok() => Ok(()),
        Ok(_) => match fs::read_dir(path).map_err(|error| Error::file(path, error))?.next() {
            None => Ok(()),
            Some(_) => refused(
                "the directory there was not made by an export, and all that is in it would be lost; remove it or name \
                 another place",
            ),
        },
    }
}

/// Gives where that is by now which stood there.
fn put_in_place(new: TempDir, path: &Path, existing: Existing) -> Result<Option<PathBuf>> {
    let replaced = match (fs::symlink_metadata(path), existing) {
        (Ok(_), Existing::Refuse) => return Err(stands_there(path)),
        (Ok(_), Existing::Replace) => Some(exchange(new.path(), path)?),
        (Err(_), _) => {
            fs::rename(new.path(), path).map_err(|error| Error::file(path, error))?;
            None
        }
    };
    // Whoever is to remove what has the name by now has to hear of a failure.
    let _ = new.keep();
    Ok(replaced)
}

/// In one step where the system can do that. Gives where the old one is.
fn exchange(new: &Path, path: &Path) -> Result<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, path, RenameFlags::EXCHANGE).is_ok() {
            return Ok(new.to_owned());
        }
    }
    let failed = |error: std::io::Error| Error::file(path, error);
    let mut aside = new.as_os_str().to_owned();
    aside.push(".old");
    fs::rename(path, &aside).map_err(failed)?;
    if let Err(error) = fs::rename(new, path) {
        // Nothing is to stand there only where that fails as well.
        let _ = fs::rename(&aside, path);
        return Err(failed(error));
    }
    Ok(aside.into())
}

/// Its values are in plain: where they stay, that is not kept quiet.
fn remove(replaced: &Path) -> Result<()> {
    fs::remove_dir_all(replaced).map_err(|error| {
        let what = format!(
            "the new directory is in its place, but the one that it replaced is here, with values in plain, because it \
             could not be removed ({error}); remove it"
        );
        Error::file(replaced, std::io::Error::other(what))
    })
}

/// Where each goes, in lower case as flytekit looks for it.
fn places(entries: &[Entry]) -> Result<BTreeMap<PathBuf, &Entry>> {
    let mut places = BTreeMap::new();
    for entry in entries {
        let name = &entry.name;
        let key = name.key().as_str().to_ascii_lowercase();
        let place =
            name.group().map_or_else(PathBuf::new, |group| group.as_str().to_ascii_lowercase().into()).join(key);
        if places.insert(place, entry).is_some() {
            let why = "another name is the same in lower case, in which flytekit looks for files";
            return Err(Error::Undeliverable { what: name.to_string(), why });
        }
    }
    for entry in entries.iter().filter(|entry| entry.name.group().is_none()) {
        let key = Path::new(entry.name.key().as_str()).as_os_str().to_ascii_lowercase();
        if places.keys().any(|place| place.parent() == Some(Path::new(&key))) {
            let why = "a group has the same name, and a file cannot stand in the place of its directory";
            return Err(Error::Undeliverable { what: entry.name.to_string(), why });
        }
    }
    Ok(places)
}

fn fault(place: &Path, what: &str) -> Error {
    // Control characters of a file's name must not reach a terminal.
    let place: String = place.display().to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    Error::InvalidInput { format: FORMAT, place, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_leads_out_of_a_directory_where_the_system_promises_nothing() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(inside.path().join("group")).unwrap();
        for path in [inside.path().join("key"), inside.path().join("group/key"), outside.path().join("key")] {
            fs::write(path, "value").unwrap();
        }
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("key"), inside.path().join("group/link")).unwrap();
        let root = File::open(inside.path()).unwrap();
        let opened = |path: &str| walk_beneath(&root, Path::new(path), OFlags::RDONLY | OFlags::CLOEXEC).is_ok();
        assert!(opened("key") && opened("group/key"));
        assert!(!opened("link/key") && !opened("group/link") && !opened("nowhere") && !opened(""));
    }
}

//! A root key that systemd hands to a service, see systemd.exec(5), `LoadCredential=` and `LoadCredentialEncrypted=`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use secretkit_core::{Error, Result, RootKey};
use zeroize::Zeroizing;

use super::parse::refuse_a_key;
use crate::url::unsupported;

/// The name of a credential: one file of `$CREDENTIALS_DIRECTORY`, and no path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialName(Box<str>);

const VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// One line of 44 characters, its end, and one byte more to see that there is no more.
const MOST_BYTES: usize = 46;

impl CredentialName {
    /// 1 to 255 of `A-Z a-z 0-9 _ . @ -`, not beginning with a dot.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for anything else.
    pub fn parse(name: &str) -> Result<Self> {
        refuse_a_key(name.as_bytes())?;
        let allowed = |character: char| character.is_ascii_alphanumeric() || "_.@-".contains(character);
        if name.is_empty() || name.len() > 255 || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(unsupported(
                "credential: takes the name of a credential, 1 to 255 of A-Z a-z 0-9 _ . @ -, not beginning with a dot",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn read(&self) -> Result<RootKey> {
        let directory = std::env::var_os(VARIABLE).filter(|directory| !directory.is_empty()).ok_or_else(|| {
            Error::NoRootKey(format!(
                "the environment variable {VARIABLE} is not set; systemd sets it for a service with LoadCredential="
            ))
        })?;
        self.read_in(&PathBuf::from(directory))
    }

    pub(super) fn read_in(&self, directory: &Path) -> Result<RootKey> {
        if !directory.is_absolute() {
            return Err(exposed(directory, "is no absolute path, and so not of systemd's making"));
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = open(CWD, directory, flags | OFlags::DIRECTORY, directory)?;
        let metadata = opened.metadata().map_err(|source| Error::file(directory, source))?;
        is_ours(&metadata, directory)?;
        if metadata.mode() & 0o027 != 0 {
            return Err(exposed(directory, "can be entered by others, or changed by its group"));
        }
        let path = directory.join(self.as_str());
        let mut file = open(&opened, Path::new(self.as_str()), flags | OFlags::NONBLOCK, &path)?;
        let metadata = file.metadata().map_err(|source| Error::file(&path, source))?;
        if metadata.is_dir() {
            return Err(Error::file(&path, rustix::io::Errno::ISDIR));
        }
        if !metadata.is_file() {
            return Err(exposed(&path, "is no regular file"));
        }
        is_ours(&metadata, &path)?;
        // Where systemd lets a service's user in by an access control list, the mask of the list stands in the place of
        // the group's rights, and the file is root's.
        let allowed = if metadata.uid() == 0 { 0o740 } else { 0o700 };
        if metadata.mode() & 0o777 & !allowed != 0 {
            return Err(exposed(&path, "can be read or written by others"));
        }
        let mut text = Zeroizing::new([0; MOST_BYTES]);
        let mut length = 0;
        while length < text.len() {
            match file.read(&mut text[length..]).map_err(|source| Error::file(&path, source))? {
                0 => break,
                count => length += count,
            }
        }
        RootKey::from_text(&text[..length], || path.display().to_string())
    }
}

fn open(at: impl std::os::fd::AsFd, name: &Path, flags: OFlags, path: &Path) -> Result<File> {
    match rustix::fs::openat(at, name, flags, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::LOOP) => Err(exposed(path, "is a symbolic link, which systemd never makes there")),
        Err(errno) => Err(Error::file(path, errno)),
    }
}

fn is_ours(metadata: &std::fs::Metadata, path: &Path) -> Result<()> {
    match metadata.uid() {
        0 => Ok(()),
        user if user == rustix::process::geteuid().as_raw() => Ok(()),
        _ => Err(exposed(path, "belongs to another user")),
    }
}

fn exposed(path: &Path, why: &str) -> Error {
    Error::ExposedRootKey { path: path.to_owned(), why: why.to_owned() }
}

//! Whose account the server runs under.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User, geteuid};

/// The account of a server's processes and files: ours, but never root's, which PostgreSQL refuses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    other: Option<(u32, u32)>,
}

impl Account {
    /// Our own account; for root the one that every system has for what shall own nothing.
    pub(crate) fn of_servers() -> Self {
        if !geteuid().is_root() {
            return Self { other: None };
        }
        let nobody = User::from_name("nobody").ok().flatten();
        // `initdb` asks for the name of its account, so a number without one would not do.
        let nobody = nobody
            .or_else(|| User::from_uid(Uid::from_raw(65534)).ok().flatten())
            .expect("PostgreSQL refuses to run as root, and this system has no account `nobody` to run it under");
        Self { other: Some((nobody.uid.as_raw(), nobody.gid.as_raw())) }
    }

    /// Whether that is somebody else than we are.
    pub(crate) fn is_other(self) -> bool {
        self.other.is_some()
    }

    /// Has `command` run under this account.
    pub(crate) fn run(self, command: &mut Command) {
        if let Some((user, group)) = self.other {
            // Setting the user as root drops the supplementary groups as well.
            command.uid(user).gid(group);
        }
    }

    /// Gives a file of ours to this account.
    pub(crate) fn own(self, path: &Path) {
        if let Some((user, group)) = self.other {
            std::os::unix::fs::chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("cannot give {} to the server: {error}", path.display()));
        }
    }
}

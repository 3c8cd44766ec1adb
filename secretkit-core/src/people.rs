//! Who acts, and what they may do.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Fault, Result};

/// Who did it, as the head of a secret records it: 1 to 256 bytes of text without control characters.
///
/// Like tags, descriptions and [`Consumer`](crate::Consumer)s it may hold characters that turn a line around or stay unseen,
/// such as U+202E. Escape them where somebody reads it, in a terminal or a log; the command `secretkit` does.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// The longest actor, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// The actor of this name.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it is empty, too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::InvalidMetadata { field: "actor", fault: Fault::Empty });
        }
        checked_text("actor", text, Self::MAX_BYTES)?;
        Ok(Self(text.into()))
    }

    /// `user@host` of this process: the user from `USER` or `LOGNAME`, else the number of the uid.
    ///
    /// A name to read in a listing, not a proof of identity: whoever runs the process chooses it.
    #[must_use]
    pub fn of_this_process() -> Self {
        let user = ["USER", "LOGNAME"]
            .iter()
            .find_map(|variable| std::env::var(variable).ok().filter(|user| !user.is_empty()))
            .unwrap_or_else(|| format!("uid{}", rustix::process::getuid().as_raw()));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self::parse(&format!("{user}@{host}")).unwrap_or_else(|_| Self("unknown".into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// What the holder of a [`Secrets`](crate::Secrets) may do, spelled out by the host.
///
/// It is a guard rail and not a wall: code in the same process can reach the store and the key itself. The wall is
/// which keys and which database rights the process is given.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Access {
    /// Everything, everywhere.
    Unrestricted,
}

/// Text for people: at most `limit` bytes, and no control characters, with which it could drive a terminal.
///
/// What turns the order of a line around, ends one for some readers or stays unseen passes: rows that are there already
/// are read by this too, and must stay readable. Whoever shows such text escapes it.
pub(crate) fn checked_text(field: &'static str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit {
        return Err(Error::InvalidMetadata { field, fault: Fault::TooLong { length: text.len(), limit } });
    }
    match text.char_indices().find(|&(_, character)| character.is_control()) {
        Some((at, _)) => Err(Error::InvalidMetadata { field, fault: Fault::Character { at } }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Actor;

    /// Run by the test below in a process of its own, since a process must not change its environment while it has threads.
    #[test]
    #[expect(clippy::print_stdout, reason = "the test below reads it")]
    fn child_says_who_it_is() {
        print!("actor={}", Actor::of_this_process());
    }

    #[test]
    fn who_runs_a_process_is_the_first_user_that_is_named_or_else_the_number() {
        let child = |user: Option<&str>, logname: Option<&str>| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "people::tests::child_says_who_it_is", "--nocapture"]);
            for (name, value) in [("USER", user), ("LOGNAME", logname)] {
                command.env_remove(name).envs(value.map(|value| (name, value)));
            }
            let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
            told.split_once("actor=").unwrap().1.split_once('@').unwrap().0.to_owned()
        };
        assert_eq!(child(Some("alice"), Some("bob")), "alice");
        assert_eq!(child(Some(""), Some("bob")), "bob");
        assert_eq!(child(None, Some("bob")), "bob");
        assert_eq!(child(Some(""), None), format!("uid{}", rustix::process::getuid().as_raw()));
    }
}

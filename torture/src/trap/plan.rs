//! What is to happen to the calls of a process.

use std::fmt;
use std::str::FromStr;

/// What happens to a process, and at which of its calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plan {
    /// Nothing: its calls are only written down.
    Watch,
    /// It is killed at the call of this number, counted from 1.
    Kill { at: u64, moment: Moment },
    /// So many calls fail, from this one of their kind on.
    Fail { fault: Fault, from: u64, times: u64 },
}

/// Where in a call the process is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    Before,
    /// When half of the bytes of a write are written; the same as `Before` for all other calls.
    Within,
    After,
}

/// What a call is, as far as faults tell them apart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Unlink,
    Rename,
}

/// A way in which calls of one kind fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) how: How,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    /// With this error, and nothing done.
    Error(i32),
    /// Half of the bytes are written, which is no error.
    Short,
}

/// Every fault, by the name that reports give it.
pub(crate) const FAULTS: [(&str, Fault); 14] = [
    ("fsync-eio", Fault { kind: Kind::Sync, how: How::Error(libc::EIO) }),
    ("fsync-enospc", Fault { kind: Kind::Sync, how: How::Error(libc::ENOSPC) }),
    ("fsync-eintr", Fault { kind: Kind::Sync, how: How::Error(libc::EINTR) }),
    ("write-enospc", Fault { kind: Kind::Write, how: How::Error(libc::ENOSPC) }),
    ("write-eio", Fault { kind: Kind::Write, how: How::Error(libc::EIO) }),
    ("write-eintr", Fault { kind: Kind::Write, how: How::Error(libc::EINTR) }),
    ("write-short", Fault { kind: Kind::Write, how: How::Short }),
    ("read-eio", Fault { kind: Kind::Read, how: How::Error(libc::EIO) }),
    ("open-emfile", Fault { kind: Kind::Open, how: How::Error(libc::EMFILE) }),
    ("open-erofs", Fault { kind: Kind::Open, how: How::Error(libc::EROFS) }),
    ("open-eintr", Fault { kind: Kind::Open, how: How::Error(libc::EINTR) }),
    ("truncate-eio", Fault { kind: Kind::Truncate, how: How::Error(libc::EIO) }),
    ("unlink-eio", Fault { kind: Kind::Unlink, how: How::Error(libc::EIO) }),
    ("rename-eio", Fault { kind: Kind::Rename, how: How::Error(libc::EIO) }),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = FAULTS.iter().find(|(_, fault)| fault == self);
        f.write_str(named.map_or("no fault", |(name, _)| name))
    }
}

/// As one argument of a command line.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch => f.write_str("watch"),
            Self::Kill { at, moment } => write!(f, "kill:{moment:?}:{at}"),
            Self::Fail { fault, from, times } => write!(f, "fail:{fault}:{from}:{times}"),
        }
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(':').collect();
        let number = |text: &str| text.parse().map_err(|_| format!("no number: {text}"));
        match parts.as_slice() {
            ["watch"] => Ok(Self::Watch),
            ["kill", moment, at] => {
                let moments = [Moment::Before, Moment::Within, Moment::After];
                let found = moments.into_iter().find(|known| format!("{known:?}") == *moment);
                Ok(Self::Kill { at: number(at)?, moment: found.ok_or("no such moment")? })
            }
            ["fail", name, from, times] => {
                let found = FAULTS.iter().find(|(known, _)| known == name);
                let (_, fault) = found.ok_or("no such fault")?;
                Ok(Self::Fail { fault: *fault, from: number(from)?, times: number(times)? })
            }
            _ => Err(format!("no plan: {text}")),
        }
    }
}

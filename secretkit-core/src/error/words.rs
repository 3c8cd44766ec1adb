//! How messages write what an error carries.

use super::{Error, ErrorKind, file_kind};
use crate::id::SecretName;
use crate::record::Generation;
use crate::scope::Scope;
use crate::usage::Consumer;

/// Words of ours for what people meet every day, and the system's own for the rest.
pub(super) fn io_words(source: &std::io::Error) -> String {
    match file_kind(source) {
        ErrorKind::FileMissing => "no such file".to_owned(),
        ErrorKind::AlreadyExists => "something stands there already".to_owned(),
        ErrorKind::FileIsDirectory => "is a directory, not a file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => source.to_string(),
    }
}

pub(super) struct Searched<'a>(pub(super) &'a [Scope]);

impl std::fmt::Display for Searched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

pub(super) struct Several<'a>(pub(super) &'a [(SecretName, Vec<Scope>)]);

impl std::fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, searched)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{name} (searched {})", Searched(searched))?;
        }
        Ok(())
    }
}

/// As many as fit into a message.
pub(super) struct Named<'a>(pub(super) &'a [Consumer]);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MOST: usize = 20;
        for (index, consumer) in self.0.iter().take(MOST).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{consumer}")?;
        }
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A line that can be told.
pub(super) struct AtLine(pub(super) usize);

impl std::fmt::Display for AtLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ", line {}", self.0) }
    }
}

/// As many as fit into a message.
pub(super) struct Each<'a>(pub(super) &'a [Error]);

impl std::fmt::Display for Each<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MOST: usize = 20;
        for (index, error) in self.0.iter().take(MOST).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

pub(super) struct FoundAt<'a>(pub(super) &'a Option<Generation>);

impl std::fmt::Display for FoundAt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(generation) => write!(f, "is at {generation}"),
            None => f.write_str("is gone"),
        }
    }
}

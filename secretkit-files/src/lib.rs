//! Files that are put in place whole, and the directories that they stand in.
//!
//! A root key, an anchor, an export, a new store and a backup have this in common: whoever looks finds nothing, the old one
//! or the new one, and what was said to be there is there after a power cut. So each is written under a name of its own,
//! synced, given its name in one step, and its directory is synced.
//!
//! You are probably looking for the crate `secretkit`, which is made of this.
//!
//! ```
//! use secretkit_files::{Existing, NewFile, Put};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = &directory.path().join("list");
//! let new = NewFile::written(path, ".list-", b"whole")?;
//! assert!(!path.exists());
//! assert_eq!(new.put(Existing::Refuse)?, Put::InPlace);
//! assert_eq!(std::fs::read(path)?, b"whole");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod directory;
mod make;
mod new_file;

// The public interface is:
pub use directory::{Directory, directory_of};
pub use make::make_directory;
pub use new_file::{Existing, NewFile, Put};

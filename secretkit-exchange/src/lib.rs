//! Files in and out of secretkit: imports, exports and templates.
//!
//! You are probably looking for the `secretkit` command, whose `import`, `export` and `render` are made of this. It is a
//! crate of its own, because no application should have to link the parsers.
//!
//! ```
//! use secretkit_exchange::Format;
//!
//! let entries = Format::Dotenv.read(b"API_KEY='k3y'\n")?;
//! assert_eq!(entries[0].name.to_string(), "API_KEY");
//! assert_eq!(entries[0].value.expose_secret(), b"k3y");
//! # Ok::<(), secretkit_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod format;

mod directory;
mod dotenv;
mod json;
mod nextflow;
mod unescape;

mod tags;
mod template;

mod file;
mod transfer;

// The public interface is:
pub use directory::{read_directory, write_directory};
pub use file::{check_place, read_file, read_file_up_to, write_file};
pub use format::{Entry, Format, MAX_INPUT_BYTES};
pub use secretkit_files::Existing;
pub use template::Template;
pub use transfer::{Imported, Reach, Selected, check_lengths, import, plan, select, values};

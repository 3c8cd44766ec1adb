//! What people keep about a secret beside its value. Readable to whoever can read the store, but not alterable.

use std::sync::Arc;

use crate::error::{Error, Fault, Result};
use crate::people::checked_text;
use crate::time::Timestamp;

/// What people keep about a secret beside its value.
///
/// Descriptions and tags are not encrypted: whoever can read the store can read them. They are authenticated, so a
/// change behind secretkit's back is an error on the next read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these are columns; a store must not miss a new one")]
pub struct Metadata {
    /// Since when it is switched off, and answers a read with an error; `None` where it is active.
    pub inactive_since: Option<Timestamp>,
    /// From when on it may not be read; `None` lasts for ever.
    pub expires_at: Option<Timestamp>,
    /// Free text for people.
    pub description: Option<Description>,
    /// Labels to find it by.
    pub tags: Tags,
}

/// Active, without expiry, description or tags.
impl Default for Metadata {
    fn default() -> Self {
        Self { inactive_since: None, expires_at: None, description: None, tags: Tags::default() }
    }
}

impl Metadata {
    /// Whether it may be read, as far as its switch says.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.inactive_since.is_none()
    }
}

/// Free text for people: 1 byte to 1 KiB without control characters. An absent one is `None`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description(Arc<str>);

impl Description {
    /// The longest description, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// The description with this text.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it is empty, too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::InvalidMetadata { field: "description", fault: Fault::Empty });
        }
        checked_text("description", text, Self::MAX_BYTES)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Up to 32 labels of 1 to 64 bytes without control characters, each once, in byte order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tags(Arc<[Box<str>]>);

impl Tags {
    /// The most tags that one secret has.
    pub const MAX_COUNT: usize = 32;
    /// The longest tag, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// These tags, sorted, each once.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where one is empty, too long or holds control characters, or there are too many.
    pub fn parse<'a>(tags: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut sorted = std::collections::BTreeSet::new();
        for tag in tags {
            if tag.is_empty() {
                return Err(Error::InvalidMetadata { field: "tag", fault: Fault::Empty });
            }
            checked_text("tag", tag, Self::MAX_BYTES)?;
            sorted.insert(tag);
            if sorted.len() > Self::MAX_COUNT {
                return Err(Error::InvalidMetadata {
                    field: "tags",
                    fault: Fault::Shape("a secret has at most 32 of them"),
                });
            }
        }
        Ok(Self(sorted.into_iter().map(Box::from).collect()))
    }

    /// From the one text that [`to_column`](Self::to_column) wrote.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] for a text that it cannot have written.
    pub fn from_column(column: &str) -> Result<Self> {
        let tags = if column.is_empty() { Self::default() } else { Self::parse(column.split('\n'))? };
        if tags.to_column() == column {
            Ok(tags)
        } else {
            Err(Error::InvalidMetadata { field: "tags", fault: Fault::Shape("they are not sorted, each once") })
        }
    }

    /// The one text that a store keeps: the tags joined by line breaks, which no tag holds.
    #[must_use]
    pub fn to_column(&self) -> String {
        self.0.join("\n")
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.0.binary_search_by(|held| (**held).cmp(tag)).is_ok()
    }

    /// The tags in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

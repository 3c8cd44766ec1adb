//! What to change of what people keep about a secret.

use crate::error::{Error, Fault, Result};
use crate::filter::Activity;
use crate::metadata::{Description, Metadata, Tags};
use crate::time::Timestamp;

/// What to do with one field that may be absent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to do with a field")]
pub enum Setting<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Put this in.
    Set(T),
    /// Take it away.
    Clear,
}

impl<T: Clone> Setting<T> {
    fn apply(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Set(value) => *field = Some(value.clone()),
            Self::Clear => *field = None,
        }
    }
}

/// What to change of a secret's metadata. The default changes nothing.
///
/// ```
/// use secretkit_core::{Expiry, MetadataEdit, Setting, Tags};
/// # let now = secretkit_core::Timestamp::from_micros(0);
///
/// let mut edit = MetadataEdit::default();
/// edit.expires_at = Setting::Set("90d".parse::<Expiry>()?.at(now)?);
/// edit.add_tags = Tags::parse(["payroll", "eu"])?;
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MetadataEdit {
    /// Whether it may be read from now on.
    pub activity: Option<Activity>,
    /// From when on it may not be read any more. One that has passed is refused, and so is one beyond the calendar, as of
    /// the year 10000.
    pub expires_at: Setting<Timestamp>,
    /// Free text for people.
    pub description: Setting<Description>,
    /// All labels at once.
    pub tags: Setting<Tags>,
    /// Then takes these away.
    pub remove_tags: Tags,
    /// Then adds these.
    pub add_tags: Tags,
    /// How many superseded values to keep; fewer than there are removes the oldest now.
    pub keep: Setting<u32>,
}

impl MetadataEdit {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts the change into `metadata` and `keep` of a secret.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] for an expiry that has passed or lies beyond the calendar, or too many tags.
    pub(crate) fn apply(&self, metadata: &mut Metadata, keep: &mut Option<u32>, now: Timestamp) -> Result<()> {
        let Self { activity, expires_at, description, tags, remove_tags, add_tags, keep: keep_edit } = self;
        if matches!(expires_at, Setting::Set(at) if *at <= now) {
            let fault = Fault::Shape("it has passed already; to switch a secret off, make it inactive");
            return Err(Error::InvalidMetadata { field: "expiry", fault });
        }
        // A row with such an expiry could be read, and no listing could say when it ends.
        if matches!(expires_at, Setting::Set(at) if !at.is_in_the_calendar()) {
            let fault = Fault::Shape("it lies beyond the calendar");
            return Err(Error::InvalidMetadata { field: "expiry", fault });
        }
        match activity {
            Some(Activity::Active) => metadata.inactive_since = None,
            // What is off already stays off since then.
            Some(Activity::Inactive) => {
                metadata.inactive_since.get_or_insert(now);
            }
            None => {}
        }
        expires_at.apply(&mut metadata.expires_at);
        description.apply(&mut metadata.description);
        keep_edit.apply(keep);
        let held = match tags {
            Setting::Keep => metadata.tags.clone(),
            Setting::Set(tags) => tags.clone(),
            Setting::Clear => Tags::default(),
        };
        metadata.tags = Tags::parse(held.iter().filter(|tag| !remove_tags.contains(tag)).chain(add_tags.iter()))?;
        Ok(())
    }
}

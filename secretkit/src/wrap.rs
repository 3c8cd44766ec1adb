//! What a host puts around its store.

use std::fmt;
use std::sync::Arc;

use secretkit_core::SecretStore;

/// What a host puts around each store that [`Settings`](crate::Settings) open, whichever it is: what tells its monitoring of
/// every call, a cache, or both, the inner one first.
///
/// ```
/// use std::sync::Arc;
/// use secretkit::{Settings, StoreWrapper};
/// use secretkit_observe::ObservedStore;
///
/// let mut settings = Settings::default();
/// settings.store = Some("memory:".parse()?);
/// settings.wrapper = Some(StoreWrapper::new(|store| Arc::new(ObservedStore::new(store))));
/// let secrets = settings.open_existing()?;
/// # let _ = secrets;
/// # Ok::<(), secretkit::Error>(())
/// ```
#[derive(Clone)]
pub struct StoreWrapper(Arc<Wrap>);

type Wrap = dyn Fn(Arc<dyn SecretStore>) -> Arc<dyn SecretStore> + Send + Sync;

impl StoreWrapper {
    /// By this function, which is called once for each store that is opened.
    #[must_use]
    pub fn new(wrap: impl Fn(Arc<dyn SecretStore>) -> Arc<dyn SecretStore> + Send + Sync + 'static) -> Self {
        Self(Arc::new(wrap))
    }

    pub(crate) fn around(&self, store: Arc<dyn SecretStore>) -> Arc<dyn SecretStore> {
        (self.0)(store)
    }
}

impl fmt::Debug for StoreWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreWrapper")
    }
}

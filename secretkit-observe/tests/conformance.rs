//! A store that is observed is the store that it was.

use std::sync::Arc;

use secretkit_core::MemoryStore;
use secretkit_observe::ObservedStore;

secretkit_core::conformance_tests!(&|| Arc::new(ObservedStore::new(Arc::new(MemoryStore::new()))));

//! The gate between blocking work and `fork`.
//!
//! Work that blocks runs detached from the interpreter, so another thread may fork in the middle of it. The child
//! would then inherit locks whose holder it does not have. So all such work goes through this gate, and a fork waits
//! until nobody is inside.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use pyo3::prelude::*;

static GATE: RwLock<()> = RwLock::new(());

thread_local! {
    /// The closed gate, held by the thread that forks, which is the one thread that the child has too.
    static CLOSED: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Runs work that may block, while other Python threads go on.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let _inside = GATE.read().unwrap_or_else(PoisonError::into_inner);
        work()
    })
}

/// Waits until nobody is inside and keeps the gate closed: to be called before a fork.
#[pyfunction]
fn close_gate(py: Python<'_>) {
    let closed = loop {
        // Whoever is inside may need the interpreter to get out again, so the wait is detached from it.
        py.detach(|| drop(GATE.write().unwrap_or_else(PoisonError::into_inner)));
        if let Ok(closed) = GATE.try_write() {
            break closed;
        }
    };
    CLOSED.set(Some(closed));
}

/// Opens the gate: to be called after a fork, in the parent and in the child.
#[pyfunction]
fn open_gate() {
    CLOSED.take();
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(close_gate, module)?)?;
    module.add_function(wrap_pyfunction!(open_gate, module)?)
}

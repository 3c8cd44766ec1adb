//! The gate between blocking work and `fork`.
//!
//! Work that blocks runs detached from the interpreter, so another thread may fork in the middle of it. The child
//! would then inherit locks whose holder it does not have. So all such work goes through this gate, and a fork waits
//! until nobody is inside. Whoever comes while it waits has to wait too, so that a fork's turn comes.

use std::cell::RefCell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

struct Traffic {
    inside: usize,
    closed: bool,
}

static TRAFFIC: Mutex<Traffic> = Mutex::new(Traffic { inside: 0, closed: false });
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// What the thread that forks holds meanwhile. It is the one thread that the child has too.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

struct Held {
    traffic: MutexGuard<'static, Traffic>,
    locks: Vec<Py<PyAny>>,
    interrupted: bool,
}

/// Runs work that may block, while other Python threads go on.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let _inside = Inside::enter();
        work()
    })
}

/// Whoever is counted, for as long as this lives.
struct Inside {
    is_counted: bool,
}

impl Inside {
    fn enter() -> Self {
        // The thread that forks may come in hooks of others, before the fork or after it: it holds the gate, and its work
        // ends before it goes on.
        if HELD.with_borrow(Option::is_some) {
            return Self { is_counted: false };
        }
        let mut traffic = wait_while(traffic(), |traffic| traffic.closed);
        traffic.inside += 1;
        Self { is_counted: true }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !self.is_counted {
            return;
        }
        let mut traffic = traffic();
        traffic.inside -= 1;
        if traffic.inside == 0 {
            CHANGED.notify_all();
        }
    }
}

fn traffic() -> MutexGuard<'static, Traffic> {
    TRAFFIC.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while<'a>(guard: MutexGuard<'a, Traffic>, condition: impl Fn(&Traffic) -> bool) -> MutexGuard<'a, Traffic> {
    CHANGED.wait_while(guard, |traffic| condition(traffic)).unwrap_or_else(PoisonError::into_inner)
}

/// Takes these locks and closes the gate: to be called before a fork. Ctrl-C meanwhile is kept for afterwards, because
/// Python forks all the same where this fails.
#[pyfunction]
fn close_gate(py: Python<'_>, locks: Vec<Py<PyAny>>) -> PyResult<()> {
    let mut interrupted = false;
    for (taken, lock) in locks.iter().enumerate() {
        while let Err(error) = lock.call_method0(py, "acquire") {
            if !error.is_instance_of::<PyKeyboardInterrupt>(py) {
                release(py, &locks[..taken])?;
                return Err(error);
            }
            interrupted = true;
        }
    }
    // Whoever is inside may need the interpreter to get out again, so the wait is detached from it.
    py.detach(|| {
        let mut traffic = wait_while(traffic(), |traffic| traffic.closed);
        traffic.closed = true;
        drop(wait_while(traffic, |traffic| traffic.inside > 0));
    });
    // Nobody holds this for longer than a moment, and nobody who does needs the interpreter.
    HELD.set(Some(Held { traffic: traffic(), locks, interrupted }));
    Ok(())
}

/// Gives back what [`close_gate`] took in this thread: to be called after a fork in the parent, where Ctrl-C that came
/// meanwhile is raised after the hook: in it, Python would ignore it.
#[pyfunction]
fn open_gate_in_parent(py: Python<'_>) -> PyResult<()> {
    if open_gate(py)? {
        py.import("_thread")?.call_method0("interrupt_main")?;
    }
    Ok(())
}

/// The same in the child, which nobody interrupted.
#[pyfunction]
fn open_gate_in_child(py: Python<'_>) -> PyResult<()> {
    open_gate(py).map(drop)
}

/// Says whether Ctrl-C came meanwhile.
fn open_gate(py: Python<'_>) -> PyResult<bool> {
    let Some(Held { mut traffic, locks, interrupted }) = HELD.take() else { return Ok(false) };
    traffic.closed = false;
    drop(traffic);
    CHANGED.notify_all();
    release(py, &locks)?;
    Ok(interrupted)
}

fn release(py: Python<'_>, locks: &[Py<PyAny>]) -> PyResult<()> {
    locks.iter().rev().try_for_each(|lock| lock.call_method0(py, "release").map(drop))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(close_gate, module)?)?;
    module.add_function(wrap_pyfunction!(open_gate_in_child, module)?)?;
    module.add_function(wrap_pyfunction!(open_gate_in_parent, module)?)
}

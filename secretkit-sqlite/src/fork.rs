//! What becomes of open stores when the process forks.
//!
//! A connection must not be open across a fork. The child inherits SQLite's belief that this process holds the file's
//! locks, and the kernel's record that it does not: whoever closes the file last then removes the log under the child,
//! and with it what the child went on to commit. Leaving the inherited connection alone does not help, because the
//! belief belongs to the file and not to the connection.
//!
//! So every connection is closed before the fork, and both sides open their own again when they need one. A gate keeps
//! everybody out of SQLite meanwhile, so that the child inherits none of its locks held by a thread it does not have.

#![allow(unsafe_code, reason = "only libc tells when a fork is about to happen")]

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use secretkit_core::{Error, Result};

use crate::connections::Connections;
use crate::place::Place;

/// Shut while the process forks. Whoever uses SQLite is inside.
static GATE: RwLock<()> = RwLock::new(());

/// Everything that is to be closed before a fork. Touched only inside the gate, or by the thread that shut it.
static OPEN: Mutex<Vec<Weak<Connections>>> = Mutex::new(Vec::new());

/// The process that the handlers below last ran in.
static PROCESS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The shut gate, held by the thread that forks: the one thread that the child has too.
    static SHUT: RefCell<Option<Shut>> = const { RefCell::new(None) };
}

struct Shut {
    gate: RwLockWriteGuard<'static, ()>,
    /// Kept until the gate is open again: to drop the last owner of a store means to go inside.
    stores: Vec<Arc<Connections>>,
}

/// Waits while a fork is under way, and keeps the next one waiting until the guard is dropped.
///
/// # Errors
/// [`Error::Store`] in a child that was cloned behind libc's back. What it inherited cannot be made safe there.
pub(crate) fn enter(place: &Place) -> Result<RwLockReadGuard<'static, ()>> {
    watch(place)?;
    if is_foreign() {
        let source = "this process was cloned without the handlers of fork(); open the store in one that was not";
        return Err(Error::Store { store: place.to_string(), source: source.into() });
    }
    Ok(GATE.read().unwrap_or_else(PoisonError::into_inner))
}

/// Whether this process was cloned behind libc's back, so that all it has of any store belongs to its parent.
fn is_foreign() -> bool {
    PROCESS.load(Ordering::Relaxed) != std::process::id()
}

/// Has these closed before every fork to come. The caller is inside the gate.
pub(crate) fn close_before(connections: &Arc<Connections>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|other| other.strong_count() > 0);
    open.push(Arc::downgrade(connections));
}

/// Installs the handlers, once for a process and all its children.
fn watch(place: &Place) -> Result<()> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        PROCESS.store(std::process::id(), Ordering::Relaxed);
        // SAFETY: The three handlers are functions of this program, which is never unloaded while it runs, and they
        // keep to what a handler may do: they run in the thread that forks, before and after the fork, with no lock of
        // libc's held.
        unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) == 0 }
    });
    if *installed {
        Ok(())
    } else {
        Err(Error::Store { store: place.to_string(), source: "no memory to watch for forks".into() })
    }
}

extern "C" fn before() {
    let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let stores: Vec<_> = open.iter().filter_map(Weak::upgrade).collect();
    drop(open);
    for store in &stores {
        store.close();
    }
    // It fails only in a thread that is ending, where the gate opens again at once.
    let _ = SHUT.try_with(|shut| shut.replace(Some(Shut { gate, stores })));
}

extern "C" fn after_in_parent() {
    if let Ok(Some(Shut { gate, stores })) = SHUT.try_with(RefCell::take) {
        drop(gate);
        drop(stores);
    }
}

extern "C" fn after_in_child() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    after_in_parent();
}

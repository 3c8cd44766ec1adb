//! Doing the same several times at once, where the machine has the processors for it.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, Builder};

/// More of them would wait for the store.
const MOST: usize = 4;

/// How many threads there is work for.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}

/// What `work` makes of each, in their order: of the first here, and of each other in a thread of its own, which ends
/// before this returns.
pub(super) fn each<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let Some((first, others)) = items.split_first() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let start = |item| (item, Builder::new().spawn_scoped(scope, move || work(item)));
        let started: Vec<_> = others.iter().map(start).collect();
        let mut done = Vec::with_capacity(items.len());
        done.push(work(first));
        done.extend(started.into_iter().map(|(item, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system has no thread to give.
            Err(_) => work(item),
        }));
        done
    })
}

//! Somebody who is told, and remembers what.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use secretkit_core::store::{Listener, Notice};

#[derive(Debug, Default)]
pub(crate) struct Ears {
    heard: Mutex<Vec<Notice>>,
    more: Condvar,
}

impl Listener for Ears {
    fn hear(&self, notice: &Notice) {
        self.heard.lock().unwrap().push(notice.clone());
        self.more.notify_all();
    }
}

impl Ears {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until this was heard so many times in all.
    pub(crate) fn wait_for(&self, notice: &Notice, times: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut heard = self.heard.lock().unwrap();
        while heard.iter().filter(|other| *other == notice).count() < times {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{notice:?} was not heard {times} times among {heard:?}");
            heard = self.more.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// What was heard since this was last asked.
    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

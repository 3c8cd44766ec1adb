//! What becomes of an open store when the process forks.
//!
//! The child has no thread of ours, and its copies of the sockets are the parent's: whatever it said on them the server
//! would take for the parent's. So each process has connections of its own, made when it first needs them, and never
//! touches those that it inherited.

use std::sync::{Arc, OnceLock};

use secretkit_core::Result;

use crate::runtime::Engine;
use crate::settings::Settings;

/// The connections of this process, behind those of the processes that it comes from.
///
/// Nothing here waits for a thread that a fork could have left behind.
pub(crate) struct Engines {
    engine: Option<Engine>,
    of_child: OnceLock<Box<Self>>,
}

impl Engines {
    pub(crate) fn start(settings: &Arc<Settings>) -> Result<Self> {
        Ok(Self { engine: Some(Engine::start(settings)?), of_child: OnceLock::new() })
    }

    /// Those of this process.
    ///
    /// # Errors
    /// Those of [`Engine::start`], in a process that has none yet.
    pub(crate) fn current(&self, settings: &Arc<Settings>) -> Result<&Engine> {
        let mut last = self;
        loop {
            while let Some(next) = last.of_child.get() {
                last = next;
            }
            match &last.engine {
                Some(engine) if engine.is_ours() => return Ok(engine),
                _ => {
                    let ours = Self::start(settings)?;
                    // Where another thread was faster, its is used.
                    drop(last.of_child.set(Box::new(ours)));
                }
            }
        }
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.end();
        }
    }
}

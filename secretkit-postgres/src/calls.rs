//! Which call something is of, so that the server can tell what was on its way before from what is new.

use std::sync::atomic::{AtomicU64, Ordering};

use secretkit_core::store::Token;
use secretkit_core::{Error, Result};

/// Numbers the calls of one open store.
pub(crate) struct Calls {
    /// Of this store, whichever process it is in.
    random: [u8; 4],
    next: AtomicU64,
}

impl Calls {
    /// # Errors
    /// [`Error::NoRandomness`].
    pub(crate) fn start() -> Result<Self> {
        let random = *Token::generate()?.as_bytes().first_chunk().ok_or(Error::NoRandomness)?;
        Ok(Self { random, next: AtomicU64::new(1) })
    }

    /// A token as a call that begins now sends it. A child that was forked is somebody else.
    pub(crate) fn signed(&self, token: &Token) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        [token.as_bytes().as_slice(), &self.random, &std::process::id().to_be_bytes(), &number.to_be_bytes()].concat()
    }
}

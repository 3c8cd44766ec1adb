//! Plaintext in memory, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn no_copy_of_a_value_outlives_it() {
    secretkit_torture::memory(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

//! Disks that fail, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn a_call_that_fails_is_a_typed_error_and_no_false_acknowledgement() {
    secretkit_torture::faults(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

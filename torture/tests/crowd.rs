//! A crowd of processes, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn processes_that_meet_while_keys_change_get_no_error() {
    secretkit_torture::crowd(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

//! Servers that stall and connections that break, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn a_server_that_stalls_is_a_typed_error_in_time_and_needs_no_restart() {
    secretkit_torture::stalls(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

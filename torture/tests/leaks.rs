//! A server that is searched for values, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn no_value_is_found_in_what_a_server_keeps_and_says() {
    secretkit_torture::leaks(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

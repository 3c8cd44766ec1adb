//! Power cuts, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_call() {
    secretkit_torture::power(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

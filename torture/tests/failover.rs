//! Primaries that are lost, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn what_was_acknowledged_survives_the_loss_of_the_primary() {
    secretkit_torture::failover(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

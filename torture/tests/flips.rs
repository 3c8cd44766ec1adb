//! Flipped bits, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn no_flipped_bit_changes_an_answer_and_what_vanishes_is_missed() {
    secretkit_torture::flips(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

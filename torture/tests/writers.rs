//! Writers that meet in one PostgreSQL store, for some seconds.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::path::Path;

#[test]
fn writers_that_meet_leave_dense_revisions_with_one_winner_each() {
    secretkit_torture::writers(Path::new(env!("CARGO_BIN_EXE_torture")), secretkit_torture::Size::Short);
}

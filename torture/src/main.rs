//! `torture [CAMPAIGN]`: runs all campaigns whole, or one.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    std::process::exit(run(&arguments));
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn run(arguments: &[String]) -> i32 {
    secretkit_torture::main(arguments)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[allow(clippy::print_stdout, reason = "a skip says so")]
fn run(_arguments: &[String]) -> i32 {
    println!("skipped: all campaigns: a process can be watched on Linux only, on x86-64 and aarch64");
    0
}

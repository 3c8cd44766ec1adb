//! Every target over its corpus, and over mutations of each seed: the same ones on every machine.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use secretkit_fuzz_targets::mutator::Mutator;
use secretkit_fuzz_targets::{TARGETS, Target, named};

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn seeds(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = home().join("corpus").join(target.name);
    let seeds: Vec<_> =
        files_in(&folder).into_iter().map(|name| (folder.join(&name), fs::read(folder.join(name)).unwrap())).collect();
    assert!(seeds.len() >= 3, "{} has {} seeds", target.name, seeds.len());
    seeds
}

fn holds(target: Target, input: &[u8], what: impl FnOnce() -> String) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        let text: String = input.iter().flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
        panic!("{} does not hold for {}: b\"{text}\"", target.name, what());
    }
}

fn run(name: &str) {
    let (target, begun) = (named(name), Instant::now());
    let seeds = seeds(target);
    for (path, seed) in &seeds {
        holds(target, seed, || path.display().to_string());
    }
    for (at, (path, seed)) in seeds.iter().enumerate() {
        let file = path.file_name().unwrap().to_str().unwrap();
        let mut mutator = Mutator::new(file);
        for number in 0..target.mutations.div_ceil(seeds.len()) {
            let other = &seeds[(at + 1 + mutator.below(seeds.len() - 1)) % seeds.len()].1;
            let input = mutator.mutated(seed, other);
            holds(target, &input, || format!("mutation {number} of {file}"));
        }
    }
    println!("{name}: {} seeds and their mutations in {:.1} s", seeds.len(), begun.elapsed().as_secs_f64());
}

macro_rules! each {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let run: BTreeSet<_> = [$(stringify!($name)),*].map(str::to_owned).into();
            assert_eq!(run, TARGETS.iter().map(|target| target.name.to_owned()).collect());
            assert_eq!(run, files_in(&home().join("corpus")), "corpus/");
            let programs = files_in(&home().join("../fuzz/fuzz_targets"));
            assert_eq!(run, programs.iter().map(|name| name.strip_suffix(".rs").unwrap().to_owned()).collect());
        }
    };
}

each! {
    record canonical context event keyset names encoding dotenv json nextflow template directory root_key anchor store
    arguments completion
}

/// What these tests rest on: a property that does not hold is noticed.
#[test]
fn a_target_that_does_not_hold_is_noticed() {
    let mut fragile = named("names");
    fragile.run = |data| assert!(data.len() < 4);
    holds(fragile, b"abc", String::new);
    let noticed = catch_unwind(|| holds(fragile, b"abcd", || "itself".to_owned())).unwrap_err();
    let told = noticed.downcast_ref::<String>().unwrap();
    assert_eq!(told, "names does not hold for itself: b\"abcd\"");
}

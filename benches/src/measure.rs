//! Two things timed in turns, so that what disturbs one disturbs the other.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How long one turn lasts, and how many each side gets.
const TURN: Duration = Duration::from_millis(20);
const TURNS: usize = 25;

/// The time of one call on either side: the least of all turns, which is the one that was disturbed least.
pub(crate) struct Compared {
    pub(crate) baseline: f64,
    pub(crate) ours: f64,
}

/// Times both in turns.
pub(crate) fn compare<A, B>(
    mut baseline: impl FnMut() -> Outcome<A>,
    mut ours: impl FnMut() -> Outcome<B>,
) -> Outcome<Compared> {
    let calls = (calls_in_a_turn(&mut baseline)?, calls_in_a_turn(&mut ours)?);
    let mut least = Compared { baseline: f64::INFINITY, ours: f64::INFINITY };
    for _ in 0..TURNS {
        least.baseline = least.baseline.min(turn(calls.0, &mut baseline)?);
        least.ours = least.ours.min(turn(calls.1, &mut ours)?);
    }
    Ok(least)
}

fn calls_in_a_turn<T>(call: &mut impl FnMut() -> Outcome<T>) -> Outcome<u32> {
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < TURN {
        black_box(call()?);
        calls += 1;
    }
    Ok(calls)
}

/// Seconds for one call.
fn turn<T>(calls: u32, call: &mut impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let started = Instant::now();
    for _ in 0..calls {
        black_box(call()?);
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(calls))
}

pub(crate) fn print_headings() {
    println!("{:<42} {:<46} {:>9} {:>9}  VERDICT", "OPERATION", "BASELINE", "MEASURED", "AT MOST");
}

/// One line: what was measured in this unit, and what it may be.
pub(crate) fn print_row(operation: &str, baseline: &str, measured: f64, at_most: f64, unit: &str) {
    let verdict = if measured <= at_most { "ok" } else { "missed" };
    let (measured, at_most) = (format!("{measured:.2} {unit}"), format!("{at_most:.2} {unit}"));
    println!("{operation:<42} {baseline:<46} {measured:>9} {at_most:>9}  {verdict}");
}

impl Compared {
    /// One line: the ratio, and what it may be.
    pub(crate) fn print(&self, operation: &str, baseline: &str, at_most: f64) {
        print_row(operation, baseline, self.ours / self.baseline, at_most, "x");
        eprintln!("    ours {:.2} µs, baseline {:.2} µs", self.ours * 1e6, self.baseline * 1e6);
    }
}

//! Measuring two things in turn.

use std::time::{Duration, Instant};

use crate::Result;

/// How many batches each side gets.
const ROUNDS: usize = 400;

/// What the baseline and ours take for one operation, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) baseline: f64,
    pub(crate) ours: f64,
}

/// Does the operation so many times and says how long all of them took.
pub(crate) type Batch<'a> = dyn FnMut(u32) -> Result<Duration> + 'a;

/// For what computes: the fastest of many short batches, in turn. Whatever else runs on the machine only ever adds, so
/// the minimum is what the thing itself takes.
pub(crate) fn fastest(baseline: &mut Batch<'_>, ours: &mut Batch<'_>) -> Result<Pair> {
    let (mut pair, counts) = (Pair { baseline: f64::MAX, ours: f64::MAX }, (count(baseline)?, count(ours)?));
    for _ in 0..ROUNDS {
        pair.baseline = pair.baseline.min(each(baseline(counts.0)?, counts.0));
        pair.ours = pair.ours.min(each(ours(counts.1)?, counts.1));
    }
    Ok(pair)
}

/// For what crosses threads or interpreters: the medians of as many batches. How fast a thread wakes is part of what it
/// takes, and the fastest batch is the one that never had to wait.
pub(crate) fn usual(baseline: &mut Batch<'_>, ours: &mut Batch<'_>) -> Result<Pair> {
    let (mut of_baseline, mut of_ours) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    let counts = (count(baseline)?, count(ours)?);
    for _ in 0..ROUNDS {
        of_baseline.push(each(baseline(counts.0)?, counts.0));
        of_ours.push(each(ours(counts.1)?, counts.1));
    }
    Ok(Pair { baseline: median(of_baseline), ours: median(of_ours) })
}

/// The fastest for something that has no baseline here.
pub(crate) fn fastest_alone(operation: &mut Batch<'_>) -> Result<f64> {
    let times = count(operation)?;
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        least = least.min(each(operation(times)?, times));
    }
    Ok(least)
}

/// For what waits for a disk or another process: the medians of single operations, in turn. There the fastest is a
/// stroke of luck.
pub(crate) fn typical(rounds: usize, baseline: &mut Batch<'_>, ours: &mut Batch<'_>) -> Result<Pair> {
    in_turn(rounds, 1, baseline, ours)
}

/// The medians of so many batches of so many operations, in turn.
pub(crate) fn in_turn(rounds: usize, times: u32, baseline: &mut Batch<'_>, ours: &mut Batch<'_>) -> Result<Pair> {
    let (mut of_baseline, mut of_ours) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for round in 0..rounds {
        // Each goes first every other time: what the one leaves behind in a cache or a queue, the other meets as often.
        if round % 2 == 0 {
            of_baseline.push(each(baseline(times)?, times));
            of_ours.push(each(ours(times)?, times));
        } else {
            of_ours.push(each(ours(times)?, times));
            of_baseline.push(each(baseline(times)?, times));
        }
    }
    Ok(Pair { baseline: median(of_baseline), ours: median(of_ours) })
}

/// A batch of this operation, which is given its number, by so many threads that start together: what one operation
/// takes is the time that all of them took, divided.
pub(crate) fn by_threads(
    threads: u32,
    operation: impl Fn(u32) -> Result<()> + Sync,
) -> impl FnMut(u32) -> Result<Duration> {
    let mut first = 0;
    move |times| {
        let (numbers, operation) = (first..first + times, &operation);
        let run = |thread: u32| {
            let mut its = numbers.clone().filter(|number| number % threads == thread);
            its.try_for_each(operation).map_err(|error| error.to_string())
        };
        let run = &run;
        let start = Instant::now();
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
            running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread broke".to_owned())?)
        })?;
        first += times;
        Ok(start.elapsed())
    }
}

/// A batch of this operation, repeated in this process.
pub(crate) fn repeat<T>(mut operation: impl FnMut() -> Result<T>) -> impl FnMut(u32) -> Result<Duration> {
    move |times| {
        let start = Instant::now();
        for _ in 0..times {
            std::hint::black_box(operation()?);
        }
        Ok(start.elapsed())
    }
}

/// Hands out one item after the other, round and round, each far from the one before: what a cache holds by chance
/// helps neither side. It costs a nanosecond, which iterators that are chained for the same do not.
pub(crate) fn far_apart<'a, T>(items: &'a [T]) -> impl FnMut() -> Result<&'a T> {
    // A prime, which divides no number of items here, so that every one has its turn.
    const STEP: usize = 7_919;
    let mut at = 0;
    move || {
        at = (at + STEP) % items.len().max(1);
        Ok(items.get(at).ok_or("there is nothing to walk through")?)
    }
}

/// How many make a batch of about two milliseconds: long enough to time, short enough to fall between interruptions.
fn count(batch: &mut Batch<'_>) -> Result<u32> {
    const LENGTH: Duration = Duration::from_millis(2);
    let mut times = 1;
    // The very first opens what is not open yet.
    batch(1)?;
    loop {
        let taken = batch(times)?;
        if taken >= LENGTH || times >= 1 << 24 {
            return Ok(times);
        }
        times *= 2;
    }
}

fn each(taken: Duration, times: u32) -> f64 {
    taken.as_secs_f64() * 1e9 / f64::from(times)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

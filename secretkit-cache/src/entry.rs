//! An answer that is kept.

use std::time::{Duration, Instant};

use secretkit_core::store::{Fetched, Target, Want};
use secretkit_core::{Clock, Timestamp};

use crate::board::{Board, Count, Mark};
use crate::options::CacheOptions;

/// What the store answered to all that one call asked for: one snapshot stays one.
#[derive(Debug)]
pub(crate) struct Entry {
    answers: Vec<Option<Fetched>>,
    marks: Box<[Mark]>,
    begun: Begun,
}

/// When the store was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    count: Count,
    /// One clock stands still while a machine sleeps and the other can be set back: the one that says more is right.
    steady: Instant,
    wall: Timestamp,
}

/// Whether an answer may be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// Yes.
    Good,
    /// Only while the store cannot be asked: it is too old, or a change may have been missed.
    Doubtful,
    /// No.
    Gone,
}

impl Begun {
    pub(crate) fn now(board: &Board, clock: &dyn Clock) -> Self {
        Self { count: board.now(), steady: Instant::now(), wall: clock.now() }
    }

    pub(crate) const fn count(self) -> Count {
        self.count
    }

    fn age(&self, clock: &dyn Clock) -> Duration {
        let wall = clock.now().as_micros().saturating_sub(self.wall.as_micros());
        self.steady.elapsed().max(Duration::from_micros(u64::try_from(wall).unwrap_or(0)))
    }
}

impl Entry {
    pub(crate) fn new(wants: &[Want], answers: Vec<Option<Fetched>>, begun: Begun, board: &Board) -> Self {
        let mut marks = Vec::with_capacity(wants.len() * 4);
        for Want { target, revision: _ } in wants {
            let org = target.org();
            marks.push(board.of_org(org));
            marks.push(match target {
                Target::Exact(id) => board.of_name(org, id.name()),
                Target::Nearest(_, name) => board.of_name(org, name),
                Target::Id(_, id) => board.of_secret(org, *id),
            });
        }
        for Fetched { record, superseded: _ } in answers.iter().flatten() {
            let address = &record.head.address;
            marks.push(board.of_secret(address.org(), record.head.id));
            marks.push(board.of_name(address.org(), address.name()));
        }
        marks.sort_unstable();
        marks.dedup();
        Self { answers, marks: marks.into(), begun }
    }

    pub(crate) fn answers(&self) -> Vec<Option<Fetched>> {
        self.answers.clone()
    }

    pub(crate) fn standing(&self, board: &Board, clock: &dyn Clock, options: &CacheOptions) -> Standing {
        if board.has_changed(&self.marks, self.begun.count) {
            return Standing::Gone;
        }
        match self.begun.age(clock) {
            age if age < options.max_age && !board.is_doubted(self.begun.count) => Standing::Good,
            age if age < options.end() && options.gives_stale() => Standing::Doubtful,
            _ => Standing::Gone,
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let of_answer = |answer: &Fetched| {
            let Fetched { record, superseded } = answer;
            let superseded = superseded.as_ref().map_or(0, |row| row.sealed.as_bytes().len());
            record.sealed.as_bytes().len() + superseded + ROW
        };
        self.answers.iter().flatten().map(of_answer).sum::<usize>() + self.answers.len() * WANT
    }
}

/// A head takes about this many bytes beside its record.
const ROW: usize = 512;

/// A want and its marks take about this many.
const WANT: usize = 256;

//! How a caller looks into a running reconciliation: progress out, cancellation in.

pub(crate) mod steps;

/// Where a reconciliation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Normalising keys and texts.
    Prepare,
    /// One pass of the rule set, by its index and name.
    Pass { index: usize, name: String },
    /// Naming the reason of each record that no pass matched.
    Explain,
}

/// A snapshot for people and progress bars; never needed for correctness.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    /// Records (both sides together) that have their verdict so far.
    pub rows_done: u64,
    pub rows_total: u64,
    /// Share of the whole work done, 0 to 1, never decreasing.
    pub fraction: f64,
}

/// The caller's two callbacks. Both are called from rayon threads: keep them cheap, never block.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl Watch<'static> {
    /// Nobody watches: runs to the end, reports nothing.
    pub fn none() -> Self {
        Watch { cancelled: &|| false, progress: &|_| {} }
    }
}

/// [`Watch::cancelled`] said so; nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reconciliation was cancelled")]
pub struct Cancelled;

/// Asks [`Watch::cancelled`] once per bounded amount of work, so that inner loops may ask as often as they like.
pub(crate) struct Pulse<'a> {
    watch: Watch<'a>,
    work: u32,
}

impl<'a> Pulse<'a> {
    /// One unit of work is about one comparison of two amounts, a few nanoseconds; 16,384 of them are far
    /// below the tenth of a second within which a cancelled run must stop.
    const WORK_MAX: u32 = 16_384;
    /// Comparing two texts costs about this many comparisons of amounts.
    pub const TEXT: u32 = 256;

    pub fn new(watch: Watch<'a>) -> Self {
        Pulse { watch, work: 0 }
    }

    pub fn watch(&self) -> Watch<'a> {
        self.watch
    }

    #[track_caller]
    pub fn beat(&mut self, work: u32) -> Result<(), Cancelled> {
        self.work = self.work.saturating_add(work);
        if self.work >= Self::WORK_MAX {
            self.work = 0;
            self.watch.check()?;
        }
        Ok(())
    }
}

impl Watch<'_> {
    #[track_caller]
    pub(crate) fn check(&self) -> Result<(), Cancelled> {
        #[cfg(test)]
        steps::counted::looked(std::panic::Location::caller());
        if (self.cancelled)() { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;

//! How many doorbells of a queue may wait in the broker.
//!
//! A doorbell in the broker can no longer be overtaken, so there should be few; a worker that finds none waits
//! for the relay's next round, so there should be enough. The window follows what workers take between two rounds:
//! it doubles when they ran dry, and shrinks slowly to twice of what they take.

#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    size: u64,
    /// What was in the broker after the last round, if that was as much as the window allowed; else 0, since then
    /// nothing more was there to be taken.
    left: u64,
    /// What fits into the smallest window, as far as we know: what was seen in the broker only becomes less by itself.
    spare: u64,
}

/// Bounds of the window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowBounds {
    pub min: u64,
    pub max: u64,
}

impl Window {
    pub fn new(bounds: WindowBounds) -> Self {
        Self { size: bounds.min, left: 0, spare: 0 }
    }

    /// How many doorbells may be added to the `depth` that wait. `true`: the workers have been faster than us.
    pub fn room(&mut self, depth: u64, bounds: WindowBounds) -> (u64, bool) {
        let ran_dry = depth == 0 && self.left > 0;
        let taken = self.left.saturating_sub(depth);
        self.size = if ran_dry { self.size * 2 } else { (2 * taken).max(self.size - self.size / 8) };
        self.size = self.size.clamp(bounds.min.min(bounds.max), bounds.max);
        (self.size.saturating_sub(depth), ran_dry)
    }

    /// After the round: what is in the broker now, as far as we know, and whether the backlog was enough for all of
    /// the window.
    pub fn filled(&mut self, depth: u64, is_full: bool) {
        self.left = if is_full { depth } else { 0 };
        // Asked anew before anything is added that way.
        self.spare = 0;
    }

    /// After a look at the broker in which `depth` waited.
    pub fn seen(&mut self, depth: u64, bounds: WindowBounds) {
        self.spare = bounds.min.min(bounds.max).saturating_sub(depth);
    }

    /// Whether `doorbells` more surely fit, without asking the broker. Other relays know the same and no more, so each of
    /// them may fill a smallest window.
    pub fn has_spare(&self, doorbells: u64) -> bool {
        self.spare >= doorbells
    }

    pub fn use_spare(&mut self, doorbells: u64) {
        self.spare = self.spare.saturating_sub(doorbells);
    }

    /// It is time to look at the broker again.
    pub fn is_spare_low(&self, bounds: WindowBounds) -> bool {
        self.spare < bounds.min.min(bounds.max).div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: WindowBounds = WindowBounds { min: 16, max: 1000 };

    fn round(window: &mut Window, depth: u64) -> u64 {
        let (room, _) = window.room(depth, BOUNDS);
        window.filled(depth + room, true);
        depth + room
    }

    #[test]
    fn it_grows_while_workers_run_dry_and_shrinks_when_they_slow_down() {
        let mut window = Window::new(BOUNDS);
        let sizes: Vec<u64> = (0..8).map(|_| round(&mut window, 0)).collect();
        assert_eq!(sizes, [16, 32, 64, 128, 256, 512, 1000, 1000]);
        let mut depth = 1000;
        // What is out already stays out until somebody takes it.
        for _ in 0..1100 {
            depth = round(&mut window, depth - 1);
        }
        assert_eq!(depth, 16);
    }

    #[test]
    fn a_trickle_does_not_look_like_running_dry() {
        let mut window = Window::new(BOUNDS);
        for _ in 0..20 {
            assert_eq!(window.room(0, BOUNDS), (16, false));
            window.filled(1, false);
        }
    }

    #[test]
    fn a_small_maximum_wins_over_the_minimum() {
        let bounds = WindowBounds { min: 16, max: 5 };
        assert_eq!(Window::new(bounds).room(0, bounds).0, 5);
    }
}

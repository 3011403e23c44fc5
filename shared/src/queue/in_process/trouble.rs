//! What a bad day does to messages, reproducibly.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// Shares of the published messages, 0 to 1 each, that meet with something. By default none does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trouble {
    /// The same seed does the same to the same sequence of messages.
    pub seed: u64,
    /// Confirmed and never seen again.
    pub drop: f64,
    /// Delivered twice.
    pub duplicate: f64,
    /// Held up, for up to [`Self::delay_max`].
    pub delay: f64,
    pub delay_max: Duration,
    /// Put at a random place in the queue instead of its end.
    pub reorder: f64,
}

/// What happens to one message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Lost,
    Arrives { copies: usize, delay: Duration, shuffled: bool },
}

pub(super) struct Mischief {
    trouble: Trouble,
    rng: StdRng,
}

impl Mischief {
    pub(super) fn new(trouble: Trouble) -> Self {
        Self { rng: StdRng::seed_from_u64(trouble.seed), trouble }
    }

    pub(super) fn decide(&mut self) -> Fate {
        // All are drawn each time, so that one share does not shift what the others do.
        let trouble = self.trouble;
        let [lost, doubled, held_up, shuffled] =
            [trouble.drop, trouble.duplicate, trouble.delay, trouble.reorder]
                .map(|share| self.random() < share);
        let delay = trouble.delay_max.mul_f64(self.random());
        if lost {
            return Fate::Lost;
        }
        Fate::Arrives {
            copies: if doubled { 2 } else { 1 },
            delay: if held_up { delay } else { Duration::ZERO },
            shuffled,
        }
    }

    /// In [0, 1).
    pub(super) fn random(&mut self) -> f64 {
        self.rng.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(trouble: Trouble) -> Vec<Fate> {
        let mut mischief = Mischief::new(trouble);
        (0..1000).map(|_| mischief.decide()).collect()
    }

    #[test]
    fn without_trouble_everything_arrives_once_in_order_and_at_once() {
        let plain = Fate::Arrives { copies: 1, delay: Duration::ZERO, shuffled: false };
        assert!(fates(Trouble { seed: 7, ..Default::default() }).iter().all(|fate| *fate == plain));
    }

    #[test]
    fn shares_hold_and_the_seed_repeats_them() {
        let trouble = Trouble {
            seed: 7,
            drop: 0.1,
            duplicate: 0.2,
            delay: 0.3,
            delay_max: Duration::from_secs(1),
            reorder: 0.4,
        };
        let once = fates(trouble);
        assert_eq!(once, fates(trouble));
        assert_ne!(once, fates(Trouble { seed: 8, ..trouble }));
        let share = |wanted: fn(&Fate) -> bool| once.iter().filter(|fate| wanted(fate)).count();
        // Of 1000, each within four standard deviations.
        assert!((62..=138).contains(&share(|fate| *fate == Fate::Lost)));
        assert!((133..=227).contains(&share(|fate| matches!(fate, Fate::Arrives { copies: 2, .. }))));
        assert!(
            (214..=326)
                .contains(&share(|fate| matches!(fate, Fate::Arrives { delay, .. } if !delay.is_zero())))
        );
        assert!((298..=422).contains(&share(|fate| matches!(fate, Fate::Arrives { shuffled: true, .. }))));
        assert!(
            once.iter()
                .all(|fate| !matches!(fate, Fate::Arrives { delay, .. } if *delay > trouble.delay_max))
        );
    }

    #[test]
    fn one_share_does_not_shift_another() {
        let lost = |trouble| fates(trouble).iter().map(|fate| *fate == Fate::Lost).collect::<Vec<_>>();
        let plain = Trouble { seed: 3, drop: 0.5, ..Default::default() };
        assert_eq!(lost(plain), lost(Trouble { duplicate: 1.0, reorder: 1.0, ..plain }));
    }
}

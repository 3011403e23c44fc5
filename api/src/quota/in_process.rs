//! Counting within one process.

use super::Charge;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// By subject, when all that was asked for is paid off. Those that are paid off say nothing and are swept out.
pub(super) struct InProcess {
    paid_off_at: Mutex<HashMap<String, Instant>>,
}

/// About 15 MB.
const SUBJECTS_MAX: usize = 100_000;

impl InProcess {
    pub fn new() -> Self {
        Self { paid_off_at: Mutex::new(HashMap::new()) }
    }

    /// Time until each charge is paid off. If one is refused none is counted.
    pub fn spend(&self, charges: &[&Charge], now: Instant) -> Vec<Duration> {
        let mut paid_off_at = self.paid_off_at.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |charge: &Charge| {
            let before = paid_off_at.get(&charge.subject).copied().unwrap_or(now).max(now);
            before + charge.rule.cost()
        };
        let due: Vec<Instant> = charges.iter().map(|charge| at(charge)).collect();
        let paid: Vec<Duration> = due.iter().map(|at| at.duration_since(now)).collect();
        if charges.iter().zip(&paid).all(|(charge, paid)| charge.rule.grants(*paid)) {
            if paid_off_at.len() + charges.len() > SUBJECTS_MAX {
                make_room(&mut paid_off_at, now);
            }
            for (charge, at) in charges.iter().zip(due) {
                paid_off_at.insert(charge.subject.clone(), at);
            }
        }
        paid
    }
}

/// Whoever is paid off goes; and if all still owe, a tenth of them go free, rather than that memory grows.
fn make_room(paid_off_at: &mut HashMap<String, Instant>, now: Instant) {
    paid_off_at.retain(|_, at| *at > now);
    if paid_off_at.len() > SUBJECTS_MAX * 9 / 10 {
        let mut n = 0;
        paid_off_at.retain(|_, _| {
            n += 1;
            n % 10 != 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rule;
    use super::*;

    fn charge(subject: &str, quota: u32) -> Charge {
        let rule = Rule { name: "x", quota, window: Duration::from_secs(60), is_shared: false };
        Charge { rule, subject: subject.into() }
    }

    fn grants(counts: &InProcess, charges: &[&Charge], now: Instant) -> bool {
        counts.spend(charges, now).iter().zip(charges).all(|(paid, charge)| charge.rule.grants(*paid))
    }

    #[test]
    fn a_quota_is_spent_and_comes_back_evenly() {
        let (counts, now) = (InProcess::new(), Instant::now());
        let jane = charge("jane", 3);
        let granted = (0..5).filter(|_| grants(&counts, &[&jane], now)).count();
        assert_eq!(granted, 3);
        assert!(!grants(&counts, &[&jane], now + Duration::from_secs(19)));
        assert!(grants(&counts, &[&jane], now + Duration::from_secs(20)));
        assert!(!grants(&counts, &[&jane], now + Duration::from_secs(20)));
        assert!(grants(&counts, &[&charge("john", 3)], now), "others are not concerned");
    }

    #[test]
    fn who_is_refused_by_one_limit_pays_nothing_to_the_others() {
        let (counts, now) = (InProcess::new(), Instant::now());
        let (tight, wide) = (charge("tight", 1), charge("wide", 2));
        assert!(grants(&counts, &[&tight, &wide], now));
        for _ in 0..5 {
            assert!(!grants(&counts, &[&tight, &wide], now));
        }
        assert!(grants(&counts, &[&wide], now));
    }

    #[test]
    fn memory_is_bounded() {
        let (counts, now) = (InProcess::new(), Instant::now());
        for n in 0..SUBJECTS_MAX + 5_000 {
            counts.spend(&[&charge(&n.to_string(), 1)], now);
        }
        assert!(counts.paid_off_at.lock().unwrap().len() <= SUBJECTS_MAX);
    }
}

//! Matches whose texts say otherwise: the reference agrees, and the counterparties are two.

use super::Run;
use crate::evidence::KeyEvidence;
use crate::keys::{Column, normalise};
use crate::outcome::{Contradicted, Note};
use crate::plan::{Plan, Shape};
use crate::text::{TextSource, Texts};
use crate::{Cancelled, Match, Normalise, Records, Row, Side, Tier};

impl Run<'_> {
    /// Lowers the evidence of each match that the pass's texts contradict, and leaves it to a person; one that has only
    /// a number without prefix for it is not made at all.
    ///
    /// Texts contradict when they are less alike than the rule asks and both name somebody whom the other side knows:
    /// that two books write one company in two ways is no contradiction. All texts of both sides are read where some
    /// match has differing ones, else none.
    pub(super) fn doubt(&self, plan: &Plan<'_>, made: &mut Vec<Match>) -> Result<(), Cancelled> {
        let Some(rule) = &plan.doubt else { return Ok(()) };
        if plan.shape() != Shape::Pairs {
            return Ok(());
        }
        let (left, right) = (self.remainder.left.records, self.remainder.right.records);
        let mut suspects = vec![];
        for (i, m) in made.iter().enumerate() {
            if i % 4096 == 0 {
                self.watch.check()?;
            }
            let (l, r) = (joined(left, m.left[0], &rule.left), joined(right, m.right[0], &rule.right));
            if !l.is_empty() && !r.is_empty() && !l.contains(&r) && !r.contains(&l) {
                suspects.push(i);
            }
        }
        if suspects.is_empty() {
            return Ok(());
        }
        let texts = Texts::read(
            TextSource { records: left, columns: &rule.left, wanted: &|_| true },
            TextSource { records: right, columns: &rule.right, wanted: &|_| true },
            self.watch,
        )?;
        let mut unmade = vec![];
        for i in suspects {
            let m = &mut made[i];
            let (l, r) = (m.left[0], m.right[0]);
            let similarity = texts.similarity(l, r);
            if similarity >= rule.min
                || texts.says_nothing(Side::Left, l)
                || texts.says_nothing(Side::Right, r)
            {
                continue;
            }
            if (KeyEvidence { spread: m.evidence.spread }).is_bare() && !plan.keys.is_empty() {
                unmade.push(i);
                continue;
            }
            m.tier = Tier::Suggested;
            m.confidence = Contradicted::less(m.confidence);
            m.evidence.note = Note::Contradicted;
        }
        let mut at = 0;
        made.retain(|_| {
            at += 1;
            unmade.binary_search(&(at - 1)).is_err()
        });
        Ok(())
    }
}

fn joined(records: &Records, row: Row, columns: &[Column]) -> String {
    let (mut all, mut one) = (String::new(), String::new());
    for column in columns {
        normalise(column.text(records, row), Normalise::Alphanumeric, &mut one);
        all.push_str(&one);
    }
    all
}

//! Duplicate: a record that looks like another one of its side, which has the match.

use super::{Verdict, Verdicts, name};
use crate::run::Run;
use crate::{Cancelled, Candidate, Confidence, ExceptionKind, Reason, Row, Side};

/// Identical records of which only some found a partner. The others are as good, so this is no choice.
pub(super) fn explain(run: &Run<'_>, verdicts: &mut Verdicts) -> Result<(), Cancelled> {
    for side in [Side::Left, Side::Right] {
        let rest = run.remainder.side(side);
        for row in rest.free_rows() {
            if row % 65_536 == 0 {
                run.watch.check()?;
            }
            let Some(twins) = rest.twins.of_node(rest.twins.node(row)) else { continue };
            let original = twins.iter().find(|&&twin| !rest.is_free(twin) && !run.is_netted(side, twin));
            if let (Some(&original), false) = (original, verdicts.has(side, row)) {
                verdicts.add(side, row, double_of(run, side, row, original, None));
            }
        }
    }
    Ok(())
}

/// `row` seems to repeat `original`, which has the match. `field`: the key both have.
pub(super) fn double_of(run: &Run<'_>, side: Side, row: Row, original: Row, field: Option<&str>) -> Verdict {
    let own = run.remainder.side(side).records;
    let days = i64::from(own.date(original)) - i64::from(own.date(row));
    let equal = own.amount(original) == own.amount(row);
    let (same, amount) = match field {
        Some(field) => (field, if equal { "amount equal" } else { "amount within the allowance" }),
        None => ("identical", "amount equal"),
    };
    let says_same =
        field.map_or_else(|| "the same in all but the id".to_owned(), |f| format!("the same {f}"));
    let reason = |field: &str, says: String, weight| Reason { field: field.to_owned(), says, weight };
    let reasons = vec![
        reason(same, says_same, 0.7),
        reason("amount", amount.to_owned(), if equal { 0.2 } else { 0.1 }),
        reason("date", format!("{} days apart", days.abs()), 0.1 / (1 + days.abs()) as f64),
    ];
    let confidence = Confidence::from_f64(reasons.iter().map(|r| r.weight).sum());
    let says = format!("looks like {} again, which has the match", name(run, side, original));
    let candidate = Candidate { side, rows: vec![original], confidence, reasons };
    Verdict::new(ExceptionKind::Duplicate, says, vec![candidate])
}

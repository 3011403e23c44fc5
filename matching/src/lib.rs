//! The matching core: two sides of records and a rule set in, matches and exceptions out.
//!
//! Pure by architecture invariant: no clock, no file, no database, no async runtime. The output is a
//! function of the input alone: not of the number of threads, not of the order of the records
//! (only of their row numbers), so a result can be recomputed and compared byte for byte.
//!
//! Words: a *record* is one line of a *side* (left, right); a *rule set* is an ordered list of *passes*,
//! each looking only at what earlier passes left; a *blocking key* bounds which pairs are *candidates*;
//! a *match* joins one or more records of each side; every other record ends in one *exception*.
//!
//! Start reading at [`reconcile`].

mod blocks;
mod candidates;
mod chance;
mod check;
mod decimal;
mod evidence;
mod explain;
mod fees;
mod groups;
mod held;
mod keyed;
mod keys;
mod learned;
mod money;
mod nearby;
mod outcome;
mod plan;
mod proof;
mod reasons;
mod reconcile;
mod records;
mod remainder;
mod rules;
mod run;
mod searched;
mod select;
mod settle;
mod standard;
mod subsets;
mod text;
mod tolerance;
mod twins;
mod watch;

pub use learned::{CompareAs, Comparison, FieldNames, LearnedRule};
pub use money::{AmountError, Currency, DecimalMark, UnknownCurrency, format_minor, parse_minor};
pub use outcome::{
    Candidate, Confidence, CurrencyProof, Exception, ExceptionKind, Match, Outcome, PassCount, Reason, Rows,
    Tier,
};
pub use reasons::Reasoner;
pub use reconcile::{ReconcileError, reconcile};
pub use records::{Records, RecordsBuilder, RecordsError, Row, Side};
pub use rules::{
    AmountRule, Cardinality, DateDirection, DateRule, FeeRule, Key, Normalise, Pass, RuleError, RuleSet,
    SearchRule, TextRule,
};
pub(crate) use watch::Pulse;
pub use watch::{Cancelled, Phase, Progress, Watch};

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

mod balanced;
mod blocks;
mod calendar;
mod candidates;
mod carry;
mod chance;
mod check;
mod converted;
mod creditor;
mod day;
mod decimal;
mod evidence;
mod exchange;
mod explain;
mod fees;
mod fingerprint;
mod groups;
mod held;
mod ids;
mod keyed;
mod keys;
mod learned;
mod line_numbers;
mod listed;
mod money;
mod nearby;
mod netting;
mod open;
mod outcome;
mod pattern;
mod plan;
mod presets;
mod proof;
mod reasons;
mod reconcile;
mod records;
mod records_builder;
mod remainder;
mod rules;
mod run;
mod searched;
mod select;
mod series;
mod settle;
mod shared_keys;
mod sorted;
mod standard;
mod subsets;
mod summed;
mod sums;
mod text;
mod text_column;
mod tolerance;
mod twins;
mod two_sided;
mod watch;
mod within_key;

pub use carry::{
    CarriedSide, CarryError, OpenFlow, OpenItems, Origin, Restated, Sum, open_flow, open_remainders,
};
pub use exchange::{Conversion, RateKind};
pub use ids::{ExceptionId, MatchId};
pub use learned::{CompareAs, Comparison, FieldNames, LearnedRule};
pub use money::{AmountError, Currency, DecimalMark, UnknownCurrency, format_minor, parse_minor};
pub use outcome::{
    Candidate, Confidence, CurrencyProof, Exception, ExceptionKind, Match, OpenRemainder, Outcome, PassCount,
    Reason, Rows, Tier,
};
pub use presets::{DroppedPass, Fitted, MissingField, Preset};
pub use reasons::Reasoner;
pub use reconcile::{ReconcileError, WorkingSet, reconcile, reconcile_within};
pub use records::{Records, Row, Side};
pub use records_builder::{RecordsBuilder, RecordsError, RecordsPart};
pub use rules::{
    AllowedDifference, AmountRule, CalendarRule, Cardinality, CurrencyRule, DateDirection, DateRule, FeeRule,
    Key, KnownCalendar, LesserSide, NettingKey, NettingRule, Normalise, Pass, Rate, Rounded, Rounding,
    RuleError, RuleSet, SearchRule, TextRule, Weekday,
};
pub use shared_keys::{Joins, SharedKey, shared_keys};
pub use text_column::{KeptBytes, TextStore};
pub(crate) use watch::Pulse;
pub use watch::{Cancelled, Phase, Progress, Watch};

//! Who runs next: the order in which doorbells leave the outbox, decided without a clock or a database.
//!
//! The rule, for one queue:
//!
//! 1. A *lane* holds the doorbells of one priority, tenant and concurrency key; in it the one that waits longest is
//!    first. A lane whose key, tenant, kind or whole deployment has no free place is left alone.
//! 2. A tenant's lanes of one priority have a *level*: the priority, and one more for each `age_step` that their
//!    oldest doorbell has waited, up to 9. Each doorbell that leaves takes one such step back, so that levels
//!    rise for those who are not served, and not for a flood that is. The highest level goes first.
//! 3. Within a level tenants take turns: first who was served longest ago. Newcomers have never been served.
//! 4. A tenant's own keys take turns too, the longest waiting first.
//!
//! So with `age_step` any lane is served at least once in about nine steps, then once in a step, whatever the
//! others do; and a tenant that arrives while another's flood waits is behind at most the doorbells in the broker,
//! one doorbell of each tenant of its level, and the steps that others have saved: at most nine for each priority.
//!
//! What is remembered ([`turns`]) only makes turns fair from one round to the next. A relay that starts over, or
//! several at once, begin with nothing and lose nothing else.

pub(crate) mod plan;
pub(crate) mod turns;
pub(crate) mod window;

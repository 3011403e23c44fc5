//! The ticker on a real PostgreSQL: two years of due times with schedulers that die, and the real clock.

mod running;
mod two_years;
mod walk;

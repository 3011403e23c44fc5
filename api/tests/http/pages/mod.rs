//! The pages as a browser asks for them, on real services: what they show, what their forms do, and who may not.

mod account;
pub mod browser;
mod carry;
mod flow;
mod guard;
mod jobs;
mod live;
mod review;

//! `/api/notifications`, `/api/alerts`, `/api/webhooks`: what people and machines are told.

pub(crate) mod alerts;
pub(crate) mod bounces;
pub(crate) mod deliveries;
pub(crate) mod inbox;
pub(crate) mod settings;
pub(crate) mod webhook_body;
pub(crate) mod webhooks;

//! `/api/data-sources`.

pub(crate) mod columns;
pub(crate) mod mapping_body;
pub(crate) mod routes;

pub(crate) use mapping_body::{MappingBody, mistake as mapping_mistake};
pub(crate) use routes::add_mistakes;

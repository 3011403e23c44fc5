//! `/api/data-sources`.

mod columns;
mod mapping_body;
mod routes;

pub(crate) use mapping_body::{MappingBody, mistake as mapping_mistake};
pub(crate) use routes::routes;

//! `/api/data-sources`.

mod columns;
mod mapping_body;
mod routes;

pub(crate) use mapping_body::MappingBody;
pub(crate) use routes::routes;

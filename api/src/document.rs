//! The OpenAPI document: what the list of routes cannot know by itself.

use crate::problem::ProblemDocument;
use crate::reconciliation::StateEvent;
use crate::state::Api;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::LazyLock;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Counterfoil",
        description = "Reconciliation of two files, by jobs. Upload two files, say what their columns mean, submit a \
                       reconciliation, watch it, read matches and exceptions.\n\n\
                       Every error is a problem document (RFC 9457) that names all mistakes at once.",
    ),
    components(schemas(ProblemDocument<'static>, StateEvent)),
    tags(
        (name = "auth", description = "Accounts and access tokens"),
        (name = "projects", description = "Tenants: everything below belongs to one"),
        (name = "files", description = "Uploads"),
        (name = "data sources", description = "A file and the meaning of its columns"),
        (name = "reconciliation", description = "Jobs and their results"),
        (name = "review", description = "What people decide about results"),
        (name = "audit", description = "Who did what"),
        (name = "jobs", description = "Jobs of any kind, batches of them, and what became of failed ones"),
        (name = "schedules", description = "Jobs that time alone starts"),
        (name = "analytics", description = "Figures of a project"),
        (name = "administration", description = "Queues and limits, for platform administrators"),
        (name = "operation", description = "For the operator and the machines around"),
    )
)]
struct Skeleton;

pub(crate) fn skeleton() -> OpenApi {
    Skeleton::openapi()
}

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(openapi_json))
}

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn openapi_json() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| crate::routes::openapi().to_json().expect("the document is JSON"));
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// Adds the security scheme, and the problems that every route may answer with.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("access_token", SecurityScheme::Http(scheme));
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            add_problems(operation, path, &method);
        }
    }
    document
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

fn add_problems(operation: &mut Operation, path: &str, method: &HttpMethod) {
    let of_a_project = operation.security.is_some() && path != "/api/auth/me";
    let has_body = operation.request_body.is_some();
    let takes_input = has_body || operation.parameters.as_ref().is_some_and(|p| !p.is_empty());
    let mut add = |status: &str, description: &str| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(description));
    };
    if of_a_project {
        add("401", "No valid access token");
        add("404", "No such thing, or it is not the caller's to see");
        if *method != HttpMethod::Get {
            add("403", "The caller's role does not allow it");
        }
    }
    if has_body {
        add("400", "The body is malformed");
        add("413", "The body is too large");
        add("415", "The body has another content type");
    }
    if takes_input {
        add("422", "The request has mistakes, all of which are listed");
    }
    add("503", "Something that is needed is away; try again");
    add("default", "Any other error");
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name(ProblemDocument::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RefOr::T(
        ResponseBuilder::new().description(description).content("application/problem+json", content).build(),
    )
}

/// Keeps a body's reader and its schema together: same names, same of them required.
#[cfg(test)]
pub(crate) fn assert_schema_is_read<T: crate::read::ReadBody + utoipa::PartialSchema>() {
    let schema = serde_json::to_value(T::schema()).expect("schemas are JSON");
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let properties = schema["properties"].as_object().expect("an object's schema");
    let mut documented: Vec<_> =
        properties.keys().map(|name| (name.as_str(), required.contains(&name.as_str()))).collect();
    documented.sort_unstable();
    assert_eq!(documented, crate::read::asked_of_body::<T>());
}

/// The same for a query.
#[cfg(test)]
pub(crate) fn assert_query_is_read<T: crate::read::ReadQuery + utoipa::IntoParams>() {
    let documented = T::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query));
    let mut documented: Vec<_> =
        documented.iter().map(|p| (p.name.as_str(), p.required == utoipa::openapi::Required::True)).collect();
    documented.sort_unstable();
    assert_eq!(documented, crate::read::asked_of_query::<T>());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_is_openapi_3_1_and_names_each_operation_once() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let mut ids = vec![];
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                ids.push(operation["operationId"].as_str().expect("an id").to_owned());
                let default = &operation["responses"]["default"]["content"]["application/problem+json"];
                assert_eq!(default["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
            }
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{ids:?}");
        assert!(document["components"]["securitySchemes"]["access_token"].is_object());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut todo = vec![&document];
        while let Some(value) = todo.pop() {
            match value {
                serde_json::Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(|r| r.as_str()) {
                        let pointer = reference.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    // What the generator makes of an inlined schema with a description: nothing satisfies it.
                    assert!(!members.contains_key("allOf"), "{value}");
                    todo.extend(members.values());
                }
                serde_json::Value::Array(items) => todo.extend(items),
                _ => {}
            }
        }
    }
}

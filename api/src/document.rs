//! The OpenAPI document: what the list of routes cannot know by itself.

use crate::policy::Policy;
use crate::problem::ProblemDocument;
use crate::reconciliation::StateEvent;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use shared::store::projects::ProjectRole;
use std::sync::LazyLock;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};

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
        (name = "projects", description = "Tenants: everything below belongs to one; their members, invitations and API keys"),
        (name = "files", description = "Uploads"),
        (name = "data sources", description = "A file and the meaning of its columns"),
        (name = "reconciliation", description = "Jobs and their results"),
        (name = "review", description = "What people decide about results"),
        (name = "audit", description = "Who did what"),
        (name = "jobs", description = "Jobs of any kind, batches of them, and what became of failed ones"),
        (name = "schedules", description = "Jobs that time alone starts"),
        (name = "notifications", description = "What people and machines are told"),
        (name = "analytics", description = "Figures of a project"),
        (name = "administration", description = "Queues and limits, for platform administrators"),
        (name = "operation", description = "For the operator and the machines around"),
    )
)]
struct Skeleton;

pub(crate) fn skeleton() -> OpenApi {
    Skeleton::openapi()
}

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn openapi_json() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| crate::routes::openapi().to_json().expect("the document is JSON"));
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// Adds the security scheme, and the problems that every route may answer with.
pub(crate) fn complete(mut document: OpenApi, policy_of: impl Fn(&str, &Method) -> Policy) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("access_token", SecurityScheme::Http(scheme));
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A key of a machine, `cfk_…`; see `/api/projects/{id}/api-keys`"))
        .build();
    components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let policy = policy_of(path, &method);
            write_policy(operation, policy);
            add_problems(operation, policy);
        }
    }
    document
}

/// What the table says, for people and for programs.
fn write_policy(operation: &mut Operation, policy: Policy) {
    let description = operation.description.take().unwrap_or_default();
    operation.description = Some(format!("{description}\n\n{}", policy.sentence()).trim().to_owned());
    let extensions = operation.extensions.get_or_insert_default();
    extensions.insert("x-policy".to_owned(), policy.document());
    let token = || SecurityRequirement::new::<_, _, &str>("access_token", []);
    let key = || SecurityRequirement::new::<_, _, &str>("api_key", []);
    operation.security = match policy {
        Policy::Open => None,
        Policy::Person | Policy::Platform => Some(vec![token()]),
        Policy::Project(ProjectRole::Admin, _) => Some(vec![token()]),
        Policy::Caller | Policy::Project(..) => Some(vec![token(), key()]),
    };
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

fn add_problems(operation: &mut Operation, policy: Policy) {
    let has_body = operation.request_body.is_some();
    let takes_input = has_body || operation.parameters.as_ref().is_some_and(|p| !p.is_empty());
    let mut add = |status: &str, description: &str| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(description));
    };
    if policy != Policy::Open {
        add("401", "No valid access token or API key");
    }
    match policy {
        Policy::Open | Policy::Caller => {}
        Policy::Person => add("403", "API keys cannot do this"),
        Policy::Platform => add("404", "No such thing, or it is not the caller's to see"),
        Policy::Project(needs, of) => {
            add("404", "No such thing, or it is not the caller's to see");
            if needs > ProjectRole::Viewer || of.may_be_all() {
                add("403", "The caller's role does not allow it");
            }
        }
    }
    add("429", "Too many requests; see Retry-After");
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

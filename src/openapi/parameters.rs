//! The names in paths and headers. They are the same for many calls, so their form is described once, by name, and calls list only which
//! of them they take.

use crate::http::operations;
use crate::kind::Kind;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr};

/// Describes the parameters of paths and headers.
pub(super) struct Parameters;

impl Modify for Parameters {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for call in operations(item) {
                describe(path, call);
            }
        }
    }
}

fn describe(path: &str, call: &mut Operation) {
    for parameter in call.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let described = match parameter.parameter_in {
            ParameterIn::Path => Some(in_path(path, &parameter.name)),
            ParameterIn::Header => in_header(&parameter.name),
            ParameterIn::Query | ParameterIn::QueryString | ParameterIn::Cookie => None,
        };
        if let Some((schema, description)) = described {
            set(parameter, schema, description);
        }
    }
}

fn set(parameter: &mut Parameter, schema: RefOr<Schema>, description: &str) {
    parameter.schema = Some(schema);
    parameter.description.get_or_insert_with(|| description.to_owned());
}

type Described = (RefOr<Schema>, &'static str);

/// A parameter of a path; an id, if nothing else is known of its name.
fn in_path(path: &str, name: &str) -> Described {
    let named = |schema: &str| RefOr::from(Ref::from_schema_name(schema));
    match name {
        "kind" => (kind(), "The kind of the entity"),
        "id" if path.starts_with("/v1/{kind}") => (named("EntityId"), "The id of the entity"),
        "id" if path.starts_with("/v1/jobs") => (named("JobId"), "The id of the job"),
        "id" if path.starts_with("/v1/reservations") => (named("Id"), "The id of the reservation"),
        "id" if path.starts_with("/v1/subjects") => (named("Id"), "The id of the session"),
        "queue" => (named("QueueName"), "The name of the queue"),
        "sku" => (named("Id"), "The id of the item"),
        "subject" => (
            named("ExternalId"),
            "The subject: any text of 1 to 256 bytes, percent-encoded",
        ),
        "namespace" => (named("CacheNamespace"), "The namespace of the cache"),
        "key" if path.starts_with("/v1/cache") => (named("CacheKey"), "1 to 256 bytes of UTF-8, percent-encoded"),
        "key" => (named("ExternalId"), "Any text of 1 to 256 bytes, percent-encoded"),
        "policy" => (policy(), "The name of a policy of the settings"),
        "name" if path.starts_with("/v1/locks") => (named("Id"), "The name of the lock"),
        "name" => (named("Id"), "The name of the schedule"),
        _ => (named("Id"), "An id"),
    }
}

/// A header that operations share.
fn in_header(name: &str) -> Option<Described> {
    let described = match name {
        "Idempotency-Key" => (
            RefOr::from(Ref::from_schema_name("ExternalId")),
            "A text of 1 to 256 bytes, bare or in quotes. A call that is repeated with the same key within a day is executed once; each \
             repetition gets the same answer",
        ),
        "If-Match" => (
            text(r#"^(\*|(W/)?"[^"]*"( *, *(W/)?"[^"]*")*)$"#, "\"3\""),
            "`*`, or versions in quotes of which one has to be the current one",
        ),
        "If-None-Match" => (text(r"^\*$", "*"), "`*`: only if there is none"),
        _ => return None,
    };
    Some(described)
}

fn text(pattern: &str, example: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).examples([example]).into()
}

fn kind() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(Kind::ALL.map(Kind::as_str))).into()
}

/// The settings define the policies; any other name is a 404.
fn policy() -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z0-9._-]{1,64}$"));
    text.examples(["login"]).into()
}

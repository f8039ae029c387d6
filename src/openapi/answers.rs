//! The error answers that many operations share. Shared code (`http::Body`, `http::Query`, `http::Path`, `limits::Guard`) returns them,
//! so they are described here once.

use crate::http::operations;
use utoipa::Modify;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

/// The media type that a derived answer has, and that of a problem.
const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const RETRY_AFTER: &str = "Retry-After";

/// An answer that operations share.
struct Common {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    /// Whether an operation of this path may have this answer.
    is_of: fn(&str, &Operation) -> bool,
}

const COMMON: [Common; 9] = [
    Common {
        status: "400",
        name: "Malformed",
        description: "The request cannot be read, for example an unknown query parameter or a body that is not JSON",
        is_of: |path, _| path.starts_with("/v1/"),
    },
    Common {
        status: "403",
        name: "Forbidden",
        description: "A page of another origin sent the request, and the origin is not in `CORS_ORIGINS`",
        is_of: |_, _| true,
    },
    Common {
        status: "404",
        name: "UnknownKind",
        description: "There is no such kind",
        is_of: |path, _| path.contains("{kind}"),
    },
    Common {
        status: "408",
        name: "RequestTimeout",
        description: "The body did not arrive in time (`HTTP_REQUEST_TIMEOUT_MS`)",
        is_of: |_, call| call.request_body.is_some(),
    },
    Common {
        status: "413",
        name: "ContentTooLarge",
        description: "The body is larger than the operation accepts",
        is_of: |_, call| call.request_body.is_some(),
    },
    Common {
        status: "415",
        name: "UnsupportedMediaType",
        description: "The media type or the content coding of the body is not supported; if it is the coding, with `Accept-Encoding`. A \
                      media type that no operation accepts is also refused by operations that read no body",
        is_of: |_, _| true,
    },
    Common {
        status: "421",
        name: "MisdirectedRequest",
        description: "The service listens on a loopback address, and `Host` is neither this machine nor one of `HTTP_HOSTS`",
        is_of: |_, _| true,
    },
    Common {
        status: "422",
        name: "ValidationFailed",
        description: "A value of the path, the query or the body is not valid: `errors` names it and the reason",
        is_of: |_, call| takes_values(call),
    },
    Common {
        status: "429",
        name: "TooManyRequests",
        description: "Too many requests by this caller, or a limit of the operation is reached; with `LIMIT_REQUESTS` other answers \
                      have the `RateLimit` headers too",
        is_of: |_, _| true,
    },
];

/// Returns whether a parameter or body can be invalid. An unknown kind is not: it is a 404.
fn takes_values(call: &Operation) -> bool {
    let is_value = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => !(parameter.parameter_in == ParameterIn::Path && parameter.name == "kind"),
        RefOr::Ref(_) => true,
    };
    call.request_body.is_some() || call.parameters.iter().flatten().any(is_value)
}

/// Adds the shared answers to each operation that does not describe the status itself. Completes the problems that it describes.
pub(super) struct Answers;

impl Modify for Answers {
    fn modify(&self, document: &mut OpenApi) {
        let responses = &mut document.components.get_or_insert_default().responses;
        for common in &COMMON {
            responses.insert(common.name.to_owned(), common.response().into());
        }
        for (path, item) in &mut document.paths.paths {
            for call in operations(item) {
                complete(path, call);
            }
        }
    }
}

fn complete(path: &str, call: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut call.request_body {
        leave_out(body);
    }
    for (status, answer) in &mut call.responses.responses {
        if let RefOr::T(answer) = answer {
            set_right(status, answer);
        }
    }
    for common in &COMMON {
        if (common.is_of)(path, call) {
            let own = call.responses.responses.entry(common.status.to_owned());
            own.or_insert_with(|| Ref::from_response_name(common.name).into());
        }
    }
}

/// Removes `null` from the schema of an optional body.
fn leave_out(body: &mut RequestBody) {
    if body.required == Some(Required::True) {
        return;
    }
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema
            && let Some(there) = one_of.items.iter().find(|schema| matches!(schema, RefOr::Ref(_)))
        {
            content.schema = Some(there.clone());
        }
    }
}

/// Gives a problem its media type, its types, and `Retry-After` if it is a 503.
fn set_right(status: &str, answer: &mut Response) {
    let problem = RefOr::from(Ref::from_schema_name("Problem"));
    let is_problem =
        |content: &RefOr<Content>| matches!(content, RefOr::T(content) if content.schema.as_ref() == Some(&problem));
    if !answer.content.get(JSON).is_some_and(is_problem) {
        return;
    }
    answer.content.shift_remove(JSON);
    let types = named_types(status, &answer.description);
    answer
        .content
        .insert(PROBLEM_JSON.to_owned(), problem_of(&types, ObjectBuilder::new()).into());
    if status == "503" {
        answer.headers.insert(RETRY_AFTER.to_owned(), retry_after().into());
    }
}

/// The types of problems by status.
const TYPES: [(&str, &[&str]); 15] = [
    ("400", &["malformed"]),
    ("401", &["unauthenticated"]),
    ("403", &["forbidden"]),
    ("404", &["not_found"]),
    ("405", &["method_not_allowed"]),
    ("408", &["request_timeout"]),
    (
        "409",
        &[
            "insufficient_stock",
            "below_reserved",
            "held",
            "other_group",
            "version_conflict",
            "wrong_state",
            "in_progress",
            "not_that_much",
            "has_left",
            "token_superseded",
            "lock_taken",
            "lock_held_by_other",
            "lease_over",
            "too_many_types",
            "too_many_queues",
            "too_many_schedules",
            "cache_corrupt",
            "cache_leased",
            "cache_superseded",
            "no_counter",
            "counter_range",
        ],
    ),
    ("412", &["precondition_failed"]),
    ("413", &["content_too_large"]),
    ("415", &["unsupported_media_type"]),
    ("421", &["misdirected_request"]),
    ("422", &["validation_failed"]),
    (
        "429",
        &["too_many_requests", "queue_full", "too_many_sessions", "too_many_items"],
    ),
    ("503", &["unavailable", "storage_full"]),
    ("504", &["lock_wait_timeout", "not_cached"]),
];

/// Returns the types that the description of an answer names in backticks, otherwise all types of its status.
fn named_types(status: &str, description: &str) -> Vec<&'static str> {
    let all = TYPES.iter().find(|(of, _)| *of == status);
    let all = all.map_or(&[][..], |(_, types)| *types);
    let named = |name: &&&str| description.split('`').skip(1).step_by(2).any(|word| word == **name);
    let named: Vec<_> = all.iter().filter(named).copied().collect();
    if named.is_empty() { all.to_vec() } else { named }
}

/// Returns the content of a problem of one of these types, with additional members.
fn problem_of(types: &[&str], members: ObjectBuilder) -> Content {
    let types = types.iter().map(|name| format!("urn:fleetpulse:problem:{name}"));
    let kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(types));
    let problem = Ref::from_schema_name("Problem");
    let problem = AllOfBuilder::new()
        .item(problem)
        .item(members.property("type", kind))
        .build();
    Content::new(Some(Schema::from(problem)))
}

impl Common {
    fn response(&self) -> Response {
        let response = ResponseBuilder::new().description(self.description);
        let types = named_types(self.status, self.description);
        match self.status {
            "429" => too_often(response, &types),
            _ => response
                .content(PROBLEM_JSON, problem_of(&types, ObjectBuilder::new()))
                .build(),
        }
    }
}

/// Describes a 429: the guard adds headers that a handler does not send.
fn too_often(response: ResponseBuilder, types: &[&str]) -> Response {
    let policies = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .description(Some("The exceeded policies; present if the service limits requests"));
    let problem = problem_of(types, ObjectBuilder::new().property("violated-policies", policies));
    let left = "`\"POLICY\";r=LEFT;t=SECONDS` until one more is left; present if the service limits requests";
    let policy = "`\"POLICY\";q=QUOTA;w=SECONDS`; present if the service limits requests";
    response
        .header(RETRY_AFTER, retry_after())
        .header("RateLimit", header(Type::String, left))
        .header("RateLimit-Policy", header(Type::String, policy))
        .content(PROBLEM_JSON, problem)
        .build()
}

fn retry_after() -> Header {
    header(Type::Integer, "Seconds to wait before the next attempt")
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(kind);
    let header = HeaderBuilder::new().schema(Some(schema));
    header.description(Some(description)).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_page_about_http_has_the_same_types_by_status() {
        let page = include_str!("../../docs/http.md");
        let (_, rows) = page
            .split_once("| status | meaning | types |\n|---|---|---|\n")
            .unwrap();
        let mut on_the_page = BTreeMap::<&str, BTreeSet<&str>>::new();
        let mut status = "";
        for row in rows.lines().map_while(|line| line.strip_prefix("| ")) {
            // A row without a status continues the one above.
            let cell = row.split('|').next().map(str::trim);
            status = cell.filter(|cell| !cell.is_empty()).unwrap_or(status);
            let types = row.split('`').skip(1).step_by(2);
            on_the_page.entry(status).or_default().extend(types);
        }
        // The document does not describe a fault of the service itself.
        assert_eq!(on_the_page.remove("500"), Some(BTreeSet::from(["internal"])));
        let described = TYPES.map(|(status, types)| (status, types.iter().copied().collect()));
        assert_eq!(on_the_page, BTreeMap::from(described));
    }
}

//! Mounts route tables, and answers requests whose path or method is in no table.

use super::observe::Observe;
use super::{HttpMetrics, Problem, Route};
use crate::kind::Kind;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError};
use std::future::ready;
use std::sync::Arc;

/// The segment of a path that stands for each kind of entity. The kinds are mounted one by one, so that an unknown kind is a 404.
const KIND: &str = "{kind}";

/// Mounts routes. Where two paths match a request, the first one answers it.
///
/// Each first word has a scope of actix-web: plain text is matched faster than a pattern, and a request is compared with the patterns of
/// its own slice only.
pub fn mount(config: &mut ServiceConfig, routes: &[Route], metrics: &Arc<HttpMetrics>) {
    let mut done: Vec<&str> = Vec::new();
    for path in paths(routes) {
        let Some(word) = first_word(path) else {
            config.service(observed(routes, path, path, metrics));
            continue;
        };
        if done.contains(&word) {
            continue;
        }
        done.push(word);
        let kinds: Vec<Option<Kind>> = if word == KIND {
            Kind::ALL.into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        for kind in kinds {
            config.service(scope(routes, word, kind, metrics));
        }
    }
}

/// Returns the scope of all paths with a first word; for one kind, if the word stands for the kinds.
fn scope(routes: &[Route], word: &str, kind: Option<Kind>, metrics: &Arc<HttpMetrics>) -> actix_web::Scope {
    let mut scope = web::scope(&kind.map_or_else(|| format!("/v1/{word}"), |kind| format!("/v1/{kind}")));
    if let Some(kind) = kind {
        scope = scope.app_data(kind);
    }
    let prefix = format!("/v1/{word}");
    for path in paths(routes).filter(|path| first_word(path) == Some(word)) {
        let rest = path.strip_prefix(&prefix).unwrap_or_default();
        scope = scope.service(observed(routes, path, rest, metrics));
    }
    scope
}

fn observed(
    routes: &[Route],
    path: &str,
    at: &str,
    metrics: &Arc<HttpMetrics>,
) -> impl actix_web::dev::HttpServiceFactory + 'static {
    let name = name(routes, path);
    resource(routes, path, at).wrap(Observe::new(metrics, name))
}

/// Returns a resource with the methods of a path, mounted at `at`. It answers every other method with a list of them.
fn resource(routes: &[Route], path: &str, at: &str) -> Resource {
    let methods = || routes.iter().filter(|route| route.path == path);
    let allow = allow(methods());
    let resource = web::resource(at.to_owned()).default_service(web::to(move |method: Method| {
        ready(method_not_mounted(&method, allow.clone()))
    }));
    methods().fold(resource, |resource, route| resource.route(route.to_actix()))
}

/// Returns the paths of a table, each once.
fn paths(routes: &[Route]) -> impl Iterator<Item = &'static str> {
    let is_first = |(index, route): &(usize, &Route)| !routes[..*index].iter().any(|other| other.path == route.path);
    routes.iter().enumerate().filter(is_first).map(|(_, route)| route.path)
}

/// Returns the name of a path in metrics.
fn name(routes: &[Route], path: &str) -> &'static str {
    let route = routes.iter().find(|route| route.path == path);
    route.map_or("", |route| route.name)
}

/// Returns the segment after `/v1/`, if the path begins with that.
fn first_word(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/")?.split('/').next()
}

/// Answers a path that is not mounted.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    // About the server as a whole (RFC 9110, section 9.3.7).
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return HttpResponse::NoContent()
            .insert_header((
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            ))
            .finish();
    }
    Problem::not_found("there is nothing under this path; /docs/ lists the paths").error_response()
}

/// Returns `Allow` of a path: the mounted methods, and those that follow from them.
fn allow<'a>(routes: impl Iterator<Item = &'a Route>) -> HeaderValue {
    let mut methods: Vec<&str> = routes.map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// Answers a method that is not mounted.
fn method_not_mounted(method: &Method, allow: HeaderValue) -> HttpResponse {
    let mut response = if *method == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let methods = allow.to_str().unwrap_or_default();
        Problem::method_not_allowed(methods).error_response()
    };
    response.headers_mut().insert(ALLOW, allow);
    response
}

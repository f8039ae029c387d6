use super::calls;
use crate::support::{Api, Raw, Scene, ServiceProcess, send};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

fn with(mut request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

async fn refused(api: &Api, reason: &str) -> u64 {
    let metrics = api.metrics().await;
    let line = format!("fleetpulse_http_refused_total{{reason=\"{reason}\"}} ");
    let count = metrics.lines().find_map(|shown| shown.strip_prefix(&line));
    count.map_or(0, |count| count.parse().unwrap())
}

#[actix_web::test]
async fn a_page_of_another_site_can_do_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    let mut count = 0;
    for (method, path, _) in calls(&api).await {
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = api.request(method.parse().unwrap(), &path).json(&json!({}));
            let answer = send(with(request, &[foreign])).await;
            assert_eq!(answer.status, 403, "{method} {path} {foreign:?}");
            if method != "HEAD" {
                assert_eq!(
                    answer.body["type"], "urn:fleetpulse:problem:forbidden",
                    "{method} {path}"
                );
            }
            count += 1;
        }
    }
    assert_eq!(refused(&api, "foreign_page").await, count);
    // As a form and an image do.
    let fix = json!({"lat": 40.7, "lon": -73.9});
    let post = api.request(Method::POST, "/v1/drivers/x/position").json(&fix);
    send(with(post, &[("origin", "http://localhost:3000")]))
        .await
        .assert_problem(403, &[]);
    assert_eq!(api.position("x").await.status, 404);
    assert_eq!(scene.stored_for_callers().await, before);
}

#[actix_web::test]
async fn its_own_page_and_other_clients_are_served() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let (api, own) = (service.drivers(), service.url());
    let followed = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    for headers in [
        &[][..],
        &[("origin", &*own), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &followed,
    ] {
        let answer = send(with(api.request(Method::GET, "/health/live"), headers)).await;
        assert_eq!(answer.status, 200, "{headers:?}");
    }
    let posted = with(api.request(Method::POST, "/v1/queues/q/pause"), &followed);
    assert_eq!(send(posted).await.status, 403);
}

#[actix_web::test]
async fn a_name_that_was_rebound_to_loopback_is_not_served() {
    let scene = Scene::new().await.with(&["--http-hosts=api.example,10.1.2.3"]);
    let service = scene.start().await;
    let api = service.drivers();
    let ask = async |host: &str| {
        let request = format!("GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Raw::connect(&service.url()).await.send(request).await.rest().await
    };
    for host in [
        "localhost:1",
        "127.0.0.1",
        "[::1]:8080",
        "app.localhost",
        "API.example:443",
        "10.1.2.3",
    ] {
        assert!(ask(host).await.starts_with("HTTP/1.1 200 "), "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8080",
        "api.example.evil.example",
        "10.1.2.4",
        "x",
    ] {
        let answer = ask(host).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(
            answer.contains("urn:fleetpulse:problem:misdirected_request"),
            "{answer}"
        );
        assert!(answer.contains("HTTP_HOSTS"), "{answer}");
    }
    assert_eq!(refused(&api, "foreign_host").await, 5);
    let open = scene.with(&["--bind=0.0.0.0:0"]).start().await;
    let url = open.url().replace("0.0.0.0", "127.0.0.1");
    let request = "GET /health/live HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = Raw::connect(&url).await.send(request).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[actix_web::test]
async fn a_body_needs_a_documented_content_type() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let before = scene.stored_for_callers().await;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "application/octet-stream",
        "nonsense",
    ] {
        // Whether a call reads its body or not.
        for path in [
            "/v1/drivers/x/position",
            "/v1/queues/q/pause",
            "/v1/jobs/a.ABCDEFGHIJKLM/retry",
        ] {
            let request = api.request(Method::POST, path).header("content-type", media_type);
            let answer = send(request.body(r#"{"lat":1,"lon":1}"#)).await;
            answer.assert_problem(415, &[]);
        }
    }
    assert_eq!(scene.stored_for_callers().await, before);
}

/// Sends a preflight, as a browser does before the request of a page.
async fn preflight(api: &Api, origin: &str) -> reqwest::Response {
    let request = api.request(Method::OPTIONS, "/v1/drivers/x/position");
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,idempotency-key"),
        ("sec-fetch-site", "cross-site"),
    ];
    with(request, &asked).send().await.unwrap()
}

#[actix_web::test]
async fn listed_origins_may_call() {
    const CONSOLE: &str = "https://console.example";
    let flag = "--cors-origins=https://console.example, http://localhost:3000";
    let scene = Scene::new().await.with(&[flag]);
    let service = scene.start().await;
    let api = service.drivers();
    let allowed = preflight(&api, CONSOLE).await;
    assert_eq!(allowed.status(), 204);
    let headers = allowed.headers();
    assert_eq!(headers["access-control-allow-origin"], CONSOLE);
    assert_eq!(headers["access-control-allow-headers"], "content-type,idempotency-key");
    assert!(
        headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("POST")
    );
    assert_eq!(headers["vary"], "origin");
    let foreign = preflight(&api, "https://evil.example").await;
    assert_eq!(foreign.status(), 403);
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));

    let cross = [("origin", CONSOLE), ("sec-fetch-site", "cross-site")];
    let fix = json!({"lat": 40.7, "lon": -73.9});
    let post = api.request(Method::POST, "/v1/drivers/x/position").json(&fix);
    assert_eq!(with(post, &cross).send().await.unwrap().status(), 204);
    // A page can read errors as well, whichever part of the service returns them.
    for path in [
        "/v1/drivers/x/position",
        "/v1/drivers/nearby?lng=1",
        "/nowhere",
        "/openapi.json",
    ] {
        let answer = with(api.request(Method::GET, path), &cross).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], CONSOLE, "{path}");
        assert!(
            headers["access-control-expose-headers"]
                .to_str()
                .unwrap()
                .contains("Retry-After")
        );
        let vary: Vec<_> = headers
            .get_all("vary")
            .iter()
            .map(|line| line.to_str().unwrap())
            .collect();
        assert!(vary.contains(&"origin"), "{path} {vary:?}");
    }
    // For other origins the same answer has `Vary`.
    let other = api.request(Method::GET, "/health/live").send().await.unwrap();
    assert_eq!(other.headers()["vary"], "origin");
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    // A request for an image has no origin.
    let image = with(
        api.request(Method::GET, "/health/live"),
        &[("sec-fetch-site", "cross-site")],
    );
    assert_eq!(image.send().await.unwrap().status(), 403);
}

#[actix_web::test]
async fn all_origins_may_call_if_the_setting_allows_it() {
    let scene = Scene::new().await.with(&["--cors-origins=*"]);
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(preflight(&api, "https://any.example").await.status(), 204);
    let headers = [("origin", "null"), ("sec-fetch-site", "cross-site")];
    let answer = with(api.request(Method::GET, "/health/live"), &headers)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(!answer.headers().contains_key("vary"));
}

#[actix_web::test]
async fn without_origins_no_answer_has_cors_headers() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let answer = api.request(Method::GET, "/health/live").send().await.unwrap();
    let names = ["access-control-allow-origin", "access-control-expose-headers", "vary"];
    assert!(
        names.iter().all(|name| !answer.headers().contains_key(*name)),
        "{answer:?}"
    );
    assert_eq!(preflight(&api, "https://console.example").await.status(), 403);
}

#[actix_web::test]
async fn a_rate_limited_answer_has_the_usual_headers() {
    let flags = [
        "--limits=few=gcra:1/1h",
        "--limit-requests=/v1=few",
        "--cors-origins=https://console.example",
    ];
    let scene = Scene::new().await.with(&flags);
    let service = scene.start().await;
    let api = service.drivers();
    let ask = async || {
        let request = api.request(Method::GET, "/v1/drivers/x/position");
        with(request, &[("origin", "https://console.example")])
            .send()
            .await
            .unwrap()
    };
    assert_eq!(ask().await.status(), 404);
    let limited = ask().await;
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["cache-control"], "no-store");
    assert_eq!(
        limited.headers()["access-control-allow-origin"],
        "https://console.example"
    );
    // A preflight does not count towards the limit.
    assert_eq!(preflight(&api, "https://console.example").await.status(), 204);
}

#[actix_web::test]
async fn invalid_origins_and_hosts_are_refused_at_the_start() {
    for (flag, named) in [
        ("--cors-origins=console.example", "not an origin"),
        ("--cors-origins=*,https://a.example", "not an origin"),
        ("--http-hosts=https://api.example", "not the name of a host"),
    ] {
        let refusal = ServiceProcess::refusal(&[flag]).await;
        let said = String::from_utf8_lossy(&refusal.stderr).into_owned();
        assert!(said.contains(named), "{said}");
    }
}

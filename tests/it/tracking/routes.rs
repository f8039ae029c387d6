//! Unknown paths and unsupported methods.

use crate::support::{Scene, send};
use reqwest::Method;

#[actix_web::test]
async fn an_unknown_path_is_a_404() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for path in [
        "/v1",
        "/v1/drivers",
        "/v1/drones/nearby?lat=1&lon=1",
        "/v1/drivers/d-1/position/of",
        "/v2/drivers/nearby",
        "/v1/drivers/a%2Fb/c",
    ] {
        api.get(path).await.assert_problem(404, &[]);
    }
}

#[actix_web::test]
async fn an_unsupported_method_is_a_405() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (path, methods) in [
        ("/v1/drivers/nearby", &[Method::PUT, Method::DELETE, Method::PATCH][..]),
        ("/v1/vehicles/within", &[Method::POST, Method::DELETE]),
        ("/v1/users/positions", &[Method::GET, Method::PUT]),
        ("/v1/drivers/d-1/position", &[Method::PUT, Method::PATCH]),
        ("/v1/drivers/d-1", &[Method::POST]),
        ("/health", &[Method::POST]),
    ] {
        for method in methods {
            send(api.request(method.clone(), path)).await.assert_problem(405, &[]);
        }
    }
}

#[actix_web::test]
async fn an_invalid_id_is_a_422_in_every_call() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let long = "x".repeat(129);
    for id in ["%7Bd%7D", "a%20b", "d%0A1", "caf%C3%A9", "%00", &long] {
        for (method, path) in [
            (Method::GET, "/position"),
            (Method::DELETE, "/position"),
            (Method::POST, "/position"),
            (Method::GET, ""),
            (Method::PUT, ""),
            (Method::PATCH, ""),
            (Method::DELETE, ""),
        ] {
            let request = api.request(method, &format!("/v1/drivers/{id}{path}"));
            send(
                request
                    .header("content-type", "application/json")
                    .body("{\"lat\":1,\"lon\":1}"),
            )
            .await
            .assert_problem(422, &["/id"]);
        }
    }
    assert_eq!(api.position(&"x".repeat(128)).await.status, 404);
}

#[actix_web::test]
async fn an_unknown_query_parameter_is_a_400_in_every_call_that_reads() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for path in [
        "/v1/drivers/d-1/position?verbose=1",
        "/v1/drivers/d-1?verbose=1",
        "/v1/drivers/nearby?lat=1&lon=1&verbose=1",
        "/v1/drivers/within?bbox=0,0,1,1&verbose=1",
    ] {
        api.get(path).await.assert_problem(400, &[]);
    }
}

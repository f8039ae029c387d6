use crate::support::{Scene, send};
use reqwest::Method;
use serde_json::{Value, json};

/// The faults of a problem: the parameter and the detail.
fn faults(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let fault = |error| {
        let error: &Value = error;
        assert!(error.get("pointer").is_none(), "{error}");
        (error["parameter"].as_str().unwrap(), error["detail"].as_str().unwrap())
    };
    errors.iter().map(fault).collect()
}

#[actix_web::test]
async fn a_fault_of_the_query_names_its_parameter_and_the_nearest_known_one() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for (path, status, parameter, said) in [
        ("/v1/drivers/nearby?lat=1&lng=1", 400, "lng", "`lon`"),
        ("/v1/drivers/nearby?lat=1", 400, "lon", "is required"),
        ("/v1/drivers/nearby?lat=x&lon=1", 400, "lat", "number"),
        ("/v1/drivers/nearby?lat=1&lat=2&lon=1", 400, "lat", "twice"),
        ("/v1/drivers/nearby?lat=1&lon=1&status=%FF", 400, "status", "UTF-8"),
        ("/v1/drivers/nearby?lat=99&lon=1", 422, "lat", "latitude"),
        ("/v1/drivers/nearby?lat=1&lon=1&source=disk", 422, "source", "redis"),
        ("/v1/drivers/within?box=1,2,3,4", 400, "box", "`bbox`"),
        ("/v1/drivers/within?bbox=1,2,3", 400, "bbox", "four numbers"),
        ("/v1/drivers/within?bbox=1,2,3,4&cursor=x", 422, "cursor", ""),
        ("/v1/inventory?limits=1", 400, "limits", "`limit`"),
        ("/v1/inventory?limit=0", 422, "limit", "1 to"),
        ("/v1/reservations?owners=a", 400, "owners", "`owner`"),
        ("/v1/reservations", 422, "owner", "missing"),
        ("/v1/queues?cursors=a", 400, "cursors", "`cursor`"),
        ("/v1/queues/q/jobs?states=dead", 400, "states", "`state`"),
        ("/v1/queues/q/jobs?state=gone", 422, "state", "ready"),
        ("/v1/queues/q/events?wait=1", 400, "wait", "`wait_ms`"),
        ("/v1/cache/n?patterns=a", 400, "patterns", "`pattern`"),
        ("/v1/cache/stats?x=1", 400, "x", "none is known here"),
        ("/v1/drivers/%00/position", 422, "id", ""),
        ("/v1/cache/n/%FF", 422, "key", "UTF-8"),
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        let faults = faults(&answer.body);
        assert_eq!(faults.len(), 1, "{path} {answer:?}");
        assert_eq!(faults[0].0, parameter, "{path} {answer:?}");
        assert!(faults[0].1.contains(said), "{path} {answer:?}");
    }
    // All of them at once.
    let answer = api.get("/v1/drivers/nearby?lng=1&latitude=2").await;
    let named: Vec<_> = faults(&answer.body)
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(named, ["lng", "latitude"]);
    // A header is a parameter too, a member of a body is not.
    let request = api
        .request(Method::POST, "/v1/queues/q/lease")
        .header("idempotency-key", "k");
    let answer = send(request.json(&json!({}))).await;
    assert_eq!(faults(&answer.body)[0].0, "Idempotency-Key", "{answer:?}");
    let request = api.request(Method::POST, "/v1/queues/q/lease");
    let answer = send(request.json(&json!({"counts": 1}))).await;
    assert_eq!(answer.body["errors"][0]["pointer"], "/counts", "{answer:?}");
}

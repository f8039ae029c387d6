use crate::support::Scene;
use serde_json::to_string_pretty;

/// A change of the interface shows as a change of this file. To accept it: `INSTA_UPDATE=always cargo test --test it openapi::snapshot`.
#[actix_web::test]
async fn the_document_matches_the_snapshot() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let document = service.drivers().get("/openapi.json").await.body;
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("openapi", to_string_pretty(&document).unwrap()));
}

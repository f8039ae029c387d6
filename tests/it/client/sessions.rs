use super::{client, problem};
use crate::support::Scene;
use fleetpulse_client::ProblemType;
use fleetpulse_client::sessions::NewSession;
use serde_json::{Map, Value};

#[actix_web::test]
async fn a_user_signs_in_changes_data_and_signs_out() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let sessions = client.sessions();

    let wanted = NewSession {
        role: Some("rider".to_owned()),
        ..NewSession::new("auth0|7/a")
    };
    let created = sessions.create(&wanted).await.unwrap();
    assert!(!format!("{created:?}").contains(created.token.as_str()));
    let session = sessions.validate(&created.token).await.unwrap();
    assert_eq!((&session.id, &*session.subject), (&created.session.id, "auth0|7/a"));

    let data = Map::from_iter([("cart".to_owned(), Value::from(vec![1]))]);
    let changed = sessions
        .merge_data(&created.token, session.version, &data)
        .await
        .unwrap();
    assert_eq!(changed.data, data);
    let outdated = sessions.merge_data(&created.token, session.version, &data).await;
    assert_eq!(problem(outdated), (409, ProblemType::VersionConflict));

    let rotated = sessions.rotate(&created.token).await.unwrap();
    assert_ne!(rotated.token, created.token);
    let extended = sessions.extend(&rotated.token, 60).await.unwrap();
    assert!(extended.absolute_expires_at > session.absolute_expires_at);

    let other = sessions.create(&wanted).await.unwrap();
    let listed = sessions.list("auth0|7/a").await.unwrap();
    let listed: Vec<_> = listed.iter().map(|session| &*session.id).collect();
    assert_eq!(listed, [&*session.id, &*other.session.id]);
    let ended = sessions.end_all("auth0|7/a", Some(&session.id)).await.unwrap();
    assert_eq!(ended, 1);
    assert_eq!(problem(sessions.end_by_id("auth0|7/a", &other.session.id).await).0, 404);
    sessions.end(&rotated.token).await.unwrap();
    let ended = sessions.validate(&rotated.token).await;
    assert_eq!(problem(ended), (401, ProblemType::Unauthenticated));
}

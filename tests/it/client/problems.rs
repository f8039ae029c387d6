//! Error answers.

use super::client;
use crate::support::{Receiver, Scene};
use fleetpulse_client::tracking::{Kind, Position};
use fleetpulse_client::{Client, ProblemType};
use std::fs;
use std::path::Path;

#[actix_web::test]
async fn a_problem_names_the_invalid_field() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let client = client(&service);
    let drivers = client.tracking(Kind::Drivers);
    let error = drivers.report("d-1", &Position::new(91.0, 0.0)).await.unwrap_err();
    assert!(error.is(ProblemType::ValidationFailed), "{error:?}");
    let problem = error.problem().unwrap();
    assert_eq!((problem.status, problem.name()), (422, "validation_failed"));
    assert_eq!(problem.errors[0].pointer.as_deref(), Some("/lat"));
    assert!(error.to_string().contains(&problem.detail), "{error}");
}

#[actix_web::test]
async fn an_answer_that_does_not_describe_the_error_is_a_problem_without_a_type() {
    let receiver = Receiver::start();
    receiver.answer_with([502, 404]);
    let client = Client::new(&receiver.url).unwrap();
    for status in [502, 404] {
        let error = client.inventory().item("seat").await.unwrap_err();
        let problem = error.problem().unwrap();
        assert_eq!((problem.status, problem.problem_type()), (status, ProblemType::Unknown));
    }
}

/// The page lists the types in its table of errors, in backticks.
#[test]
fn the_client_has_every_type_of_the_documentation() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/http.md");
    let page = fs::read_to_string(page).unwrap();
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| status | meaning | types |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let types: Vec<_> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(types.len() > 35, "{types:?}");
    for name in types {
        assert_ne!(ProblemType::from_name(name), ProblemType::Unknown, "{name}");
    }
}

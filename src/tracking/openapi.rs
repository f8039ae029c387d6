use super::handlers::EntityId;
use utoipa::OpenApi;

/// The tag of the slice in the document, and the schemas that no operation refers to.
#[derive(Debug, OpenApi)]
#[openapi(
    tags((name = "tracking", description = "Positions and profiles of entities, and queries for the nearest")),
    components(schemas(EntityId)),
)]
pub struct Document;

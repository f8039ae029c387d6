use utoipa::OpenApi;

/// The tag of the slice in the document.
#[derive(Debug, OpenApi)]
#[openapi(tags((name = "sessions", description = "Sessions and their tokens")))]
pub struct Document;

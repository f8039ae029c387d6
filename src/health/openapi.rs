use utoipa::OpenApi;

/// The tag of the slice in the document.
#[derive(Debug, OpenApi)]
#[openapi(tags((name = "health", description = "Health and metrics")))]
pub struct Document;

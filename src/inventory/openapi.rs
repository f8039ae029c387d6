use utoipa::OpenApi;

/// The tag of the slice in the document.
#[derive(Debug, OpenApi)]
#[openapi(tags((name = "inventory", description = "Stock and reservations")))]
pub struct Document;

use utoipa::OpenApi;

/// The tag of the slice in the document.
#[derive(Debug, OpenApi)]
#[openapi(tags((name = "locks", description = "Distributed locks with fencing tokens")))]
pub struct Document;

use utoipa::OpenApi;

/// The tag of the slice in the document.
#[derive(Debug, OpenApi)]
#[openapi(tags((name = "limits", description = "Rate limits")))]
pub struct Document;

use super::handlers::{KeyBody, NamespaceBody};
use utoipa::OpenApi;

/// The tag of the slice in the document, and the schemas that no operation refers to.
#[derive(Debug, OpenApi)]
#[openapi(
    tags((name = "cache", description = "A cache that services share")),
    components(schemas(KeyBody, NamespaceBody)),
)]
pub struct Document;

use super::handlers::{JobIdBody, QueueNameBody};
use utoipa::OpenApi;

/// The tag of the slice in the document, and the schemas that no operation refers to.
#[derive(Debug, OpenApi)]
#[openapi(
    tags((name = "jobs", description = "Job queues with priorities, schedules and at-least-once delivery")),
    components(schemas(JobIdBody, QueueNameBody)),
)]
pub struct Document;

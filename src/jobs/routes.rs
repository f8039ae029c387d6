use super::handlers;
use crate::http::{Route, routes};

/// The routes of queues and their jobs.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes! {
        GET             "/v1/queues"                          "queues"          Jobs handlers::list_queues;
        GET             "/v1/queues/{queue}"                  "queue"           Jobs handlers::get_queue;
        POST            "/v1/queues/{queue}/jobs"             "queue_jobs"      Jobs handlers::add_jobs;
        GET             "/v1/queues/{queue}/jobs"             "queue_jobs"      Jobs handlers::list_jobs;
        DELETE          "/v1/queues/{queue}/jobs"             "queue_jobs"      Jobs handlers::drain_jobs;
        POST            "/v1/queues/{queue}/lease"            "queue_lease"     Jobs handlers::lease_jobs;
        POST idempotent "/v1/queues/{queue}/settle"           "queue_settle"    Jobs handlers::settle_jobs;
        POST idempotent "/v1/queues/{queue}/pause"            "queue_pause"     Jobs handlers::pause_queue;
        POST idempotent "/v1/queues/{queue}/resume"           "queue_resume"    Jobs handlers::resume_queue;
        POST            "/v1/queues/{queue}/redrive"          "queue_redrive"   Jobs handlers::redrive;
        DELETE          "/v1/queues/{queue}/dead"             "queue_dead"      Jobs handlers::clear_dead;
        GET             "/v1/queues/{queue}/events"           "queue_events"    Jobs handlers::list_events;
        GET             "/v1/queues/{queue}/schedules"        "queue_schedules" Jobs handlers::list_schedules;
        GET             "/v1/queues/{queue}/schedules/{name}" "queue_schedule"  Jobs handlers::get_schedule;
        PUT             "/v1/queues/{queue}/schedules/{name}" "queue_schedule"  Jobs handlers::put_schedule;
        DELETE          "/v1/queues/{queue}/schedules/{name}" "queue_schedule"  Jobs handlers::delete_schedule;
        DELETE          "/v1/queues/{queue}/unique/{key}"     "queue_unique"    Jobs handlers::cancel_unique;
        GET             "/v1/jobs/{id}"                       "job"             Jobs handlers::get_job;
        DELETE          "/v1/jobs/{id}"                       "job"             Jobs handlers::cancel_job;
        POST idempotent "/v1/jobs/{id}/complete"              "job_complete"    Jobs handlers::complete_job;
        POST idempotent "/v1/jobs/{id}/fail"                  "job_fail"        Jobs handlers::fail_job;
        POST idempotent "/v1/jobs/{id}/extend"                "job_extend"      Jobs handlers::extend_job;
        POST idempotent "/v1/jobs/{id}/progress"              "job_progress"    Jobs handlers::progress_job;
        POST            "/v1/jobs/{id}/retry"                 "job_retry"       Jobs handlers::retry_job;
    }
}

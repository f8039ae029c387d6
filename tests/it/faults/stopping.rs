//! How the service stops: no accepted work is lost, and clients that follow `/health/ready` see no error.

use super::{NOTICE, SOON, here, is_stored};
use crate::support::{Api, Redis, Scene, ServiceProcess, eventually, http_client, now_ms};
use actix_web::rt::{spawn, time::sleep};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, Method};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

/// How often the client checks which instances are ready.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Concurrent requests of the client.
const LANES: usize = 8;

/// A client of several instances that acts as a load balancer: it sends requests to those that were ready at its last check.
struct Balancer {
    http: Client,
    urls: Vec<String>,
    ready: RefCell<Vec<usize>>,
    sent: Cell<usize>,
    failed: RefCell<Vec<String>>,
    is_over: Cell<bool>,
}

impl Balancer {
    fn over(urls: Vec<String>) -> Rc<Self> {
        Rc::new(Self {
            http: http_client().build().unwrap(),
            ready: RefCell::new((0..urls.len()).collect()),
            urls,
            sent: Cell::new(0),
            failed: RefCell::default(),
            is_over: Cell::new(false),
        })
    }

    async fn keep_looking(self: Rc<Self>) {
        while !self.is_over.get() {
            for (index, url) in self.urls.iter().enumerate() {
                let looked = self.http.get(format!("{url}/health/ready")).send().await;
                let is_ready = looked.is_ok_and(|answer| answer.status() == 200);
                let mut ready = self.ready.borrow_mut();
                ready.retain(|other| *other != index);
                ready.extend(is_ready.then_some(index));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn keep_sending(self: Rc<Self>, lane: usize) {
        while !self.is_over.get() {
            let number = self.sent.get();
            self.sent.set(number + 1);
            let instance = {
                let ready = self.ready.borrow();
                ready.get(number % ready.len().max(1)).copied()
            };
            let Some(instance) = instance else {
                self.failed.borrow_mut().push("no instance is ready".to_owned());
                sleep(LOOK_EVERY).await;
                continue;
            };
            let path = format!("{}/v1/drivers/d-{lane}/position", self.urls[instance]);
            let fix = json!({"lat": 1, "lon": 1, "timestamp": now_ms()});
            let failure = match self.http.post(path).json(&fix).send().await {
                Ok(answer) if answer.status().is_success() => continue,
                Ok(answer) => answer.status().to_string(),
                Err(error) => format!("{error:?}"),
            };
            self.failed.borrow_mut().push(failure);
        }
    }

    /// Waits until it sends requests to this number of instances, and some were answered.
    async fn sends_to(&self, instances: usize) {
        let begun = self.sent.get();
        eventually(SOON * 2, "requests go to the instances", async || {
            (self.ready.borrow().len() == instances && self.sent.get() > begun + 100).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_rolling_restart_fails_no_request() {
    let scene = Scene::new().await.with(&["--lame-duck=3", "--drain=10"]);
    let mut instances = vec![scene.start_process().await, scene.start_process().await];
    let client = Balancer::over(instances.iter().map(|instance| instance.url().to_owned()).collect());
    let mut working = vec![spawn(Rc::clone(&client).keep_looking())];
    working.extend((0..LANES).map(|lane| spawn(Rc::clone(&client).keep_sending(lane))));
    for _ in 0..2 {
        client.sends_to(2).await;
        let old = instances.remove(0);
        let address = old.url().trim_start_matches("http://").to_owned();
        assert!(old.terminate().await.success());
        let mut args = scene.args();
        args.push(format!("--bind={address}"));
        instances.push(ServiceProcess::start(&args).await);
    }
    client.sends_to(2).await;
    client.is_over.set(true);
    for task in working {
        task.await.unwrap();
    }
    let failed = client.failed.borrow();
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:?}",
        failed.len(),
        client.sent.get()
    );
}

/// Waits until an instance is not ready because it stops.
async fn is_draining(api: &Api) {
    eventually(SOON, "it is draining", async || {
        let ready = api.get("/health/ready").await;
        (ready.status == 503 && ready.body["status"] == "draining").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_draining_instance_serves_and_closes_connections_until_a_second_signal() {
    let scene = Scene::new().await.with(&["--lame-duck=600", "--shutdown-budget=3600"]);
    let service = scene.start_process().await;
    let api = service.drivers();
    service.request_stop();
    is_draining(&api).await;
    assert_eq!(api.get("/health/live").await.status, 200);
    let answer = api.request(Method::POST, "/v1/drivers/d-1/position").json(&here());
    let answer = answer.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["connection"]),
        (204, &"close".parse().unwrap())
    );
    service.request_stop();
    assert!(!service.ended().await.success());
}

#[actix_web::test]
async fn an_interrupt_skips_the_wait_for_load_balancers() {
    let scene = Scene::new()
        .await
        .with(&["--lame-duck=600", "--drain=600", "--shutdown-budget=3600"]);
    let service = scene.start_process().await;
    // An idle connection stays open during the stop.
    let api = service.drivers();
    api.place("d-1", here()).await;
    kill(Pid::from_raw(service.pid().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(service.ended().await.success());
    drop(api);
}

#[actix_web::test]
async fn a_stop_waits_for_redis_to_write_unsaved_positions() {
    let mut scene = Scene::on(Redis::durable().await).with(&[NOTICE]);
    let mut command = ServiceProcess::command(&scene.args());
    command.env("RUST_LOG", "info").stderr(Stdio::piped());
    let service = ServiceProcess::spawn(command).await;
    let api = service.drivers();
    api.ready().await;
    scene.redis.kill();
    let at = now_ms();
    eventually(SOON, "positions are buffered", async || {
        let fix = json!({"lat": 1, "lon": 1, "timestamp": at});
        (api.post_fix("d-1", fix).await.status == 202).then_some(())
    })
    .await;
    service.request_stop();
    eventually(SOON, "it is stopping", async || {
        service.output().contains("stopping").then_some(())
    })
    .await;
    scene.redis.restart().await;
    assert!(service.ended().await.success());
    is_stored(&scene, "d-1", at).await;
}

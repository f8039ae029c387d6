//! A disk that is full: a small file system of its own, which only root may mount (`make faults`).

use super::{NOTICE, SOON, here, is_taken};
use crate::support::{Folder, Redis, Scene, eventually};
use redis::{RedisResult, cmd};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, unmounted when this is dropped.
struct Disk(Folder);

impl Disk {
    fn of(size: &str) -> Self {
        let folder = Folder::new();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path()));
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A folder of its own on it.
    fn redis_folder(&self) -> PathBuf {
        let folder = self.path().join("redis");
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn grow(&self, size: &str) {
        run(Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that was killed a moment ago may still hold it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}; run this test as root");
}

#[actix_web::test]
#[ignore = "mounts a file system, which only root may: make faults"]
async fn on_a_full_disk_positions_are_buffered_and_written_later() {
    let disk = Disk::of("8m");
    let redis = Redis::durable_in(disk.redis_folder()).await;
    let scene = Scene::on(redis).with(&[NOTICE]);
    let service = scene.start().await;
    let api = service.drivers();
    api.place("d-1", here()).await;

    let large = "x".repeat(5 << 20);
    let mut connection = scene.redis.connect().await;
    for name in ["a", "b"] {
        // Redis refuses writes after it has detected the fault.
        let _: RedisResult<()> = cmd("SET").arg(name).arg(&large).query_async(&mut connection).await;
    }
    eventually(SOON, "health has the reason", async || {
        (api.get("/health").await.body["parts"]["redis"]["code"] == "MISCONF").then_some(())
    })
    .await;
    assert_eq!(api.post_fix("d-2", here()).await.status, 202);
    assert_eq!(api.nearby("lat=40.7484&lon=-73.9857").await.ids().len(), 2);

    disk.grow("64m");
    eventually(SOON, "well again", async || {
        (api.get("/health").await.body["status"] == "ok").then_some(())
    })
    .await;
    is_taken(&api, "d-3", here()).await;
}

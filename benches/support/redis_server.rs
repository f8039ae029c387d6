//! A real Redis for a bench: the embedded one, in a folder of its own that goes with it.

use crate::ground::{Scratch, or_exit};
use fleetpulse::store::embedded::{Embedded, EmbeddedSettings};
use fleetpulse::store::{Keys, Link, Store};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A server with a link to it and the runtime that drives both.
pub struct Redis {
    pub runtime: Runtime,
    pub link: Link,
    server: Option<Embedded>,
    _folder: Scratch,
}

impl Redis {
    /// Starts a server; without an installed one it says how to get one and ends the bench.
    pub fn start(name: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = or_exit(runtime);
        let folder = Scratch::new(name);
        let (server, link) = runtime.block_on(async {
            let server = or_exit(Embedded::start(&EmbeddedSettings::new(&folder.0)).await);
            let keys = Keys::new("fp:", 1);
            let store = or_exit(Store::new(server.connection_info(), keys, Duration::from_secs(10)));
            let link = Link::open(&store);
            link.connected().await;
            (server, link)
        });
        Self {
            runtime,
            link,
            server: Some(server),
            _folder: folder,
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

use super::{Api, last_of_each};
use clap::Parser;
use fleetpulse::app::{Application, Settings};
use fleetpulse::runtime::StopReason;
use std::iter;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The settings, parsed as by the command line, so that settings that a test does not name have their real defaults.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    settings: Settings,
}

/// An instance of the service in this process, on a thread and a port of its own; ends when dropped.
pub struct Service {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts an instance and waits until it is ready.
    pub async fn start(args: &[impl AsRef<str>]) -> Self {
        let settings = settings(args);
        let (started, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = Application::build(&settings).await.unwrap();
                started.send(app.address()).unwrap();
                let stopped = async {
                    // Both a message and a dropped sender mean stop.
                    let _ = stopped.await;
                    StopReason::Terminate
                };
                app.run(stopped).await.unwrap();
            });
        });
        let address = address.await.expect("the service starts");
        let service = Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        };
        service.drivers().ready().await;
        service
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its calls about `drivers`, `vehicles` or `users`.
    pub fn api(&self, kind: &'static str) -> Api {
        Api::new(self.url(), kind)
    }

    pub fn drivers(&self) -> Api {
        self.api("drivers")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking(), "the service panicked");
    }
}

fn settings(args: &[impl AsRef<str>]) -> Settings {
    // Neither a delay nor a drain at a stop, because a client of the test may keep its connection while the test waits for the end of the
    // service. The service does not wait for a Redis that the test has ended.
    let base = [
        "--bind=127.0.0.1:0",
        "--workers=2",
        "--lame-duck=0",
        "--drain=0",
        "--shutdown-budget=1",
        "--redis-host=",
        // Used by tests that write requests themselves.
        "--http-hosts=x",
    ];
    let args = iter::once("fleetpulse").chain(last_of_each(&base, args));
    match Args::try_parse_from(args) {
        Ok(args) => args.settings,
        Err(error) => panic!("{error}"),
    }
}

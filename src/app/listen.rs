//! The HTTP server.
//!
//! Put together from the parts of actix-web's `HttpServer`, which takes no streams but its own.

use super::AppError;
use super::parts::Parts;
use crate::config::HttpSettings;
use crate::http::{CloseWhenStopping, Edge, Heads, remember_connection};
use crate::limits::Guard;
use crate::runtime::Connections;
use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Extensions, Server, ServiceFactory, fn_service};
use actix_web::{App, Error};
use prometheus::IntCounterVec;
use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may be idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to take note that a connection is closed.
const DISCONNECT: Duration = Duration::from_secs(1);

/// What a worker's server is made of.
#[derive(Clone)]
pub(super) struct Http {
    pub settings: HttpSettings,
    pub parts: Arc<Parts>,
    pub guard: Guard,
    pub edge: Edge,
    pub connections: Connections,
    /// Counts requests that are refused before there is one.
    pub refused: IntCounterVec,
}

impl Http {
    /// Binds the port. Workers start, and connections are taken, once the server is polled.
    pub fn serve(self) -> Result<(Server, SocketAddr), AppError> {
        let bind = self.settings.bind;
        let cannot = |source| AppError::Bind { address: bind, source };
        let listener = TcpListener::bind(bind).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let mut server = Server::build()
            .disable_signals()
            .shutdown_timeout(self.settings.drain_s)
            .max_concurrent_connections(self.settings.max_connections.get());
        if let Some(workers) = self.settings.workers {
            server = server.workers(workers.get());
        }
        let draining = server.graceful_shutdown_signal();
        let server = server
            .listen("http", listener, move || self.worker(&draining))
            .map_err(cannot)?;
        Ok((server.run(), address))
    }

    /// Sets up one worker, on its own thread.
    fn worker(
        &self,
        draining: &GracefulShutdownSignal,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
        let draining = draining.clone();
        let app = App::new().configure(|app| self.parts.worker(app));
        let app = app
            .wrap(self.guard.clone())
            .wrap(CloseWhenStopping(self.parts.supervisor.phases().clone()))
            .wrap(self.edge.clone());
        let app = app.into_factory().map_err(|error: Error| error.error_response());
        let connections = self.connections.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(self.settings.request_timeout())
            .client_disconnect_timeout(DISCONNECT)
            .on_connect_ext(move |heads: &Heads<TcpStream>, data: &mut Extensions| {
                remember_connection(heads.stream(), data);
                data.insert(connections.open());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        let refused = self.refused.clone();
        fn_service(move |socket: TcpStream| {
            let peer = socket.peer_addr().ok();
            ready(Ok::<_, DispatchError>((
                Heads::new(socket, peer, refused.clone()),
                peer,
            )))
        })
        .and_then(http)
    }
}

//! The HTTP server. Its connections have a type of our own; their number is bounded, and each has one descriptor.

use super::error::AppError;
use super::parts::Parts;
use crate::http::HttpSettings;
use crate::http::{BoundAnswers, CloseWhenStopping, Connection, Edge, Heads, Stream, Timeouts};
use crate::runtime::{Connections, Descriptors};
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Extensions, Server, ServiceFactory, fn_service};
use actix_web::{App, Error};
use prometheus::IntCounterVec;
use socket2::{Domain, Socket, Type};
use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::net::TcpStream;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;
/// How long a connection may be idle, at least. It is closed within twice this time.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long to wait for a client to close its side, after the server has closed the connection.
const DISCONNECT: Duration = Duration::from_secs(1);
/// Unsent bytes that the kernel buffers for a connection (`TCP_NOTSENT_LOWAT`). Without this limit it buffers megabytes for a client that
/// does not read. A client that reads slowly would look the same, because the kernel takes more only when a third of the buffer is free.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1_024;

/// The components of the server of a worker.
#[derive(Clone)]
pub(super) struct Http {
    pub settings: HttpSettings,
    pub parts: Arc<Parts>,
    pub edge: Edge,
    pub connections: Connections,
    /// Counts requests that are refused before their head is parsed.
    pub refused: IntCounterVec,
}

impl Http {
    /// Binds the port. Workers start, and connections are accepted, once the server is polled.
    pub fn serve(self) -> Result<(Server, SocketAddr), AppError> {
        let settings = &self.settings;
        let cannot = |source| AppError::Bind {
            address: settings.bind,
            source,
        };
        let workers = settings.workers.map_or_else(
            || available_parallelism().map_or(2, NonZeroUsize::get),
            NonZeroUsize::get,
        );
        let room = Descriptors::claim(settings.max_connections.get().saturating_mul(workers), workers);
        self.parts
            .process
            .components
            .warn("few_descriptors", room.warning().as_deref());
        let listener = bind(settings).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let server = Server::build()
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(settings.drain_s)
            .max_concurrent_connections((room.served + room.surplus).div_ceil(workers));
        let draining = server.graceful_shutdown_signal();
        let bind = settings.bind;
        let server = server
            .listen("http", listener, move || self.worker(&draining, room.served))
            .map_err(|source| AppError::Bind { address: bind, source })?;
        Ok((server.run(), address))
    }

    /// Sets up one worker, on its own thread. Connections beyond `served` are refused.
    fn worker(
        &self,
        draining: &GracefulShutdownSignal,
        served: usize,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
        let draining = draining.clone();
        let app = App::new().configure(|app| self.parts.worker(app));
        let app = app
            .wrap(self.parts.slices.limits.guard())
            .wrap(CloseWhenStopping(self.parts.process.supervisor().phases().clone()))
            .wrap(BoundAnswers(self.parts.answers.clone()))
            .wrap(self.edge.clone());
        let app = app.into_factory().map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            // `Stream` closes idle connections. It sets its timer once per period, and actix-http would set one per request.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(self.settings.request_timeout())
            .client_disconnect_timeout(DISCONNECT)
            .on_connect_ext(|heads: &Heads<Stream>, data: &mut Extensions| {
                data.insert(Rc::clone(heads.stream().connection()));
            })
            .h1(map_config(app, |()| AppConfig::default()));
        let (connections, refused) = (self.connections.clone(), self.refused.clone());
        let timeouts = Timeouts {
            write: self.settings.write_timeout(),
            idle: KEEP_ALIVE,
            unread: self.parts.metrics.write_timeouts.clone(),
        };
        fn_service(move |socket: TcpStream| {
            let peer = socket.peer_addr().ok();
            let connection = Connection::new(socket, connections.open(), connections.count() > served);
            let stream = Stream::new(connection, timeouts.clone());
            ready(Ok::<_, DispatchError>((
                Heads::new(stream, peer, refused.clone()),
                peer,
            )))
        })
        .and_then(http)
    }
}

/// Accepted connections inherit these options.
fn bind(settings: &HttpSettings) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(settings.bind), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    {
        // Applies also to data that the server has passed to the kernel.
        socket.set_tcp_user_timeout(Some(settings.write_timeout()))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    socket.bind(&settings.bind.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

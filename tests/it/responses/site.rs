use crate::support::{Redis, Scene, http_client};
use actix_web::web;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use fleetpulse::cache::{self, Cache, CacheMetrics, CacheSettings};
use fleetpulse::ids::Id;
use fleetpulse::response_cache::{Builder, ResponseCache, ResponseMetrics, ResponseOptions, Shared};
use fleetpulse::store::{Link, Store};
use fleetpulse::telemetry::MetricsRegistry;
use futures_util::future::LocalBoxFuture;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

/// A small application behind a response cache: one handler for every path and method, which counts its calls.
pub struct Site {
    url: String,
    http: Client,
    calls: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A response.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

/// The handler: gets the request and its number, counted from 1.
pub trait Handler: Fn(HttpRequest, usize) -> LocalBoxFuture<'static, HttpResponse> + Clone + Send + 'static {}
impl<F: Fn(HttpRequest, usize) -> LocalBoxFuture<'static, HttpResponse> + Clone + Send + 'static> Handler for F {}

/// A handler that takes this long.
pub fn after(
    takes: Duration,
    answer: impl Fn(&HttpRequest, usize) -> HttpResponse + Clone + Send + 'static,
) -> impl Handler {
    move |request: HttpRequest, n| -> LocalBoxFuture<'static, HttpResponse> {
        let answer = answer.clone();
        Box::pin(async move {
            sleep(takes).await;
            answer(&request, n)
        })
    }
}

/// A handler that returns the number of its call, once it is released.
pub fn gated(gate: &Arc<Semaphore>) -> impl Handler {
    let gate = Arc::clone(gate);
    move |_: HttpRequest, n| -> LocalBoxFuture<'static, HttpResponse> {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            numbered(n)
        })
    }
}

/// An answer with the number of its call.
pub fn numbered(n: usize) -> HttpResponse {
    HttpResponse::Ok().body(n.to_string())
}

impl Site {
    /// On the scene's Redis, with a handler that answers at once.
    pub async fn start<R: AsRef<Redis>>(
        scene: &Scene<R>,
        build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
        handler: impl Fn(&HttpRequest, usize) -> HttpResponse + Clone + Send + 'static,
    ) -> Self {
        let handler = move |request: HttpRequest, n| -> LocalBoxFuture<'static, HttpResponse> {
            let answer = handler(&request, n);
            Box::pin(async move { answer })
        };
        Self::start_slow(scene, build, handler).await
    }

    /// With a handler that may be slow.
    pub async fn start_slow<R: AsRef<Redis>>(
        scene: &Scene<R>,
        build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
        handler: impl Handler,
    ) -> Self {
        // Long, because the machine may be busy, and these tests are not about the timeout.
        let options = ResponseOptions {
            redis_timeout: Duration::from_secs(5),
            ..ResponseOptions::default()
        };
        Self::start_with(scene, options, build, handler).await
    }

    pub async fn start_with<R: AsRef<Redis>>(
        scene: &Scene<R>,
        options: ResponseOptions,
        build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
        handler: impl Handler,
    ) -> Self {
        Self::start_at(&scene.redis.as_ref().url(), scene, options, build, handler).await
    }

    /// Over another connection to the scene's Redis.
    pub async fn start_at<R: AsRef<Redis>>(
        url: &str,
        scene: &Scene<R>,
        options: ResponseOptions,
        build: impl Fn(Builder) -> Builder + Clone + Send + 'static,
        handler: impl Handler,
    ) -> Self {
        let client = redis::Client::open(url).unwrap();
        let address = client.get_connection_info().clone();
        let store = Store::new(address, scene.keys(), Duration::from_secs(1)).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let (started, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let registry = MetricsRegistry::default();
                let metrics = CacheMetrics::register(&registry).unwrap();
                let shared = Shared::new(options, &ResponseMetrics::register(&registry).unwrap());
                let cache_shared = cache::Shared::new(&store, CacheSettings::default(), &metrics);
                let server = HttpServer::new(move || {
                    let cache = Cache::new(Link::open(&store), Arc::clone(&cache_shared));
                    let responses = build(ResponseCache::builder(&cache, &shared, Id::parse("site").unwrap())).build();
                    let (handler, calls) = (handler.clone(), Arc::clone(&counted));
                    let handle = move |request: HttpRequest| handler(request, calls.fetch_add(1, Ordering::SeqCst) + 1);
                    App::new()
                        .app_data(web::Data::new("known to the application"))
                        .service(web::resource("/{path:.*}").route(web::to(handle)).wrap(responses))
                })
                .workers(2)
                .disable_signals()
                .shutdown_timeout(0)
                .bind("127.0.0.1:0")
                .unwrap();
                started.send(server.addrs()[0]).unwrap();
                let server = server.run();
                let handle = server.handle();
                actix_web::rt::spawn(async move {
                    let _ = stopped.await;
                    handle.stop(false).await;
                });
                server.await.unwrap();
            });
        });
        let address = address.await.expect("the application starts");
        Self {
            url: format!("http://{address}"),
            http: http_client().build().unwrap(),
            calls,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The number of calls of the handler.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        let mut request = self.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Got::of(request).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking(), "the application panicked");
    }
}

impl Got {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    /// A header, empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The parameters of `Cache-Status` after the name of the cache.
    pub fn cache(&self) -> &str {
        self.header("cache-status")
            .strip_prefix("fleetpulse; ")
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    pub fn is_hit(&self) -> bool {
        self.cache().starts_with("hit; ttl=")
    }

    #[track_caller]
    pub fn assert(&self, status: u16, body: &str, cache: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body), "{self:?}");
        assert!(self.cache().starts_with(cache), "{self:?}");
    }
}

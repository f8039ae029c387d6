use super::reads::Reads;
use super::shared::Shared;
use crate::store::Link;
use std::sync::Arc;

/// The cache of a worker. Clones share the connection.
///
/// ```no_run
/// # async fn example(store: fleetpulse::store::Store) -> Result<(), Box<dyn std::error::Error>> {
/// use fleetpulse::cache::{Cache, CacheMetrics, CacheSettings, Policy, Put, Shared};
/// use fleetpulse::ids::Id;
/// use fleetpulse::store::Link;
/// use fleetpulse::telemetry::MetricsRegistry;
/// use std::time::Duration;
///
/// let metrics = CacheMetrics::register(&MetricsRegistry::default())?;
/// let shared = Shared::new(&store, CacheSettings::default(), &metrics);
/// let cache = Cache::new(Link::open(&store), shared);
/// let prices = Id::parse("prices")?;
/// let put = Put::fresh_for(Duration::from_mins(5)).tagged([Id::parse("product:7")?]);
/// let price = cache
///     .get_or_compute(&prices, "7/eur", &Policy::new(put), || async {
///         Ok::<u64, std::io::Error>(1_999) // usually from a slow source
///     })
///     .await?;
/// assert_eq!(price.value, 1_999);
/// cache.invalidate(&[Id::parse("product:7")?]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    shared: Arc<Shared>,
    reads: Reads,
}

impl Cache {
    /// Creates a cache over a connection. A task of the current runtime sends its reads.
    #[must_use]
    pub fn new(link: Link, shared: Arc<Shared>) -> Self {
        let reads = Reads::start(&link);
        Self(Arc::new(Inner { link, shared, reads }))
    }

    /// The state that all workers of the process share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.0.reads
    }
}

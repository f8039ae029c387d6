//! CPU times: those of the service and its Redis from `/metrics`, those of this process from `/proc`.

use crate::cli::client::Client;
use crate::cli::encode;
use std::fs;
use std::str;

/// Clock ticks a second in `/proc`: fixed at 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds used so far; `None` if it is not reported.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct CpuReading {
    pub(super) service: Option<f64>,
    pub(super) redis: Option<f64>,
    pub(super) ourselves: Option<f64>,
}

impl CpuReading {
    /// Reads all three; a service without `/metrics` reports nothing, which is not an error.
    pub(super) async fn take(control: &mut Client) -> Self {
        let mut request = Vec::new();
        encode::get(&mut request, control.endpoint(), "/metrics");
        let (mut service, mut redis) = (None, None);
        if let Ok(response) = control.send(&request).await
            && response.status == 200
            && let Ok(text) = str::from_utf8(response.body)
        {
            service = sample(text, "process_cpu_seconds_total");
            redis = sample(text, "fleetpulse_redis_cpu_seconds_total");
        }
        Self {
            service,
            redis,
            ourselves: own_seconds(),
        }
    }
}

/// Returns the sum of the samples of a metric in the text format of Prometheus, over all its labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            // A space or labels follow; otherwise it is the beginning of a longer name.
            let value = if rest.starts_with('{') {
                rest.rsplit_once('}')?.1
            } else {
                rest.strip_prefix(' ')?
            };
            value.split_whitespace().next()?.parse::<f64>().ok()
        })
        .reduce(|sum, value| sum + value)
}

/// Returns the user and system time of this process: the 14th and 15th field, counted after the name in brackets.
fn own_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_their_full_name_and_summed_over_labels() {
        let text =
            "# HELP cpu_total x\ncpu_total_more 9\ncpu_total{mode=\"user\"} 1.5\ncpu_total{mode=\"a b}\"} 2 1700\n";
        assert_eq!(sample(text, "cpu_total"), Some(3.5));
        assert_eq!(sample(text, "cpu_total_more"), Some(9.0));
        assert_eq!(sample(text, "cpu"), None);
    }
}

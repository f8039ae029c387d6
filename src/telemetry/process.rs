//! Metrics of this process, read from `/proc`; none on systems without it.

use super::MetricsRegistry;
use prometheus::{Error, Gauge, IntGauge};
use std::fs;

/// The CPU time and the memory of this process.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    cpu_seconds: Gauge,
    resident_bytes: IntGauge,
}

impl ProcessMetrics {
    /// Registers the metrics, all at zero.
    ///
    /// # Errors
    /// If another metric has one of their names.
    pub fn register(registry: &MetricsRegistry) -> Result<Self, Error> {
        Ok(Self {
            cpu_seconds: registry.float("process_cpu_seconds_total", "CPU time used by this process")?,
            resident_bytes: registry.gauge("process_resident_memory_bytes", "Resident memory of this process")?,
        })
    }

    /// Measures both.
    pub fn update(&self) {
        if let Some(seconds) = cpu_seconds() {
            self.cpu_seconds.set(seconds);
        }
        if let Some(bytes) = resident_bytes() {
            self.resident_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

/// CPU time used so far by all threads, seconds.
fn cpu_seconds() -> Option<f64> {
    // utime and stime are fields 14 and 15 of stat, in ticks of USER_HZ, which Linux fixes at 100 for user space. The name
    // in parentheses may contain spaces, so fields are counted after it.
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Resident memory, bytes.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

//! What the operating system says of this process, read from `/proc`; nothing where there is no `/proc`.

use std::fs;

/// CPU time used so far by all threads, seconds.
pub(super) fn cpu_seconds() -> Option<f64> {
    // utime and stime are fields 14 and 15 of stat, in ticks of USER_HZ, which Linux fixes at 100 for user space. The name
    // in parentheses may hold spaces, so fields are counted from behind it.
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Resident memory, bytes.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

//! What a process used, and what its requests were.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use stageset_e2e::audit::Event;
use stageset_e2e::chart;

/// Clock ticks a second in `/proc`, on every Linux this runs on.
const TICKS: u64 = 100;

/// CPU time that a process used so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses and may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// A line of `/proc/PID/status` in MiB: `VmRSS` (now) or `VmHWM` (peak).
pub(crate) fn memory(pid: u32, line: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))
        .context("no such line in /proc/PID/status")?;
    let kib: u64 = value
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .parse()?;
    Ok(kib / 1024)
}

/// The controller's requests between two moments (RFC 3339, UTC), sorted by what they were about.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// To or for one namespace: verb and resource, with counts.
    pub(crate) own: BTreeMap<String, usize>,
    /// Discovery, lists and watches, leases.
    pub(crate) shared: BTreeMap<String, usize>,
}

impl Requests {
    pub(crate) fn count(events: &[Event], fleet: &str) -> Self {
        let mut requests = Self::default();
        for event in events.iter().filter(|event| event.user == chart::USER) {
            let dry = if event.dry_run { " (dry run)" } else { "" };
            let sub = if event.subresource.is_empty() {
                String::new()
            } else {
                format!("/{}", event.subresource)
            };
            let resource = if event.resource.is_empty() {
                "(discovery)"
            } else {
                event.resource.as_str()
            };
            let what = format!("{} {resource}{sub}{dry}", event.verb);
            // A tenant's lists are how its watches begin.
            let watching =
                event.verb == "watch" || (event.verb == "list" && event.impersonated.is_some());
            let side = if belongs(event, fleet) && !watching {
                &mut requests.own
            } else {
                &mut requests.shared
            };
            *side.entry(what).or_default() += 1;
        }
        requests
    }

    /// How many there are in the first group.
    pub(crate) fn own_total(&self) -> usize {
        self.own.values().sum()
    }

    pub(crate) fn print(&self, count: usize) {
        for (what, times) in &self.own {
            println!("    {:>7.2} a StageSet  {what}", ratio(*times, count));
        }
        for (what, times) in &self.shared {
            println!("    {times:>7} in all      {what}");
        }
    }
}

/// `times` for each of `count`.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are small")]
pub(crate) fn ratio(times: usize, count: usize) -> f64 {
    times as f64 / count as f64
}

fn belongs(event: &Event, fleet: &str) -> bool {
    let account = format!("system:serviceaccount:{fleet}-");
    event
        .namespace
        .strip_prefix(fleet)
        .is_some_and(|rest| rest.starts_with('-'))
        || event
            .impersonated
            .as_ref()
            .is_some_and(|user| user.starts_with(&account))
}

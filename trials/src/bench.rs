//! How many schedules a core runs in a second. Counted in CPU time, so that other programs on the machine
//! don't.

use std::time::Duration;

use crate::schedule::{Level, Schedule};
use crate::sweep::run;
use crate::{pure, wire};

/// Prints it for one level or for both, each measured for so many seconds of CPU time.
pub fn print(level: Option<Level>, seconds: u64) {
    let most = Duration::from_secs(seconds);
    if level != Some(Level::Wire) {
        measure(
            "level core, faulty rollouts of 2 stages x 4 objects up to convergence",
            "1000",
            most,
            |seed| pure::rollout(&two_by_four(seed, Level::Core)).requests,
        );
        measure(
            "level core, whole trials (with the look at the rest after it, and a restart)",
            "-",
            most,
            |seed| pure::run(&Schedule::draw(seed, Level::Core), false).requests,
        );
    }
    if level == Some(Level::Core) {
        return;
    }
    if !cfg!(feature = "wire") {
        println!("level wire: not measured, since this program was built without it");
        return;
    }
    measure(
        "level wire, faulty rollouts of 2 stages x 4 objects up to convergence",
        "150",
        most,
        |seed| wire::rollout(&two_by_four(seed, Level::Wire)).requests,
    );
    measure("level wire, whole trials", "-", most, |seed| {
        run(&Schedule::draw(seed, Level::Wire), Level::Wire, false).requests
    });
}

/// As they were drawn when the figures that are wanted were written down, so that they compare.
fn two_by_four(seed: u64, level: Level) -> Schedule {
    let mut schedule = Schedule::draw_early(seed, level);
    schedule.setup.stages = 2;
    schedule.setup.objects = 4;
    schedule
}

#[expect(clippy::cast_precision_loss, reason = "printed without digits")]
fn measure(what: &str, wanted: &str, most: Duration, mut one: impl FnMut(u64) -> u64) {
    let (cpu, mut count, mut requests) = (cpu_time(), 0_u64, 0);
    while cpu_time().saturating_sub(cpu) < most {
        for _ in 0..5 {
            requests += one(count);
            count += 1;
        }
    }
    let took = cpu_time().saturating_sub(cpu).as_secs_f64();
    println!(
        "{what}: {:.0} per second and core ({count} in {took:.1} s of CPU time, {requests} requests); \
         wanted: {wanted}",
        count as f64 / took
    );
}

/// User and system time of this process, from `/proc/self/stat`; zero where there is none.
pub fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // The kernel counts in hundredths of a second wherever this runs.
    Duration::from_millis(ticks * 10)
}

//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What one look at a condition found.
#[derive(Debug)]
pub enum Seen<T> {
    /// The condition holds.
    Yes(T),
    /// It does not hold yet; the text says what was found instead, for the error at the deadline.
    NotYet(String),
}

/// Looks at a condition until it holds or `timeout` is over.
///
/// # Errors
/// When `look` fails, and at the deadline, with what was seen last.
pub fn eventually<T>(
    what: &str,
    timeout: Duration,
    mut look: impl FnMut() -> Result<Seen<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        let last = match look()? {
            Seen::Yes(value) => return Ok(value),
            Seen::NotYet(last) => last,
        };
        if started.elapsed() >= timeout {
            bail!("waited {timeout:?} for {what}; last seen: {last}");
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_holds_later_is_met() {
        let mut looks = 0;
        let met = eventually("three looks", Duration::from_secs(5), || {
            looks += 1;
            Ok(if looks == 3 {
                Seen::Yes(looks)
            } else {
                Seen::NotYet(looks.to_string())
            })
        });
        assert_eq!(met.unwrap(), 3);
    }

    #[test]
    fn the_deadline_names_what_was_awaited_and_what_was_seen() {
        let missed: Result<()> = eventually("rain", Duration::ZERO, || {
            Ok(Seen::NotYet("sun".to_owned()))
        });
        let text = missed.unwrap_err().to_string();
        assert!(text.contains("rain") && text.contains("sun"), "{text}");
    }
}

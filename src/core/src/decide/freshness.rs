//! When a fact may be relied on, and when a failed one is asked for again.

use std::time::Duration;

use crate::failure::{Fact, Failure};
use crate::observation::{ObjectFacts, Observation, Tracking};
use crate::time::Timestamp;

/// What to do with a fact.
pub(super) enum Use<'a, T> {
    /// It isn't there, has aged, or its failure has been waited out: ask.
    Ask,
    /// Rely on it.
    Rely(&'a T),
    /// It is a failure that must be waited out until then.
    Wait(&'a Failure, Timestamp),
}

/// Judges a fact of the controller's plane: it ages with the interval, and a failure is asked for
/// again after its own pause.
pub(super) fn judge<'a, T>(
    observation: &Observation,
    fact: Option<&'a Fact<T>>,
    failure: impl Fn(&T) -> Option<&Failure>,
) -> Use<'a, T> {
    let Some(fact) = fact else { return Use::Ask };
    match failure(&fact.value) {
        Some(failed) => {
            let until = retry_at(fact.at, failed, fact.failures);
            if observation.now >= until {
                Use::Ask
            } else {
                Use::Wait(failed, until)
            }
        }
        None if fact.at < observation.refresh_before => Use::Ask,
        None => Use::Rely(&fact.value),
    }
}

/// When a failed request is made again.
pub(super) fn retry_at(at: Timestamp, failure: &Failure, failures: u32) -> Timestamp {
    at.plus(failure.retry_after(failures.max(1)))
}

/// Whether what is known of a tenant's object still holds: a watch vouches for it, or it was seen
/// since the last refresh.
pub(super) fn object_is_fresh(
    observation: &Observation,
    facts: &ObjectFacts,
    at: Timestamp,
) -> bool {
    facts.tracking == Tracking::Watched || at >= observation.refresh_before
}

/// When something that nobody watches, and that is waited for since `since`, is looked at after it was
/// seen: soon at first, a tenth of the wait so far later, so that a long wait costs few requests.
///
/// The wait counts up to that look. Counted up to now, the pause would grow while it is waited out, and
/// each time it seems to be over would be one more decision about nothing.
pub(super) fn poll_at(seen: Timestamp, since: Timestamp) -> Timestamp {
    let pause = seen.since(since) / 10;
    seen.plus(pause.clamp(Duration::from_secs(2), Duration::from_secs(15)))
}

/// The pause with up to 5 % added or taken, fixed by `key`, so that StageSets of one interval don't
/// all wake in one moment. Deterministic: the core has no random source.
pub(super) fn jittered(span: Duration, key: &str) -> Duration {
    // FNV-1a: any spread will do here, and it has to stay the same in every version.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let tenth = millis / 10;
    let offset = if tenth == 0 { 0 } else { hash % (tenth + 1) };
    Duration::from_millis(millis - tenth / 2 + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_spread_by_five_percent_and_stay_as_they_are() {
        let span = Duration::from_secs(600);
        let spread: Vec<Duration> = (0..500)
            .map(|index| jittered(span, &format!("uid-{index}")))
            .collect();
        let (least, most) = (Duration::from_secs(570), Duration::from_secs(630));
        assert!(spread.iter().all(|span| (least..=most).contains(span)));
        let early = spread.iter().filter(|each| **each < span).count();
        assert!((150..350).contains(&early), "{early} of 500 are early");
        let again = (0..500).map(|index| jittered(span, &format!("uid-{index}")));
        assert!(
            again.eq(spread),
            "the same StageSet has the same spread in every process"
        );
        assert_eq!(jittered(Duration::ZERO, "uid"), Duration::ZERO);
    }
}

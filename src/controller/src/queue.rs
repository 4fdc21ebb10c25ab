//! Who is to be looked at next: an ordered timer queue with fairness by namespace.
//!
//! Pure and deterministic: the same calls give the same order. A waiting StageSet is one entry in
//! two maps and nothing else, so ten thousand of them are ten thousand entries. A StageSet runs at
//! most once at a time; what wakes it while it runs makes it run once more, however often it was
//! woken. Namespaces take turns, so that one with ten thousand due StageSets delays another's one
//! by at most one pass of each namespace in between; and none holds more than three quarters of the
//! places, so that one whose requests hang doesn't stop the others (A26).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

pub use stageset_cluster::StageSetKey as Key;

/// The queue. `T` is a point in time; tests use plain numbers.
#[derive(Debug)]
pub struct Queue<T> {
    /// Passes in flight at most.
    limit: usize,
    /// Timers in order of time, then of being set.
    timers: BTreeMap<(T, u64), Key>,
    /// Where each key's timer stands in `timers`.
    timer_of: BTreeMap<Key, (T, u64)>,
    /// Due keys by namespace, first come first served within one.
    due: BTreeMap<String, VecDeque<Key>>,
    /// All keys in `due`.
    due_keys: BTreeSet<Key>,
    /// The namespace served last; the next one after it has its turn.
    turn: Option<String>,
    running: BTreeSet<Key>,
    /// How many run in each namespace.
    running_in: BTreeMap<String, usize>,
    /// Woken while running.
    again: BTreeSet<Key>,
    sequence: u64,
}

impl<T: Ord + Copy> Queue<T> {
    /// A queue that lets so many run at once (at least one).
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            timers: BTreeMap::new(),
            timer_of: BTreeMap::new(),
            due: BTreeMap::new(),
            due_keys: BTreeSet::new(),
            turn: None,
            running: BTreeSet::new(),
            running_in: BTreeMap::new(),
            again: BTreeSet::new(),
            sequence: 0,
        }
    }

    /// To be looked at now, or, while it runs, once more afterwards.
    pub fn wake(&mut self, key: &Key) {
        if self.running.contains(key) {
            self.again.insert(key.clone());
            return;
        }
        self.unset_timer(key);
        if self.due_keys.insert(key.clone()) {
            self.due
                .entry(key.namespace.clone())
                .or_default()
                .push_back(key.clone());
        }
    }

    /// To be looked at then, in place of any earlier wish; nothing if it is due already.
    pub fn wake_at(&mut self, key: &Key, at: T) {
        if self.running.contains(key) || self.due_keys.contains(key) {
            return;
        }
        self.unset_timer(key);
        self.sequence += 1;
        self.timers.insert((at, self.sequence), key.clone());
        self.timer_of.insert(key.clone(), (at, self.sequence));
    }

    /// To be looked at then or earlier; while it runs, once more afterwards.
    pub fn wake_by(&mut self, key: &Key, at: T) {
        if self.running.contains(key) {
            self.again.insert(key.clone());
        } else if self
            .timer_of
            .get(key)
            .is_none_or(|(earlier, _)| *earlier > at)
        {
            self.wake_at(key, at);
        }
    }

    /// Moves timers that have run out to the due ones; returns their keys in order.
    pub fn expire(&mut self, now: T) -> Vec<Key> {
        let mut expired = Vec::new();
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.timer_of.remove(&key);
            self.wake(&key);
            expired.push(key);
        }
        expired
    }

    /// The next one to run, if one is due and the limit allows; it counts as running from now on.
    pub fn start(&mut self) -> Option<Key> {
        if self.running.len() >= self.limit {
            return None;
        }
        let share = (self.limit - self.limit / 4).max(1);
        let has_room = |namespace: &&String| {
            self.running_in
                .get(*namespace)
                .is_none_or(|running| *running < share)
        };
        let after = match &self.turn {
            Some(turn) => (Excluded(turn.clone()), Unbounded),
            None => (Unbounded, Unbounded),
        };
        let namespace = self
            .due
            .range(after)
            .map(|(namespace, _)| namespace)
            .find(has_room)
            .or_else(|| self.due.keys().find(has_room))?
            .clone();
        let keys = self.due.get_mut(&namespace)?;
        let key = keys.pop_front()?;
        if keys.is_empty() {
            self.due.remove(&namespace);
        }
        *self.running_in.entry(namespace.clone()).or_default() += 1;
        self.turn = Some(namespace);
        self.due_keys.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// Its pass has ended. True if it was woken meanwhile and is therefore due again.
    pub fn finish(&mut self, key: &Key) -> bool {
        if self.running.remove(key)
            && let Some(running) = self.running_in.get_mut(&key.namespace)
        {
            *running -= 1;
            if *running == 0 {
                self.running_in.remove(&key.namespace);
            }
        }
        let again = self.again.remove(key);
        if again {
            self.wake(key);
        }
        again
    }

    /// Forgets it, unless it runs: then its end is still to be reported with [`Queue::finish`].
    pub fn forget(&mut self, key: &Key) {
        self.unset_timer(key);
        self.again.remove(key);
        if self.due_keys.remove(key)
            && let Some(keys) = self.due.get_mut(&key.namespace)
        {
            keys.retain(|due| due != key);
            if keys.is_empty() {
                self.due.remove(&key.namespace);
            }
        }
    }

    /// When the next timer runs out.
    pub fn deadline(&self) -> Option<T> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many are due and not running: what a work queue calls its depth.
    pub fn depth(&self) -> usize {
        self.due_keys.len()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether it runs.
    pub fn is_running(&self, key: &Key) -> bool {
        self.running.contains(key)
    }

    fn unset_timer(&mut self, key: &Key) {
        if let Some(at) = self.timer_of.remove(key) {
            self.timers.remove(&at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let (namespace, name) = text.split_once('/').unwrap();
        Key {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    fn started(queue: &mut Queue<u64>) -> Vec<String> {
        std::iter::from_fn(|| queue.start())
            .map(|key| key.to_string())
            .collect()
    }

    #[test]
    fn timers_run_out_in_order_of_time_then_of_being_set() {
        let mut queue = Queue::new(9);
        queue.wake_at(&key("a/3"), 30_u64);
        queue.wake_at(&key("a/1"), 10);
        queue.wake_at(&key("a/2"), 10);
        assert_eq!(queue.deadline(), Some(10));
        assert_eq!(queue.expire(9), []);
        assert_eq!(queue.expire(10), [key("a/1"), key("a/2")]);
        assert_eq!(queue.deadline(), Some(30));
        assert_eq!(started(&mut queue), ["a/1", "a/2"]);
    }

    #[test]
    fn a_wake_beats_the_timer_and_a_later_timer_replaces_it() {
        let mut queue = Queue::new(9);
        queue.wake_at(&key("a/1"), 10_u64);
        queue.wake_at(&key("a/1"), 20);
        assert_eq!(queue.deadline(), Some(20));
        queue.wake(&key("a/1"));
        queue.wake(&key("a/1"));
        assert_eq!(queue.deadline(), None);
        queue.wake_at(&key("a/1"), 5);
        assert_eq!(queue.deadline(), None, "it is due already");
        assert_eq!(started(&mut queue), ["a/1"]);
    }

    #[test]
    fn a_wish_for_a_later_time_does_not_put_off_an_earlier_one() {
        let mut queue = Queue::new(9);
        queue.wake_by(&key("a/1"), 10_u64);
        queue.wake_by(&key("a/1"), 20);
        assert_eq!(queue.deadline(), Some(10));
        queue.wake_by(&key("a/1"), 5);
        assert_eq!(queue.deadline(), Some(5));
        queue.expire(5);
        assert_eq!(started(&mut queue), ["a/1"]);
        queue.wake_by(&key("a/1"), 30);
        assert!(
            queue.finish(&key("a/1")),
            "it may have missed what the wish is about"
        );
    }

    #[test]
    fn one_pass_at_a_time_and_one_more_for_any_number_of_wakes() {
        let mut queue = Queue::new(9);
        queue.wake(&key("a/1"));
        assert_eq!(started(&mut queue), ["a/1"]);
        queue.wake(&key("a/1"));
        queue.wake(&key("a/1"));
        queue.wake_at(&key("a/1"), 7_u64);
        assert_eq!(started(&mut queue), [""; 0]);
        assert!(queue.finish(&key("a/1")));
        assert_eq!(started(&mut queue), ["a/1"]);
        assert!(!queue.finish(&key("a/1")));
        assert_eq!((queue.depth(), queue.running()), (0, 0));
    }

    #[test]
    fn namespaces_take_turns() {
        let mut queue = Queue::<u64>::new(2);
        for name in ["big/1", "big/2", "big/3", "big/4", "zoo/1"] {
            queue.wake(&key(name));
        }
        assert_eq!(started(&mut queue), ["big/1", "zoo/1"]);
        queue.wake(&key("ant/1"));
        queue.finish(&key("big/1"));
        assert_eq!(started(&mut queue), ["ant/1"]);
        queue.finish(&key("ant/1"));
        queue.finish(&key("zoo/1"));
        assert_eq!(started(&mut queue), ["big/2", "big/3"]);
    }

    #[test]
    fn a_namespace_never_holds_every_place() {
        let mut queue = Queue::<u64>::new(4);
        for name in ["slow/1", "slow/2", "slow/3", "slow/4"] {
            queue.wake(&key(name));
        }
        assert_eq!(started(&mut queue), ["slow/1", "slow/2", "slow/3"]);
        queue.wake(&key("quick/1"));
        assert_eq!(started(&mut queue), ["quick/1"]);
        queue.finish(&key("quick/1"));
        assert_eq!(started(&mut queue), [""; 0]);
        queue.finish(&key("slow/2"));
        assert_eq!(started(&mut queue), ["slow/4"]);
    }

    #[test]
    fn what_is_forgotten_never_starts() {
        let mut queue = Queue::new(1);
        queue.wake(&key("a/1"));
        queue.wake(&key("a/2"));
        queue.wake_at(&key("a/3"), 1_u64);
        assert_eq!(started(&mut queue), ["a/1"]);
        queue.wake(&key("a/1"));
        for name in ["a/1", "a/2", "a/3"] {
            queue.forget(&key(name));
        }
        assert!(!queue.finish(&key("a/1")));
        assert_eq!(queue.expire(5), []);
        assert_eq!(started(&mut queue), [""; 0]);
        assert_eq!((queue.depth(), queue.running()), (0, 0));
    }
}

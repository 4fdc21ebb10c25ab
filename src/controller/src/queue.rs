//! Who is to be looked at next: an ordered timer queue with fairness by namespace.
//!
//! Pure and deterministic: the same calls give the same order. A waiting StageSet is one entry in
//! two maps and nothing else, so ten thousand of them are ten thousand entries. A StageSet runs at
//! most once at a time; what wakes it while it runs makes it run once more, however often it was
//! woken. Namespaces take turns, so that one with ten thousand due StageSets delays another's one
//! by at most one pass of each namespace in between; and none holds more than three quarters of the
//! places, so that one whose requests hang doesn't stop the others (A26). Those that may have to wait
//! for another's machines (remote clusters) have places of their own, so that however many of them
//! hang, the others don't notice (A27).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

pub use stageset_cluster::StageSetKey as Key;

/// Which places a StageSet runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Lane {
    /// It speaks to the controller's own cluster only.
    #[default]
    Local,
    /// It speaks to a remote one.
    Remote,
}

/// What is due and what runs on the places of one lane.
#[derive(Debug, Default)]
struct Places {
    /// Due keys by namespace, first come first served within one.
    due: BTreeMap<String, VecDeque<Key>>,
    /// The namespace served last; the next one after it has its turn.
    turn: Option<String>,
    running: usize,
    /// How many run in each namespace.
    running_in: BTreeMap<String, usize>,
}

/// The queue. `T` is a point in time; tests use plain numbers.
#[derive(Debug)]
pub struct Queue<T> {
    /// Passes in flight at most, on each lane.
    limit: usize,
    /// Timers in order of time, then of being set.
    timers: BTreeMap<(T, u64), Key>,
    /// Where each key's timer stands in `timers`.
    timer_of: BTreeMap<Key, (T, u64)>,
    places: BTreeMap<Lane, Places>,
    /// Those that aren't on the local lane.
    remote: BTreeSet<Key>,
    /// All keys that are due, and the lane on which they are.
    due_keys: BTreeMap<Key, Lane>,
    /// All that run, and the lane on which they do.
    running: BTreeMap<Key, Lane>,
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
            places: BTreeMap::new(),
            remote: BTreeSet::new(),
            due_keys: BTreeMap::new(),
            running: BTreeMap::new(),
            again: BTreeSet::new(),
            sequence: 0,
        }
    }

    /// On which places it runs from now on.
    pub fn set_lane(&mut self, key: &Key, lane: Lane) {
        let changed = match lane {
            Lane::Local => self.remote.remove(key),
            Lane::Remote => self.remote.insert(key.clone()),
        };
        if changed && self.due_keys.contains_key(key) {
            self.take_off(key);
            self.wake(key);
        }
    }

    fn lane(&self, key: &Key) -> Lane {
        if self.remote.contains(key) {
            Lane::Remote
        } else {
            Lane::Local
        }
    }

    /// To be looked at now, or, while it runs, once more afterwards.
    pub fn wake(&mut self, key: &Key) {
        if self.running.contains_key(key) {
            self.again.insert(key.clone());
            return;
        }
        self.unset_timer(key);
        let lane = self.lane(key);
        if let Entry::Vacant(due) = self.due_keys.entry(key.clone()) {
            due.insert(lane);
            let places = self.places.entry(lane).or_default();
            let keys = places.due.entry(key.namespace.clone()).or_default();
            keys.push_back(key.clone());
        }
    }

    /// To be looked at then, in place of any earlier wish; nothing if it is due already.
    pub fn wake_at(&mut self, key: &Key, at: T) {
        if self.running.contains_key(key) || self.due_keys.contains_key(key) {
            return;
        }
        self.unset_timer(key);
        self.sequence += 1;
        self.timers.insert((at, self.sequence), key.clone());
        self.timer_of.insert(key.clone(), (at, self.sequence));
    }

    /// To be looked at then or earlier; while it runs, once more afterwards.
    pub fn wake_by(&mut self, key: &Key, at: T) {
        if self.running.contains_key(key) {
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
        let limit = self.limit;
        let (lane, key) = self
            .places
            .iter_mut()
            .find_map(|(lane, places)| Some((*lane, places.next(limit)?)))?;
        self.due_keys.remove(&key);
        self.running.insert(key.clone(), lane);
        Some(key)
    }

    /// Its pass has ended. True if it was woken meanwhile and is therefore due again.
    pub fn finish(&mut self, key: &Key) -> bool {
        if let Some(lane) = self.running.remove(key)
            && let Some(places) = self.places.get_mut(&lane)
        {
            places.ended(&key.namespace);
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
        self.remote.remove(key);
        self.take_off(key);
    }

    /// It isn't due any more.
    fn take_off(&mut self, key: &Key) {
        if let Some(lane) = self.due_keys.remove(key)
            && let Some(places) = self.places.get_mut(&lane)
            && let Some(keys) = places.due.get_mut(&key.namespace)
        {
            keys.retain(|due| due != key);
            if keys.is_empty() {
                places.due.remove(&key.namespace);
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
        self.running.contains_key(key)
    }

    fn unset_timer(&mut self, key: &Key) {
        if let Some(at) = self.timer_of.remove(key) {
            self.timers.remove(&at);
        }
    }
}

impl Places {
    /// The next one to run on these places.
    fn next(&mut self, limit: usize) -> Option<Key> {
        if self.running >= limit {
            return None;
        }
        let share = (limit - limit / 4).max(1);
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
        self.running += 1;
        *self.running_in.entry(namespace.clone()).or_default() += 1;
        self.turn = Some(namespace);
        Some(key)
    }

    fn ended(&mut self, namespace: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(running) = self.running_in.get_mut(namespace) {
            *running -= 1;
            if *running == 0 {
                self.running_in.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let (namespace, name) = text.split_once('/').unwrap();
        Key::new(namespace, name)
    }

    fn started(queue: &mut Queue<u64>) -> Vec<String> {
        std::iter::from_fn(|| queue.start())
            .map(|key| key.to_string())
            .collect()
    }

    #[test]
    fn attack_a27_hanging_remote_ones_take_no_place_of_local_ones() {
        let mut queue = Queue::new(4);
        for index in 0..20 {
            let key = key(&format!("n{}/remote{index}", index % 7));
            queue.set_lane(&key, Lane::Remote);
            queue.wake(&key);
        }
        assert_eq!(started(&mut queue).len(), 4);
        for index in 0..4 {
            queue.wake(&key(&format!("n0/local{index}")));
            queue.wake(&key(&format!("n1/local{index}")));
        }
        let local = started(&mut queue);
        assert_eq!(local.len(), 4, "{local:?}");
        assert!(local.iter().all(|key| key.contains("local")));
        // One that becomes remote while it is due waits with those.
        queue.set_lane(&key("n0/local2"), Lane::Remote);
        queue.finish(&key("n0/local0"));
        assert_eq!(started(&mut queue), ["n0/local3"]);
        assert_eq!(queue.depth(), 16 + 2 + 1);
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

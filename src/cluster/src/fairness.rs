//! One budget of requests for each API server, handed out in turn by namespace, so that one tenant's
//! ten thousand objects don't delay another's one (A26).
//!
//! The budget shrinks by half when the server says 429 and grows by one after as many answers as it
//! is wide. After a `Retry-After` nothing is sent until it has passed.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests in flight unless told otherwise.
pub const DEFAULT_IN_FLIGHT: usize = 32;
/// Longest pause that a server is granted.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Permits for requests under way. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Widest it may grow.
    most: usize,
    /// How wide it is now.
    limit: usize,
    in_flight: usize,
    /// Answers since the last change of width.
    answers: usize,
    paused_until: Option<Instant>,
    /// Who waits, by namespace; never an empty queue.
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<Permit>>>,
    /// The namespace that was served last.
    last: String,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT_IN_FLIGHT)
    }
}

/// The right to have one request under way; given back on drop.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().in_flight -= 1;
        self.budget.hand_out();
    }
}

impl Budget {
    /// At most `most` (at least 1) requests in flight.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self(Arc::new(Mutex::new(State {
            most,
            limit: most,
            in_flight: 0,
            answers: 0,
            paused_until: None,
            waiting: BTreeMap::new(),
            last: String::new(),
        })))
    }

    /// Waits for its turn. Cancel by dropping.
    pub async fn acquire(&self, namespace: &str) -> Permit {
        let permit = self.queue(namespace).await;
        loop {
            let pause = self
                .lock()
                .paused_until
                .filter(|until| *until > Instant::now());
            match pause {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return permit,
            }
        }
    }

    async fn queue(&self, namespace: &str) -> Permit {
        loop {
            let turn = {
                let mut state = self.lock();
                if state.in_flight < state.limit && state.waiting.is_empty() {
                    state.in_flight += 1;
                    namespace.clone_into(&mut state.last);
                    return Permit {
                        budget: self.clone(),
                    };
                }
                let (sender, turn) = oneshot::channel();
                state
                    .waiting
                    .entry(namespace.to_owned())
                    .or_default()
                    .push_back(sender);
                turn
            };
            self.hand_out();
            // The sender is only dropped with the budget, which `self` keeps.
            if let Ok(permit) = turn.await {
                return permit;
            }
        }
    }

    /// The server answered well.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        state.answers += 1;
        if state.answers >= state.limit {
            state.answers = 0;
            if state.limit < state.most {
                state.limit += 1;
                drop(state);
                self.hand_out();
            }
        }
    }

    /// The server said 429, and perhaps how long to leave it alone.
    pub fn overloaded(&self, pause: Option<Duration>) {
        let mut state = self.lock();
        state.limit = (state.limit / 2).max(1);
        state.answers = 0;
        if let Some(pause) = pause {
            let until = Instant::now() + pause.min(LONGEST_PAUSE);
            state.paused_until = state.paused_until.max(Some(until));
        }
    }

    /// How many requests are under way and how many may be.
    pub fn width(&self) -> (usize, usize) {
        let state = self.lock();
        (state.in_flight, state.limit)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free permits to those who wait, a namespace after the other.
    fn hand_out(&self) {
        loop {
            let sender = {
                let mut state = self.lock();
                if state.in_flight >= state.limit {
                    return;
                }
                let after = (Bound::Excluded(state.last.clone()), Bound::Unbounded);
                let next = state
                    .waiting
                    .range::<String, _>(after)
                    .next()
                    .or_else(|| state.waiting.iter().next())
                    .map(|(namespace, _)| namespace.clone());
                let Some(namespace) = next else { return };
                let Some(queue) = state.waiting.get_mut(&namespace) else {
                    return;
                };
                let sender = queue.pop_front();
                if queue.is_empty() {
                    state.waiting.remove(&namespace);
                }
                // Whoever has gone away is passed over here, so that a permit that comes back at once
                // doesn't begin another round within this one.
                let Some(sender) = sender.filter(|sender| !sender.is_closed()) else {
                    continue;
                };
                state.in_flight += 1;
                state.last = namespace;
                sender
            };
            // Outside the lock, since a permit that isn't taken comes back right here.
            let _ = sender.send(Permit {
                budget: self.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attack_a26_one_request_of_a_quiet_namespace_overtakes_a_thousand_of_a_busy_one() {
        let budget = Budget::new(1);
        let held = budget.acquire("busy").await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for namespace in std::iter::repeat_n("busy", 1000).chain(["quiet"]) {
            let (budget, order) = (budget.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _permit = budget.acquire(namespace).await;
                order.lock().unwrap().push(namespace);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        let place = order
            .iter()
            .position(|namespace| *namespace == "quiet")
            .unwrap();
        assert!(place <= 1, "served as number {place}");
        assert_eq!(order.len(), 1001);
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_server_is_left_alone_and_found_again() {
        let budget = Budget::new(8);
        budget.overloaded(Some(Duration::from_secs(7)));
        assert_eq!(budget.width(), (0, 4));
        let asked = Instant::now();
        drop(budget.acquire("a").await);
        assert_eq!(asked.elapsed(), Duration::from_secs(7));
        for _ in 0..40 {
            budget.succeeded();
        }
        assert_eq!(budget.width(), (0, 8));
    }

    #[tokio::test]
    async fn those_who_went_away_cost_nothing() {
        let budget = Budget::new(1);
        let held = budget.acquire("a").await;
        {
            let mut gone = Box::pin(budget.acquire("b"));
            assert!(gone.as_mut().now_or_never().is_none());
        }
        drop(held);
        assert!(budget.acquire("c").now_or_never().is_some());
        assert_eq!(budget.width(), (0, 1));
    }

    /// A permit comes back in two steps, and between them another thread may ask for one.
    #[tokio::test]
    async fn attack_a26_nobody_overtakes_those_who_wait_while_a_place_is_free() {
        let budget = Budget::new(1);
        let mut held = Box::pin(budget.acquire("b"));
        let held = held.as_mut().now_or_never().unwrap();
        let mut first = Box::pin(budget.acquire("c"));
        assert!(first.as_mut().now_or_never().is_none());
        std::mem::forget(held);
        budget.lock().in_flight -= 1;
        let mut second = Box::pin(budget.acquire("a"));
        assert!(second.as_mut().now_or_never().is_none(), "overtaken");
        assert!(first.as_mut().now_or_never().is_some());
    }
}

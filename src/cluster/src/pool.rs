//! Equal values, kept once.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Values that many hold and that are often equal. It keeps none that nobody holds.
pub struct Pool<T>(Mutex<BTreeSet<Arc<T>>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl<T: Ord> Pool<T> {
    /// The one of this value.
    pub fn one_of(&self, value: T) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = values.get(&value) {
            return Arc::clone(known);
        }
        values.retain(|each| Arc::strong_count(each) > 1);
        let value = Arc::new(value);
        values.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_what_nobody_holds_goes() {
        let pool = Pool::default();
        let (a, b) = (pool.one_of(vec![1, 2]), pool.one_of(vec![1, 2]));
        assert!(Arc::ptr_eq(&a, &b));
        let other = pool.one_of(vec![3]);
        assert_eq!(*other, [3]);
        drop((a, b));
        let third = pool.one_of(vec![4]);
        assert_eq!(pool.0.lock().unwrap().len(), 2, "{other:?} {third:?}");
    }
}

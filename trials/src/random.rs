//! Numbers that only look random: one seed, the same numbers on every machine.

/// A stream of numbers. Streams made by [`Random::child`] don't depend on how much was drawn from
/// others, so that one more draw here doesn't change everything there (G18).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x005e_ed0f_57a6_e5e7))
    }

    /// Another stream, named by a number.
    #[must_use]
    pub fn child(&self, name: u64) -> Self {
        Self(mix(self.0 ^ mix(name.wrapping_add(0xc0ff_ee00))))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below the bound; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True this often in a thousand draws.
    pub fn per_mille(&mut self, often: u64) -> bool {
        self.below(1000) < often
    }

    /// One of the items; the slice must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        &items[index]
    }
}

/// The finaliser of `SplitMix64`.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..3).map(|_| random.below(1000)).collect();
        let mut again = Random::new(1);
        assert_eq!(drawn, (0..3).map(|_| again.below(1000)).collect::<Vec<_>>());
        assert_ne!(Random::new(2).next(), Random::new(1).next());
    }

    #[test]
    fn a_child_doesnt_depend_on_what_was_drawn_from_its_siblings() {
        let parent = Random::new(7);
        let mut first = parent.child(1);
        first.next();
        assert_eq!(parent.child(2).next(), Random::new(7).child(2).next());
    }
}

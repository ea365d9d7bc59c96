//! All random choices of a scenario, from one seed.

use std::time::Duration;

/// A generator that gives the same numbers for the same seed. [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one purpose. Each purpose has a sequence of its own, so that adding one changes no other.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a.
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, hash))
    }

    /// Dice for the n-th of several users of this purpose.
    pub fn nth(&self, n: usize) -> Self {
        let mut dice = Self(self.0 ^ (n as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.next() % sides.max(1) as u64).expect("below `sides`")
    }

    /// A duration between 0.5 and 1.5 times this one.
    pub fn about(&mut self, duration: Duration) -> Duration {
        duration / 2 + duration * u32::try_from(self.below(1_000)).unwrap_or_default() / 1_000
    }
}

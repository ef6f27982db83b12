//! Chance that can be repeated.

/// A generator of numbers (splitmix64): the same seed throws the same dice.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n` (≥ 1).
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Whether one in `n` comes up.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// In `0.0..1.0`, as [`nbcourier::job::advance`] wants it.
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 20)).unwrap_or(0)) / f64::from(1 << 20)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(u64::try_from(from.len()).unwrap_or(1));
        from[usize::try_from(at).unwrap_or(0)]
    }
}

/// The seed of a world among those of one seed; the first has that seed itself, so that one world
/// can be repeated alone.
pub fn seed_of(seed: u64, world: u64) -> u64 {
    match world {
        0 => seed,
        _ => Dice::new(seed ^ world.wrapping_mul(0xD6E8_FEB8_6659_FD93)).next(),
    }
}

//! The runs of a watch that are known already, kept small: a million take 35 MB.

use std::collections::HashMap;

use crate::ledger::name_hash;

/// What is remembered of a run. A collision of 64 bits would lose a run: with a million runs one
/// chance in thirty million.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Half the hash of its identity; 0 if that isn't known.
    identity: u32,
    /// The listing of its directory in which it was seen last, from 1; 0 if before this start.
    listing: u32,
}

/// How a name that was met in a listing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It isn't.
    New,
    /// It was there at the last listing too.
    Stays,
    /// It was missing in the last listing.
    Back,
}

/// How an identity compares with what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// It is the same.
    Same,
    /// It is another one.
    Other,
    /// None is remembered.
    Unknown,
}

/// The known runs of one watch.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<u64, Mark>);

impl Known {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(&name_hash(name))
    }

    /// Remembers a run, or its latest incarnation; one that is new was there at the listing of that
    /// number.
    pub(super) fn insert(&mut self, name: &str, identity: Option<&str>, listing: u32) {
        let new = Mark {
            identity: 0,
            listing,
        };
        let mark = self.0.entry(name_hash(name)).or_insert(new);
        mark.identity = identity.map_or(0, half);
    }

    /// What a known name stands for is to be asked again once it is met.
    pub(super) fn doubt(&mut self, name: &str) {
        if let Some(mark) = self.0.get_mut(&name_hash(name)) {
            mark.identity = 0;
        }
    }

    /// A name was met in the listing of that number.
    pub(super) fn meet(&mut self, name: &str, listing: u32) -> Met {
        let Some(mark) = self.0.get_mut(&name_hash(name)) else {
            return Met::New;
        };
        let back = mark.listing + 1 < listing;
        mark.listing = listing;
        if back { Met::Back } else { Met::Stays }
    }

    /// Compares what is remembered of a known run with an identity.
    pub(super) fn compare(&self, name: &str, identity: &str) -> Identity {
        match self.0.get(&name_hash(name)).map(|mark| mark.identity) {
            Some(0) => Identity::Unknown,
            Some(known) if known != half(identity) => Identity::Other,
            _ => Identity::Same,
        }
    }
}

fn half(identity: &str) -> u32 {
    // Truncated on purpose; 0 says that none is known.
    let [a, b, c, d, ..] = name_hash(identity).to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_missing_in_between_is_back() {
        let mut known = Known::default();
        assert_eq!(known.meet("run_1", 1), Met::New);
        known.insert("run_1", Some("7:1.0"), 1);
        for (listing, met) in [
            (2, Met::Stays),
            (3, Met::Stays),
            (5, Met::Back),
            (6, Met::Stays),
        ] {
            assert_eq!(known.meet("run_1", listing), met, "{listing}");
        }
        assert_eq!(known.compare("run_1", "7:1.0"), Identity::Same);
        assert_eq!(known.compare("run_1", "7:2.0"), Identity::Other);
        known.insert("run_2", None, 0);
        assert_eq!(known.compare("run_2", "7:1.0"), Identity::Unknown);
        assert_eq!(
            known.meet("run_2", 2),
            Met::Back,
            "it was missing in the first listing"
        );
    }
}

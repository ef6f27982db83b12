//! Turns of what is fresh and what has waited long.

use std::collections::HashSet;

/// The lanes (destination, user) whose newest job is next; of the others the oldest is.
///
/// Each lane has a turn of its own: shared by an even number of lanes, it would always be the same
/// for each of them.
#[derive(Debug, Default)]
pub(super) struct Turns(HashSet<(String, String)>);

impl Turns {
    /// Whether of one job of this lane the newest is claimed now.
    pub(super) fn is_newest(&self, lane: &(String, String)) -> bool {
        self.0.contains(lane)
    }

    /// So many were claimed: of an odd number one end of the queue had one more.
    pub(super) fn took(&mut self, lane: (String, String), jobs: usize) {
        if !jobs.is_multiple_of(2) && !self.0.remove(&lane) {
            self.0.insert(lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_takes_turns_however_many_there_are_and_only_when_it_took_one() {
        let lanes = ["alice", "bob"].map(|user| ("hub".to_owned(), user.to_owned()));
        let mut turns = Turns::default();
        for newest in [false, true, false, true] {
            for lane in &lanes {
                for jobs in [0, 2] {
                    turns.took(lane.clone(), jobs);
                    assert_eq!(turns.is_newest(lane), newest);
                }
                turns.took(lane.clone(), 1);
            }
        }
    }
}

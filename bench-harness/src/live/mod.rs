//! A run while it runs: for who started it as a [`view`] on the terminal, for others on the machine as [`openmetrics`] at an [`Endpoint`].

mod endpoint;
pub mod openmetrics;
pub(crate) mod screen;
pub mod view;

use crate::campaign::Watch;
use crate::result::Outcome;
use crate::trial::Progress;

pub use endpoint::{Endpoint, Publisher, loopback};

/// The trial under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Now {
    /// What runs on what.
    pub name: String,
    /// Which of the campaign's trials, from 1.
    pub number: usize,
    /// How many there are.
    pub count: usize,
    /// How far it is.
    pub progress: Progress,
}

/// Two who hear the same; the second one may be absent.
pub struct Both<'a, A, B>(pub &'a mut A, pub Option<&'a mut B>);

impl<A: Watch, B: Watch> Watch for Both<'_, A, B> {
    fn begins(&mut self, name: &str, number: usize, count: usize) {
        self.0.begins(name, number, count);
        self.1.iter_mut().for_each(|other| other.begins(name, number, count));
    }

    fn progress(&mut self, progress: &Progress) {
        self.0.progress(progress);
        self.1.iter_mut().for_each(|other| other.progress(progress));
    }

    fn ended(&mut self, name: &str, outcome: &Outcome) {
        self.0.ended(name, outcome);
        self.1.iter_mut().for_each(|other| other.ended(name, outcome));
    }
}

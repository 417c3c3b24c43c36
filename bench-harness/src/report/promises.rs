//! Trials by what an acknowledgement promised: numbers of unequal promises do not stand in one table.

use super::figures::promise;
use crate::result::Measured;

/// Trials whose acknowledgements promise the same: only these are compared.
pub(super) struct Promised<'a> {
    pub(super) promise: String,
    /// In the order of the run.
    pub(super) trials: Vec<(String, &'a Measured)>,
}

/// In the order of the promises' names.
pub(super) fn by_promise<'a>(trials: &[(String, &'a Measured)]) -> Vec<Promised<'a>> {
    let mut promises: Vec<String> = trials.iter().map(|(_, measured)| promise(&measured.durability)).collect();
    promises.sort();
    promises.dedup();
    let class = |promised: String| {
        let same = |(_, measured): &&(String, &Measured)| promise(&measured.durability) == promised;
        Promised { trials: trials.iter().filter(same).cloned().collect(), promise: promised }
    };
    promises.into_iter().map(class).collect()
}

impl Promised<'_> {
    /// The title of this class's table; it names the promise only where there are others.
    pub(super) fn title(&self, title: &str, classes: usize) -> String {
        if classes == 1 { title.to_owned() } else { format!("{title}: an ack promises {}", self.promise) }
    }
}

//! What became of acknowledged records when a cell was made to crash.

use serde::{Deserialize, Serialize};

/// A cell and its crashes: `run --verify-crash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashedCell {
    /// The system under test, as in its trials.
    pub target: String,
    /// Its storage backend.
    pub backend: Option<String>,
    /// By kind.
    pub crashes: Vec<Crashes>,
}

/// How a cell is made to crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// SIGKILL to the process of all brokers and clients at once.
    Kill,
    /// The simulated disk loses power: of what was not synced, some blocks are there, some torn, some not.
    PowerLoss,
}

/// All crashes of a kind, each of a cell that began from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crashes {
    /// How.
    pub kind: CrashKind,
    /// How many.
    pub rounds: u32,
    /// Records that were acknowledged before.
    pub acknowledged: u64,
    /// Of these: not where they were acknowledged, or not as they were sent.
    pub lost: u64,
    /// Records that were there and had never been sent, and offsets that were given out twice.
    pub invented: u64,
    /// Whether the acknowledgement promised that none would be lost.
    pub promised: bool,
    /// The first of what was lost or invented in each crash, in sentences.
    pub notes: Vec<String>,
}

impl CrashKind {
    /// In the order in which they are tried.
    pub const ALL: [CrashKind; 2] = [CrashKind::Kill, CrashKind::PowerLoss];

    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CrashKind::Kill => "kill -9",
            CrashKind::PowerLoss => "power loss",
        }
    }
}

impl Crashes {
    /// Why what was promised was not kept; `None` if it was. Records that nobody sent break every promise.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        let is_broken = self.invented > 0 || (self.promised && self.lost > 0);
        is_broken.then(|| {
            let Crashes { rounds, acknowledged, lost, invented, .. } = self;
            let first = self.notes.first().map(|note| format!(": {note}")).unwrap_or_default();
            format!(
                "{rounds} × {} lost {lost} of {acknowledged} acknowledged records and made up {invented}{first}",
                self.kind.name()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crashes(lost: u64, invented: u64, promised: bool) -> Crashes {
        let notes = Vec::new();
        Crashes { kind: CrashKind::PowerLoss, rounds: 3, acknowledged: 100, lost, invented, promised, notes }
    }

    #[test]
    fn a_loss_breaks_only_a_promise_that_was_made() {
        assert_eq!(crashes(0, 0, true).broken(), None);
        assert_eq!(crashes(9, 0, false).broken(), None);
        let broken = crashes(9, 0, true).broken().expect("it was promised");
        assert_eq!(broken, "3 × power loss lost 9 of 100 acknowledged records and made up 0");
        assert!(crashes(0, 1, false).broken().is_some(), "nobody may make up records");
    }
}

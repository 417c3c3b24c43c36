//! What became of acknowledged records when cells were made to crash.

use comfy_table::Table;

use super::cells::{NOTHING, table};
use super::format::whole;
use crate::result::{CrashKind, CrashedCell, Crashes, RunResult};

/// What stands above the table.
pub(super) const CRASHES_TITLE: &str = "Lost of what was acknowledged, when made to crash under load";

/// A row for each cell and kind of crash; `None` if nothing was made to crash.
pub(super) fn crashes(result: &RunResult) -> Option<Table> {
    let mut table = table(["", "crash", "times", "lost", "of acknowledged", "an ack promised", "made up"]);
    for cell in &result.crashed {
        for (index, crashes) in cell.crashes.iter().enumerate() {
            table.add_row([
                if index == 0 { name(result, cell) } else { String::new() },
                crashes.kind.name().to_owned(),
                crashes.rounds.to_string(),
                whole(crashes.lost),
                whole(crashes.acknowledged),
                if crashes.promised { "no loss" } else { NOTHING }.to_owned(),
                whole(crashes.invented),
            ]);
        }
    }
    (!result.crashed.is_empty()).then_some(table)
}

/// What a cell lost, in words; `None` if it was not made to crash.
pub(super) fn lost_in_words(result: &RunResult, label: &str) -> Option<String> {
    let cell = result.crashed.iter().find(|cell| name(result, cell) == label)?;
    Some(format!("{label} {}", words(&cell.crashes)))
}

/// What crashes lost: `killed, 0 of 900; without power, 7 of 900`.
pub(super) fn words(crashes: &[Crashes]) -> String {
    let words = |crashes: &Crashes| {
        let how = match crashes.kind {
            CrashKind::Kill => "killed",
            CrashKind::PowerLoss => "without power",
        };
        format!("{how}, {} of {}", whole(crashes.lost), whole(crashes.acknowledged))
    };
    crashes.iter().map(words).collect::<Vec<_>>().join("; ")
}

fn name(result: &RunResult, cell: &CrashedCell) -> String {
    result.name_of_cell(&cell.target, cell.backend.as_deref())
}

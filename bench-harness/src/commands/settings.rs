//! `logdyno settings`: what can be set, and what it means.

use anyhow::bail;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::stdout::{print, print_line};
use crate::settings::{self, Told};
use crate::workload::nearest;

/// Lines are broken before they are longer.
const WIDTH: usize = 100;

/// The tables of a workload file.
const TABLES: [&str; 8] = ["workload", "records", "producer", "consumer", "topic", "broker", "load", "run"];

/// List every setting with its meaning, default and limits.
#[derive(Args, Debug)]
pub(super) struct Settings {
    /// Only settings whose name or meaning holds each of these words, such as linger or retention.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Only those of a table; what is listed of `broker` goes into a server.properties of `logdyno serve`, too.
    #[arg(long, value_name = "TABLE", value_parser = PossibleValuesParser::new(TABLES))]
    of: Option<String>,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

impl Settings {
    /// Prints those that are asked for; none is an error that names the nearest.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let all = settings::all();
        let found: Vec<&Told> = all.iter().filter(|told| self.is_asked_for(told)).collect();
        if found.is_empty() {
            let asked = self.words.join(" ");
            let near = nearest(&asked, all.iter().map(|told| told.name));
            let hint = near.map_or_else(String::new, |name| format!("; did you mean {name}?"));
            let table = self.of.map_or_else(String::new, |table| format!(" of {table}"));
            bail!("no setting{table} has `{asked}` in its name or meaning{hint}");
        }
        if self.json {
            print_line(serde_json::to_string_pretty(&found)?)?;
        } else {
            print(text(&found))?;
        }
        Ok(())
    }

    fn is_asked_for(&self, told: &Told) -> bool {
        let text = format!("{}.{} {}", told.table, told.name, told.meaning).to_lowercase();
        self.of.as_deref().is_none_or(|table| table == told.table)
            && self.words.iter().all(|word| text.contains(&word.to_lowercase()))
    }
}

fn text(found: &[&Told]) -> String {
    let mut text = String::new();
    for (index, told) in found.iter().enumerate() {
        if index == 0 || found[index - 1].table != told.table {
            let gap = if index == 0 { "" } else { "\n" };
            text.push_str(&format!("{gap}[{}] {}\n", told.table, settings::purpose(told.table)));
        }
        let default = told.default.as_ref().map_or_else(String::new, |default| format!(" = {default}"));
        text.push_str(&format!("  {}.{}{default}\n", told.table, told.name));
        for paragraph in [&told.meaning, &format!("Takes {}.", told.takes.trim_end_matches('.'))] {
            text.push_str(&broken(paragraph));
        }
    }
    text
}

/// A paragraph, indented, in lines of at most [`WIDTH`].
fn broken(paragraph: &str) -> String {
    const INDENT: &str = "      ";
    let mut lines = vec![INDENT.to_owned()];
    for word in paragraph.split_whitespace() {
        let line = lines.last_mut().unwrap_or_else(|| unreachable!("there is a first line"));
        if line.chars().count() + word.chars().count() >= WIDTH && line != INDENT {
            lines.push(format!("{INDENT}{word}"));
        } else {
            let gap = if line == INDENT { "" } else { " " };
            line.push_str(&format!("{gap}{word}"));
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

//! The rounds, and the table that comes out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cells::Figures;
use crate::machine::{Held, warm};
use crate::rows::{Family, Figure, ROWS, Row};

/// One round: what each cell measured, in each pass.
type Round = BTreeMap<&'static str, Vec<Figures>>;

/// Measures `rounds` rounds of the rows with these numbers (none: all) and prints the table.
pub fn run(dir: &Path, rounds: u32, numbers: &[u32], seed: u64) -> Result<()> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| numbers.is_empty() || numbers.contains(&row.number)).collect();
    if rows.is_empty() {
        bail!("there is no row with these numbers");
    }
    let mut families: BTreeMap<Family, BTreeSet<&'static str>> = BTreeMap::new();
    for cell in rows.iter().flat_map(|row| [row.cell, row.against]) {
        families.entry(Family::of(cell)).or_default().insert(cell);
    }
    let mut families: Vec<(Family, Vec<&'static str>)> =
        families.into_iter().map(|(family, cells)| (family, cells.into_iter().collect())).collect();
    let mut measured: Vec<Round> = Vec::new();
    let mut random = seed;
    let _held = Held::all_but(crate::cells::ROOM_BYTES)?;
    for round in 1..=rounds {
        // What a row divides is measured within a minute or two: the device is another one after five.
        shuffle(&mut families, &mut random);
        eprintln!("round {round} of {rounds}");
        let mut figures = Round::new();
        for (family, cells) in &mut families {
            for _ in 0..family.passes() {
                shuffle(cells, &mut random);
                for (nth, cell) in cells.iter().enumerate() {
                    if nth == 0 || !family.is_short() {
                        warm(crate::cells::ROOM_BYTES)?;
                    }
                    match measure(cell, dir) {
                        Ok(found) => figures.entry(cell).or_default().push(found),
                        Err(error) => eprintln!("  {cell}: {error:#}"),
                    }
                }
            }
        }
        measured.push(figures);
    }
    print(&rows, &measured);
    Ok(())
}

fn measure(cell: &str, dir: &Path) -> Result<Figures> {
    let program = std::env::current_exe()?;
    let dir = dir.to_str().context("the directory's name is not text")?;
    let output = Command::new(&program).args(["--dir", dir, "cell", cell]).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    // Peers print, too: the figures are the last line.
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures: Figures = serde_json::from_str(printed.lines().last().unwrap_or_default())?;
    eprintln!("  {cell}: {figures}");
    Ok(figures)
}

/// Fisher and Yates, with Steele's splitmix64.
fn shuffle<T>(order: &mut [T], state: &mut u64) {
    for at in (1..order.len()).rev() {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(at, ((mixed ^ (mixed >> 31)) % (at as u64 + 1)) as usize);
    }
}

fn print(rows: &[&Row], rounds: &[Round]) {
    println!("| # | what | target | median | spread | met |");
    println!("|--:|---|--:|--:|--:|---|");
    for row in rows {
        let mut ratios: Vec<f64> = rounds.iter().filter_map(|round| ratio(row, round)).collect();
        ratios.sort_by(f64::total_cmp);
        let sign = if row.figure.more_is_better() { "≥" } else { "≤" };
        let target = format!("{sign} {:.2}", row.target);
        let Some(median) = median(&ratios) else {
            println!("| {} | {} | {target} | – | – | not measured |", row.number, row.what);
            continue;
        };
        let met = if row.figure.more_is_better() { median >= row.target } else { median <= row.target };
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        println!(
            "| {} | {} | {target} | {median:.2} | {least:.2}–{most:.2} (n={}) | {} |",
            row.number,
            row.what,
            ratios.len(),
            if met { "yes" } else { "**no**" }
        );
    }
}

fn ratio(row: &Row, round: &Round) -> Option<f64> {
    let of = |figures: &Figures| match row.figure {
        Figure::Rate => Some(figures.mb_per_s),
        Figure::Processor => Some(figures.processor_s_per_gb),
        Figure::Median => figures.median_us,
        Figure::Appends => figures.appends_per_s,
    };
    let over_passes = |cell| {
        let mut figures: Vec<f64> = round.get(cell)?.iter().filter_map(of).collect();
        figures.sort_by(f64::total_cmp);
        median(&figures)
    };
    let (ours, theirs) = (over_passes(row.cell)?, over_passes(row.against)?);
    (theirs > 0.0).then(|| ours / theirs)
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

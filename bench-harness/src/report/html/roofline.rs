//! How much was used of the physical limit that binds: a bar for each trial whose limits were measured.

use super::super::format::percent;
use super::Plot;
use super::grid::Grid;
use super::stack::{self, Bar, Part};
use crate::limits::Share;
use crate::result::Measured;

pub(super) fn plot(trials: &[(String, &Measured)]) -> Option<Plot> {
    let shares: Vec<(&str, &[Share])> = trials
        .iter()
        .filter_map(|(label, measured)| Some((label.as_str(), measured.limits.as_ref()?.shares.as_slice())))
        .filter(|(_, shares)| !shares.is_empty())
        .collect();
    if shares.is_empty() {
        return None;
    }
    let title = "Part of the binding limit";
    let bars: Vec<Bar> = shares.iter().filter_map(|(label, shares)| bar(label, shares)).collect();
    Some(Plot {
        title,
        caption: "The physical limit of which most was used: what is left of a bar is how far from it the trial stayed. The other limits stand in the table.",
        legend: Vec::new(),
        svg: stack::draw(title, &bars),
        values: values(&shares),
    })
}

/// The first share is the largest.
fn bar(label: &str, shares: &[Share]) -> Option<Bar> {
    let Share { limit, share } = shares.first()?;
    let name = format!("{label}: {} of {limit}", percent(*share));
    let data = vec![("data-limit", limit.clone()), ("data-share", share.to_string())];
    let part = Part { class: "s6".to_owned(), share: *share, data, title: name.clone() };
    Some(Bar { name, parts: vec![part] })
}

fn values(trials: &[(&str, &[Share])]) -> Grid {
    let row = |label: &str, share: &Share| vec![label.to_owned(), share.limit.clone(), percent(share.share)];
    Grid {
        header: ["trial", "limit", "used"].map(str::to_owned).to_vec(),
        rows: trials.iter().flat_map(|(label, shares)| shares.iter().map(move |share| row(label, share))).collect(),
    }
}

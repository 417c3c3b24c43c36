//! Suggestions for names that nobody knows.

/// The name most like `wrong`, if one is alike enough to have been meant.
pub(super) fn suggestion<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let enough = 2.max(wrong.len() / 4);
    names.map(|name| (distance(wrong, name), name)).filter(|(far, _)| *far <= enough).min().map(|(_, name)| name)
}

/// Levenshtein's distance: letters to change, add or leave out.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in (1..).zip(from.chars()) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

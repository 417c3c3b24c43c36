//! Which known name a mistyped one was meant to be.

/// The name nearest to `typed`, if it is near: at most a third of its letters differ.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = fold(typed);
    let distances = names.into_iter().map(|name| (distance(folded.as_bytes(), fold(name).as_bytes()), name));
    let (nearest, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (nearest <= (folded.len() / 3).max(1)).then(|| name.to_owned())
}

/// Separators and case are what people slip on.
fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-'], ".")
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["warm.up", "backends", "duration"];
        assert_eq!(nearest("warm-up", names).as_deref(), Some("warm.up"));
        assert_eq!(nearest("backend", names).as_deref(), Some("backends"));
        assert_eq!(nearest("colour", names), None);
    }
}

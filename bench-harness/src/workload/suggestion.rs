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

/// How many letters to insert, delete, replace, or swap with their neighbour (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["warm.up", "backends", "duration"];
        assert_eq!(nearest("warm-up", names).as_deref(), Some("warm.up"));
        assert_eq!(nearest("backend", names).as_deref(), Some("backends"));
        assert_eq!(nearest("durtaion", names).as_deref(), Some("duration"));
        assert_eq!(nearest("colour", names), None);
    }
}

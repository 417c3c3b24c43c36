//! Which known name a mistyped one was meant to be.

/// The name nearest to `typed`, if it is near: at most a third of its letters differ.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace(['_', '-'], ".");
    let allowed = (typed.len() / 3).max(2);
    let distances = names.map(|name| (distance(typed.as_bytes(), name.as_bytes()), name));
    distances.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= allowed).map(|(_, name)| name)
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let replaced = diagonal + usize::from(*letter != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["linger.ms", "batch.size", "buffer.memory"];
        assert_eq!(nearest("linger_ms", names.into_iter()), Some("linger.ms"));
        assert_eq!(nearest("bath.size", names.into_iter()), Some("batch.size"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}

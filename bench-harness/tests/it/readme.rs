//! The README's claims: each names tests that are there.

use std::path::Path;

/// The rows of a section's table, without its head.
fn rows<'a>(text: &'a str, section: &str) -> Vec<&'a str> {
    let after = text.split(&format!("## {section}\n")).nth(1).unwrap_or_else(|| panic!("no section {section}"));
    let table = after.split("\n## ").next().unwrap();
    table.lines().filter(|line| line.starts_with("| ")).skip(1).collect()
}

/// Whether a file has a test of this name, which nothing switches off.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&format!("fn {name}()")))
}

#[test]
fn each_claim_of_the_readme_names_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for (section, least) in
        [("Why you can believe it", 11), ("Mistakes that other benchmarks make", 9), ("Why a run does not count", 14)]
    {
        let rows = rows(&text, section);
        assert!(rows.len() >= least, "{section}: {rows:?}");
        for row in rows {
            let links: Vec<&str> = row.split('[').skip(1).collect();
            assert!(!links.is_empty(), "a claim without a test: {row}");
            for link in links {
                let (name, file) = link.split_once("](").unwrap();
                let file = file.split(')').next().unwrap();
                let source = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
                assert!(has_test(&source, name), "{file} has no test {name}");
            }
        }
    }
}

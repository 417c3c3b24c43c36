//! The README's claims: each names tests that are there.

use std::path::Path;

#[test]
fn each_claim_of_the_readme_names_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let claims = text.split("## Why you can believe it").nth(1).unwrap();
    let rows: Vec<&str> = claims.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let links: Vec<&str> = row.split('[').skip(1).collect();
        assert!(!links.is_empty(), "a claim without a test: {row}");
        for link in links {
            let (name, file) = link.split_once("](").unwrap();
            let file = file.split(')').next().unwrap();
            let source = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            assert!(source.contains(&format!("#[test]\nfn {name}()")), "{file} has no test {name}");
        }
    }
}

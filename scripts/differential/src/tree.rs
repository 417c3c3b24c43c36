//! An answer as a tree of named fields, read from how it prints itself: so that every field of every API is compared without a line for each.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// A value: a leaf is its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    Leaf(String),
    Fields(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

impl Tree {
    /// What `{:#?}` prints, as a tree. A struct's name goes; a tuple struct of one value is that value.
    pub fn of(value: &impl Debug) -> Tree {
        let text = format!("{value:#?}");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Reader { lines: &lines, at: 0 }.value("")
    }

    /// Changes each leaf, with the names of the fields on the way to it.
    pub fn map(self, path: &mut Vec<String>, change: &mut impl FnMut(&[String], String) -> String) -> Tree {
        match self {
            Tree::Leaf(text) => Tree::Leaf(change(path, text)),
            Tree::List(list) => Tree::List(list.into_iter().map(|one| one.map(path, change)).collect()),
            Tree::Fields(fields) => {
                let one = |(name, tree): (String, Tree)| {
                    path.push(name.clone());
                    let tree = tree.map(path, change);
                    path.pop();
                    (name, tree)
                };
                Tree::Fields(fields.into_iter().map(one).collect())
            }
        }
    }

    /// Lists in an order of their own: Kafka's often come out of hash maps.
    pub fn sorted(self) -> Tree {
        match self {
            Tree::Leaf(_) => self,
            Tree::Fields(fields) => {
                Tree::Fields(fields.into_iter().map(|(name, tree)| (name, tree.sorted())).collect())
            }
            Tree::List(list) => {
                let mut list: Vec<Tree> = list.into_iter().map(Tree::sorted).collect();
                list.sort();
                Tree::List(list)
            }
        }
    }

    /// The names of a list's entries, as far as they have one.
    pub fn names(&self) -> Vec<&str> {
        let Tree::List(list) = self else { return Vec::new() };
        list.iter()
            .filter_map(|one| if let Some(Tree::Leaf(name)) = one.find("name") { Some(name.as_str()) } else { None })
            .collect()
    }

    /// The field of this name, anywhere below, first come.
    pub fn find(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Leaf(_) => None,
            Tree::List(list) => list.iter().find_map(|one| one.find(name)),
            Tree::Fields(fields) => {
                fields.iter().find_map(|(field, tree)| if field == name { Some(tree) } else { tree.find(name) })
            }
        }
    }
}

/// Where two trees differ: path, left, right.
pub fn differences(left: &Tree, right: &Tree, path: &str, found: &mut Vec<(String, String, String)>) {
    match (left, right) {
        (Tree::Fields(left), Tree::Fields(right)) if left.len() == right.len() => {
            for ((name, left), (_, right)) in left.iter().zip(right) {
                differences(left, right, &format!("{path}.{name}"), found);
            }
        }
        (Tree::List(left), Tree::List(right))
            if names(left).is_some() && names(right).is_some() && names(left) != names(right) =>
        {
            let (left, right) = (by_name(left), by_name(right));
            for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
                match (left.get(name), right.get(name)) {
                    (Some(left), Some(right)) => differences(left, right, &format!("{path}[]"), found),
                    (left, _) => {
                        let (kafka, ours) =
                            if left.is_some() { (name.as_str(), "none") } else { ("none", name.as_str()) };
                        found.push((format!("{path}[].name"), kafka.to_owned(), ours.to_owned()));
                    }
                }
            }
        }
        (Tree::List(left), Tree::List(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                differences(left, right, &format!("{path}[]"), found);
            }
        }
        _ if left == right => {}
        _ => found.push((path.to_owned(), short(left), short(right))),
    }
}

/// The names of a list's entries, if each has another.
fn names(list: &[Tree]) -> Option<Vec<String>> {
    let names: Vec<String> = list.iter().map(name).collect::<Option<_>>()?;
    let mut once = names.clone();
    once.dedup();
    (once.len() == names.len()).then_some(names)
}

fn name(tree: &Tree) -> Option<String> {
    let Tree::Fields(fields) = tree else { return None };
    let Some((_, Tree::Leaf(name))) = fields.iter().find(|(field, _)| field == "name") else { return None };
    Some(name.clone())
}

fn by_name(list: &[Tree]) -> BTreeMap<String, &Tree> {
    list.iter().filter_map(|tree| Some((name(tree)?, tree))).collect()
}

fn short(tree: &Tree) -> String {
    match tree {
        Tree::Leaf(text) => text.clone(),
        other => format!("{other:?}").chars().take(2000).collect(),
    }
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
}

impl Reader<'_> {
    /// The value that begins with `first` (what stands behind the field's name) or, if that is empty, with the next line.
    fn value(&mut self, first: &str) -> Tree {
        let line = if first.is_empty() { self.line() } else { first.to_owned() };
        let line = line.strip_suffix(',').unwrap_or(&line).to_owned();
        match line.chars().last() {
            Some('{') => self.fields(),
            Some('[') => self.list("]"),
            Some('(') => match self.list(")") {
                Tree::List(mut list) if list.len() == 1 => list.remove(0),
                list => list,
            },
            _ if line == "[]" => Tree::List(Vec::new()),
            _ => Tree::Leaf(line),
        }
    }

    fn line(&mut self) -> String {
        let line = self.lines[self.at].to_owned();
        self.at += 1;
        line
    }

    fn ends(&mut self, with: &str) -> bool {
        let ends = self.lines[self.at].trim_end_matches(',') == with;
        self.at += usize::from(ends);
        ends
    }

    fn fields(&mut self) -> Tree {
        let mut fields = Vec::new();
        while !self.ends("}") {
            let line = self.line();
            let (name, value) = line.split_once(": ").unwrap_or((&line, "?"));
            let (name, value) = (name.to_owned(), value.to_owned());
            let value = self.value(&value);
            // Fields that nobody knows are how the crate keeps what a newer version may add.
            if name != "unknown_tagged_fields" {
                fields.push((name, value));
            }
        }
        Tree::Fields(fields)
    }

    fn list(&mut self, end: &str) -> Tree {
        let mut list = Vec::new();
        while !self.ends(end) {
            list.push(self.value(""));
        }
        Tree::List(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "they are printed")]
    struct Two {
        a: Vec<Option<i32>>,
        b: Wrapped,
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "it is printed")]
    struct Wrapped(&'static str);

    #[test]
    fn what_is_printed_is_read() {
        let tree = Tree::of(&Two { a: vec![Some(2), None], b: Wrapped("x: {") });
        let leaf = |text: &str| Tree::Leaf(text.to_owned());
        let list = Tree::List(vec![leaf("2"), leaf("None")]);
        assert_eq!(tree, Tree::Fields(vec![("a".to_owned(), list), ("b".to_owned(), leaf("\"x: {\""))]));
    }

    #[test]
    fn differences_are_named() {
        let left = Tree::of(&Two { a: vec![Some(2), None], b: Wrapped("x") });
        let right = Tree::of(&Two { a: vec![Some(3), None], b: Wrapped("x") });
        let mut found = Vec::new();
        differences(&left, &right, "", &mut found);
        assert_eq!(found, [(".a[]".to_owned(), "2".to_owned(), "3".to_owned())]);
    }
}

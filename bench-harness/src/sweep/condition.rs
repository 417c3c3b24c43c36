//! Where a factor counts: `producer.compression.type=zstd`, `producer.batch.size>16k`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::vary::plain;

/// What another factor's value must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "String")]
pub struct Condition {
    /// The other factor's setting.
    pub setting: String,
    comparison: Comparison,
    value: String,
}

/// How values are compared: as text, or as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Below,
    Above,
}

/// Signs, those first that begin with another one.
const SIGNS: [(&str, Comparison); 6] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Condition {
    /// Whether it holds in a cell that has these settings.
    #[must_use]
    pub fn holds(&self, settings: &[(String, String)]) -> bool {
        settings.iter().any(|(setting, value)| *setting == self.setting && self.allows(value))
    }

    /// Whether it holds for this value of its setting.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        let numbers = || value.parse::<f64>().ok().zip(self.value.parse::<f64>().ok());
        let compare = |holds: fn(f64, f64) -> bool| numbers().is_some_and(|(one, other)| holds(one, other));
        match self.comparison {
            Comparison::Equal => value == self.value,
            Comparison::NotEqual => value != self.value,
            Comparison::AtMost => compare(|one, other| one <= other),
            Comparison::AtLeast => compare(|one, other| one >= other),
            Comparison::Below => compare(|one, other| one < other),
            Comparison::Above => compare(|one, other| one > other),
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let at = text.find(['=', '<', '>', '!']).unwrap_or(text.len());
        let (setting, rest) = text.split_at(at);
        let found = SIGNS.iter().find_map(|(sign, comparison)| Some((rest.strip_prefix(sign)?, *comparison)));
        let (value, comparison) =
            found.ok_or("the condition is not of the form KEY=VALUE, or with !=, <, <=, > or >=")?;
        let condition = Condition { setting: setting.trim().to_owned(), comparison, value: plain(value.trim()) };
        if condition.setting.is_empty() || condition.value.is_empty() {
            return Err("the condition lacks a setting or a value".to_owned());
        }
        let by_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if by_order && condition.value.parse::<f64>().is_err() {
            return Err(format!("'{}' is not a number, so nothing is less or more", condition.value));
        }
        Ok(condition)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.iter().find(|(_, comparison)| *comparison == self.comparison).map_or("=", |(sign, _)| sign);
        write!(f, "{}{sign}{}", self.setting, self.value)
    }
}

/// As it stands in a sweep's document: as text, or, of before there were comparisons, a setting and its value.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Text(String),
    Pair(String, String),
}

impl From<Saved> for Condition {
    fn from(saved: Saved) -> Condition {
        let equal = |setting: String, value: String| Condition { setting, comparison: Comparison::Equal, value };
        match saved {
            // What no version wrote holds nowhere.
            Saved::Text(text) => text.parse().unwrap_or_else(|_| equal(text, String::new())),
            Saved::Pair(setting, value) => equal(setting, value),
        }
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> String {
        condition.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_words_as_words() {
        for (text, holds, not) in [
            ("a=zstd", "zstd", "lz4"),
            ("a!=none", "lz4", "none"),
            ("a>16k", "65536", "16384"),
            ("a >= 16k", "16384", "4096"),
            ("a<9", "8", "10"),
            ("a<=0.5", "0.5", "0.51"),
            ("a>1", "2", "soon"),
        ] {
            let condition: Condition = text.parse().expect(text);
            assert!(condition.allows(holds) && !condition.allows(not), "{text}");
            assert_eq!(condition.to_string().parse(), Ok(condition.clone()));
            let cell = |value: &str| [("a".to_owned(), value.to_owned())];
            assert!(condition.holds(&cell(holds)) && !condition.holds(&cell(not)) && !condition.holds(&[]), "{text}");
            let saved = serde_json::to_string(&condition).expect("text");
            assert_eq!(serde_json::from_str::<Condition>(&saved).expect(&saved), condition);
        }
        let old: Condition = serde_json::from_str(r#"["a","zstd"]"#).expect("as it was saved before");
        assert_eq!(old, "a=zstd".parse().expect("a condition"));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, reason) in [
            ("b", "KEY=VALUE"),
            ("=1", "lacks a setting"),
            ("b=", "lacks"),
            ("b>soon", "not a number"),
            ("b!1", "KEY=VALUE"),
        ] {
            let said = text.parse::<Condition>().expect_err(text);
            assert!(said.contains(reason), "{text}: {said}");
        }
    }
}

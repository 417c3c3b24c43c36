//! What `--vary` says: settings and the values that they take.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Condition;

/// A setting that is varied, or several that change together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// The settings, as `table.key` of a workload file, or `backend`.
    pub settings: Vec<String>,
    /// The values of each level, one for each setting.
    pub levels: Vec<Vec<String>>,
    /// It counts only in cells where another factor's value is like this.
    pub condition: Option<Condition>,
}

/// Why `--vary` cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--vary '{text}': {reason}; it is KEY=VALUE,VALUE…, KEY=FROM..TO*FACTOR, KEY=FROM..TO+STEP or KEY,KEY=VALUE:VALUE,…, and may end in ' if KEY=VALUE' (or !=, <, <=, >, >=)"
)]
pub struct BadVary {
    text: String,
    reason: String,
}

/// The most values that a range may have.
const RANGE_MAX: usize = 1000;

impl Factor {
    /// What it is called in tables.
    #[must_use]
    pub fn name(&self) -> String {
        self.settings.join(",")
    }

    /// What a level is called in tables.
    #[must_use]
    pub fn level(&self, index: usize) -> String {
        self.levels[index].join(":")
    }
}

impl FromStr for Factor {
    type Err = BadVary;

    fn from_str(text: &str) -> Result<Factor, BadVary> {
        let bad = |reason: String| BadVary { text: text.to_owned(), reason };
        let (rule, condition) = match text.split_once(" if ") {
            None => (text, None),
            Some((rule, condition)) => (rule, Some(condition.parse().map_err(bad)?)),
        };
        let (keys, values) = rule.split_once('=').ok_or_else(|| bad("there is no '='".to_owned()))?;
        let settings: Vec<String> = keys.split(',').map(|key| key.trim().to_owned()).collect();
        if settings.iter().any(String::is_empty) {
            return Err(bad("a setting has no name".to_owned()));
        }
        let mut levels = Vec::new();
        for item in values.split(',').map(str::trim) {
            for level in expand(item).map_err(bad)? {
                let parts: Vec<String> = if settings.len() == 1 {
                    vec![plain(&level)]
                } else {
                    level.split(':').map(|part| plain(part.trim())).collect()
                };
                if parts.len() != settings.len() || parts.iter().any(String::is_empty) {
                    return Err(bad(format!("'{item}' does not have a value for each of {}", settings.join(", "))));
                }
                if levels.contains(&parts) {
                    return Err(bad(format!("'{item}' comes twice")));
                }
                levels.push(parts);
            }
        }
        Ok(Factor { settings, levels, condition })
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels: Vec<String> = (0..self.levels.len()).map(|index| self.level(index)).collect();
        write!(f, "{}={}", self.name(), levels.join(","))?;
        self.condition.as_ref().map_or(Ok(()), |condition| write!(f, " if {condition}"))
    }
}

/// A range as its values; anything else as it is.
fn expand(item: &str) -> Result<Vec<String>, String> {
    let Some((from, rest)) = item.split_once("..") else { return Ok(vec![item.to_owned()]) };
    let split = |sign| rest.split_once(sign).map(|(to, step)| (to, step, sign));
    let Some((to, step, sign)) = split('*').or_else(|| split('+')) else {
        return Err(format!("the range '{item}' has no step"));
    };
    let number = |text: &str| plain(text.trim()).parse::<u64>().map_err(|_| format!("'{text}' is not a whole number"));
    let (mut value, to, step) = (number(from)?, number(to)?, number(step)?);
    if (sign == '*' && (step < 2 || value == 0)) || step == 0 {
        return Err(format!("the range '{item}' never ends"));
    }
    let mut values = Vec::new();
    while value <= to {
        values.push(value.to_string());
        if values.len() > RANGE_MAX {
            return Err(format!("the range '{item}' has more than {RANGE_MAX} values"));
        }
        let next = if sign == '*' { value.checked_mul(step) } else { value.checked_add(step) };
        let Some(next) = next else { break };
        value = next;
    }
    if values.is_empty() { Err(format!("the range '{item}' is empty")) } else { Ok(values) }
}

/// `4k` is 4096 and `1m` is 1048576, as in `batch.size=16k`.
pub(super) fn plain(text: &str) -> String {
    let scaled = |digits: &str, shift: u32| digits.parse::<u64>().ok()?.checked_mul(1 << shift).map(|n| n.to_string());
    let kibi = text.strip_suffix(['k', 'K']).and_then(|digits| scaled(digits, 10));
    let mebi = || text.strip_suffix(['m', 'M']).and_then(|digits| scaled(digits, 20));
    kibi.or_else(mebi).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> Vec<String> {
        let factor: Factor = text.parse().expect(text);
        (0..factor.levels.len()).map(|index| factor.level(index)).collect()
    }

    #[test]
    fn lists_ranges_and_zips() {
        assert_eq!(levels("producer.batch.size=4k,16k, 1m"), ["4096", "16384", "1048576"]);
        assert_eq!(levels("producer.linger.ms=0,1..16*4"), ["0", "1", "4", "16"]);
        assert_eq!(levels("load.in.flight=10..30+10"), ["10", "20", "30"]);
        assert_eq!(levels("producer.batch.size,producer.linger.ms=4k:0,64k:20"), ["4096:0", "65536:20"]);
        let conditional: Factor =
            "producer.compression.zstd.level=1,9 if producer.compression.type=zstd".parse().expect("a condition");
        assert_eq!(conditional.condition, Some("producer.compression.type=zstd".parse().expect("a condition")));
        assert_eq!(conditional.to_string().parse(), Ok(conditional));
        assert_eq!(levels("producer.compression.type=none,lz4"), ["none", "lz4"], "no number");
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (text, reason) in [
            ("producer.linger.ms", "there is no '='"),
            ("a=1..10", "has no step"),
            ("a=1..10*1", "never ends"),
            ("a=0..10*2", "never ends"),
            ("a=10..1+1", "is empty"),
            ("a=1..99999+1", "more than 1000"),
            ("a=x..9+1", "not a whole number"),
            ("a,b=1,2", "a value for each of a, b"),
            ("a=1,1", "comes twice"),
            ("a=", "a value for each"),
            ("=1", "no name"),
            ("a=1 if b", "KEY=VALUE"),
        ] {
            let said = text.parse::<Factor>().expect_err(text).to_string();
            assert!(said.contains(reason), "{text}: {said}");
        }
    }
}

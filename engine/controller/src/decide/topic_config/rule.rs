//! What the value of a setting can be.

/// The kinds of values that Kafka tells apart (`ConfigDef.Type`), with their numbers in DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// true or false.
    Boolean = 1,
    /// Text.
    String = 2,
    /// 32 bits.
    Int = 3,
    /// 16 bits.
    Short = 4,
    /// 64 bits.
    Long = 5,
    /// A decimal number.
    Double = 6,
    /// Words, separated by commas.
    List = 7,
}

/// What LogDyno makes of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A 32-bit number from the first to the second.
    Int(i64, i64),
    /// A 64-bit number from the first to the second.
    Long(i64, i64),
    /// A decimal number from the first to the second.
    Double(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any of these words, separated by commas; none as well.
    AnyOf(&'static [&'static str]),
    /// Known to Kafka, but not obeyed here: it can only have its default, where obeying and ignoring are the same.
    OnlyDefault(ValueType),
}

impl Rule {
    /// What kind of value that is.
    pub fn value_type(self) -> ValueType {
        match self {
            Rule::Int(..) => ValueType::Int,
            Rule::Long(..) => ValueType::Long,
            Rule::Double(..) => ValueType::Double,
            Rule::OneOf(_) => ValueType::String,
            Rule::AnyOf(_) => ValueType::List,
            Rule::OnlyDefault(kind) => kind,
        }
    }

    /// The value as it is stored, in one form of several, or the rest of the sentence "it cannot be that: …".
    pub(super) fn check(self, value: &str, default: &str) -> Result<String, String> {
        let value = value.trim();
        match self {
            Rule::Int(least, most) | Rule::Long(least, most) => match value.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
                _ => Err(format!("it is a whole number from {least} to {most}")),
            },
            Rule::Double(least, most) => match value.parse::<f64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(as_java_prints(number)),
                _ => Err(format!("it is a number from {least} to {most}")),
            },
            Rule::OneOf(words) if words.contains(&value) => Ok(value.to_owned()),
            Rule::OneOf(words) => Err(format!("it is one of {}", words.join(", "))),
            Rule::AnyOf(words) => match items(value).find(|item| !words.contains(item)) {
                None => Ok(joined(items(value))),
                Some(_) => Err(format!("it is a list of {}", words.join(", "))),
            },
            Rule::OnlyDefault(_) if value == default => Ok(value.to_owned()),
            Rule::OnlyDefault(_) => {
                Err(format!("this version obeys only Kafka's default, '{default}', and stores nothing it would ignore"))
            }
        }
    }
}

/// As Java's `Double.toString` has it, which clients compare with: `0.0`, `0.5`, `1.0E-4`.
fn as_java_prints(number: f64) -> String {
    if number == 0.0 || number >= 1e-3 {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// A list of these words, each once.
pub fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(&word) {
            once.push(word);
        }
    }
    once.join(",")
}

/// The words of a list.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

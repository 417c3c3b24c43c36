//! Lets lines of a properties file stand in the tables that have Kafka's names.
//!
//! `acks=all` is a property but no TOML: the word needs quotes. In those tables a value that is a bare word gets them,
//! on its line, so that line numbers stay as they are.

/// Tables whose keys are Kafka's.
pub(super) const KAFKA_TABLES: [&str; 4] = ["producer", "consumer", "topic", "broker"];

/// `text` as TOML.
pub(super) fn as_toml(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default().trim();
            inside = KAFKA_TABLES.contains(&name);
        }
        match property(trimmed).filter(|_| inside) {
            Some((key, value)) => {
                out.push_str(&format!("{key} = {value:?}"));
                out.push_str(&line[line.trim_end_matches(['\n', '\r']).len()..]);
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Key and value of a line that is a property and not yet TOML.
fn property(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_toml = toml::de::DeValue::parse(without_comment(value)).is_ok();
    (is_name && !value.is_empty() && !is_toml && !value.starts_with(['"', '\'', '[', '{'])).then_some((key, value))
}

/// Only values that TOML knows may be followed by a comment; a property's value goes to the end of its line.
fn without_comment(value: &str) -> &str {
    match value.as_bytes().first() {
        Some(b'"' | b'\'') => value,
        _ => value.split('#').next().unwrap_or(value).trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::as_toml;

    #[test]
    fn properties_are_quoted_in_kafkas_tables_only() {
        let text = "[run]\ntarget=null\n[producer]\nacks=all\nlinger.ms = 5 # a comment\nclient.id = \"x\"\n";
        let expected = "[run]\ntarget=null\n[producer]\nacks = \"all\"\nlinger.ms = 5 # a comment\nclient.id = \"x\"\n";
        assert_eq!(as_toml(text), expected);
    }
}

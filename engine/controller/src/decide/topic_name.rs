//! Which names a topic can have (Kafka's `Topic.validate` and its rule on colliding names).

use super::Refusal;
use crate::image::MetadataImage;

const LENGTH_MAX: usize = 249;

/// Whether a topic may be called `name` beside those that exist (errors 17, 36).
pub fn check(name: &str, image: &MetadataImage) -> Result<(), Refusal> {
    check_form(name)?;
    if image.topic(name).is_some() {
        return Err(Refusal::TopicExists { name: name.to_owned() });
    }
    match image.topics().find(|topic| metric_name(&topic.name) == metric_name(name)) {
        Some(other) => {
            let reason =
                format!("it differs from '{}' only in '.' and '_', which metrics do not tell apart", other.name);
            Err(Refusal::InvalidTopicName { name: name.to_owned(), reason })
        }
        None => Ok(()),
    }
}

/// Whether a topic may be called `name` at all (error 17).
pub fn check_form(name: &str) -> Result<(), Refusal> {
    let invalid = |reason: String| Err(Refusal::InvalidTopicName { name: name.to_owned(), reason });
    if name.is_empty() {
        return invalid("it is empty".to_owned());
    }
    if name == "." || name == ".." {
        return invalid("it would be a folder's own or its parent's".to_owned());
    }
    if name.len() > LENGTH_MAX {
        return invalid(format!("it has {} characters, {LENGTH_MAX} is the most", name.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(other) = name.chars().find(|c| !allowed(*c)) {
        return invalid(format!("it has a '{other}'; letters, digits, '.', '_' and '-' are allowed"));
    }
    Ok(())
}

fn metric_name(topic: &str) -> String {
    topic.replace('.', "_")
}

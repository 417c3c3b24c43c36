//! What a setting is: Kafka's name, its default, what values it takes, and whether it is built.

/// One configuration setting as Apache Kafka 4.1 names it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Kafka's default, written as in a properties file; empty for "none".
    pub default: &'static str,
    /// The values it takes.
    pub kind: Kind,
    /// What it does, with its unit and limits.
    pub doc: &'static str,
}

/// The values a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A 32-bit number within limits.
    Int(i32, i32),
    /// A 64-bit number within limits.
    Long(i64, i64),
    /// `true` or `false`, in any case.
    Bool,
    /// Free text.
    Text,
    /// Text separated by commas.
    List,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Only one value is built; every other is refused with the sentence.
    Only {
        /// The value that describes what this client does.
        value: &'static str,
        /// Why the others are refused.
        why: &'static str,
    },
    /// Known to Kafka, refused here with the sentence.
    NotBuilt(&'static str),
}

impl Setting {
    /// A 32-bit number.
    pub(super) const fn int(
        name: &'static str,
        default: &'static str,
        limits: (i32, i32),
        doc: &'static str,
    ) -> Setting {
        Setting { name, default, kind: Kind::Int(limits.0, limits.1), doc }
    }

    /// A 64-bit number.
    pub(super) const fn long(
        name: &'static str,
        default: &'static str,
        limits: (i64, i64),
        doc: &'static str,
    ) -> Setting {
        Setting { name, default, kind: Kind::Long(limits.0, limits.1), doc }
    }

    /// A switch.
    pub(super) const fn switch(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
        Setting { name, default, kind: Kind::Bool, doc }
    }

    /// A word of a list.
    pub(super) const fn choice(
        name: &'static str,
        default: &'static str,
        words: &'static [&'static str],
        doc: &'static str,
    ) -> Setting {
        Setting { name, default, kind: Kind::Choice(words), doc }
    }

    /// Free text.
    pub(super) const fn text(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
        Setting { name, default, kind: Kind::Text, doc }
    }

    /// A list separated by commas.
    pub(super) const fn list(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
        Setting { name, default, kind: Kind::List, doc }
    }

    /// A setting of which one value is built.
    pub(super) const fn only(
        name: &'static str,
        default: &'static str,
        value: &'static str,
        why: &'static str,
        doc: &'static str,
    ) -> Setting {
        Setting { name, default, kind: Kind::Only { value, why }, doc }
    }

    /// A setting of Kafka that is not built.
    pub(super) const fn not_built(name: &'static str, default: &'static str, why: &'static str) -> Setting {
        Setting { name, default, kind: Kind::NotBuilt(why), doc: why }
    }
}

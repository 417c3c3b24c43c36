//! The command line as a shell takes it.

use std::ffi::OsString;

/// Arguments as one line: pasted into a shell, it is the same command, but for arguments that are no UTF-8.
pub(super) fn line(arguments: impl Iterator<Item = OsString>) -> String {
    arguments.map(|argument| quoted(&argument.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// An argument in single quotes, unless all its signs stand for themselves.
fn quoted(argument: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "_@%+=:,./-".contains(sign);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::process::Command;

    use super::*;

    /// A shell that reads the line finds the arguments.
    #[test]
    fn a_shell_reads_the_same_arguments() {
        let arguments = [
            "run",
            "a file.toml",
            "--set",
            "load.rate=1/3",
            "--vary=producer.linger.ms=0,5 if load.rate>=5",
            "it's",
            "",
            "$HOME `id` \"x\" \\ *",
            "a\nb",
            "ü",
        ];
        let line = line(arguments.iter().map(OsString::from));
        assert!(line.starts_with("run 'a file.toml' --set load.rate=1/3 '--vary="), "{line}");
        let read = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().expect("a shell").stdout;
        let expected: String = arguments.iter().map(|argument| format!("{argument}\0")).collect();
        assert_eq!(String::from_utf8_lossy(&read), expected);
    }

    #[test]
    fn what_is_no_text_is_told_as_well_as_it_can_be() {
        let arguments = [b"run".to_vec(), b"w\xff.toml".to_vec()].map(OsString::from_vec);
        assert_eq!(line(arguments.into_iter()), "run 'w\u{fffd}.toml'");
    }
}

//! The machine and the program that a result comes from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::command;

/// Where and by what a run was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// When it began, in UTC.
    pub began: String,
    /// The command line, quoted for a shell.
    pub command: String,
    /// LogDyno's version.
    pub version: String,
    /// LogDyno's commit, and `-dirty` if the tree had changes; `unknown` outside of a checkout.
    pub commit: String,
    /// `release` or `debug`: figures of a debug build say nothing.
    pub build: String,
    /// The kernel.
    pub kernel: String,
    /// The processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The file system below the data directory: type, device and options.
    pub file_system: String,
}

impl Environment {
    /// This process on this machine, with its data below `dir`.
    #[must_use]
    pub fn look(dir: &Path) -> Environment {
        Environment {
            began: utc_now(),
            command: command::line(std::env::args_os()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("LOGDYNO_COMMIT").to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease"),
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_mib(),
            file_system: file_system(dir),
        }
    }
}

impl Environment {
    /// How long after `other` this began; none where one of them does not say.
    #[must_use]
    pub fn seconds_since(&self, other: &Environment) -> Option<u64> {
        Some(seconds_of(&self.began)?.saturating_sub(seconds_of(&other.began)?))
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

fn memory_mib() -> u64 {
    let text = read("/proc/meminfo");
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Type, device and options of the mount that holds `dir`: the longest mount point that is a prefix of it.
fn file_system(dir: &Path) -> String {
    let Ok(dir) = dir.canonicalize() else { return "unknown".to_owned() };
    let mounts = read("/proc/self/mounts");
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, point) = (fields.next()?, fields.next()?);
        let (kind, options) = (fields.next()?, fields.next()?);
        dir.starts_with(point).then(|| (point.len(), format!("{kind} on {device} ({options})")))
    });
    holding.max_by_key(|(len, _)| *len).map_or_else(|| "unknown".to_owned(), |(_, mount)| mount)
}

/// Now, as `2026-01-31T23:59:59Z`.
pub(crate) fn utc_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = date(since / 86_400);
    let of_day = since % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Seconds since 1970 of what [`utc_now`] wrote.
fn seconds_of(text: &str) -> Option<u64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let three = |text: &str, sign| {
        let numbers: Vec<u64> = text.split(sign).map(str::parse).collect::<Result<_, _>>().ok()?;
        <[u64; 3]>::try_from(numbers).ok()
    };
    let ([year, month, day], [hours, minutes, seconds]) = (three(day, '-')?, three(time, ':')?);
    let near = year.checked_sub(1970)? * 365;
    // No year has more than 366 days, so a date is at most so many days after the first guess.
    let days = (near..=near + year - 1970 + 366).find(|days| date(*days) == (year, month, day))?;
    Some(days * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

/// The Gregorian date of a day counted from 1970: years begin in March, so that a leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    let since_era = days + 719_468;
    let (era, day_of_era) = (since_era / ERA_DAYS, since_era % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{date, seconds_of};

    #[test]
    fn dates_of_days() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_453), (2025, 12, 31));
    }

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds_of("2000-02-29T23:59:59Z"), Some(11_016 * 86_400 + 86_399));
        assert_eq!(seconds_of("2025-12-31T01:02:03Z"), Some(20_453 * 86_400 + 3_723));
        for wrong in ["", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "1969-12-31T00:00:00Z", "2025-01-01"] {
            assert_eq!(seconds_of(wrong), None, "{wrong}");
        }
    }
}

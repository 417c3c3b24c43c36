//! A record's own time, read to nanoseconds since 1970.

use crate::workload::TimeFormat;

const SECOND_NS: u64 = 1_000_000_000;

/// The time that `text` says.
pub(super) fn parse(text: &str, format: &TimeFormat) -> Result<u64, String> {
    let time = match format {
        TimeFormat::UnixMillis => scaled(text, SECOND_NS / 1000),
        TimeFormat::UnixSeconds => scaled(text, SECOND_NS),
        TimeFormat::Pattern(pattern) => by_pattern(text, pattern),
    };
    time.ok_or_else(|| format!("its time `{text}` is not {}", name(format)))
}

fn name(format: &TimeFormat) -> String {
    match format {
        TimeFormat::UnixMillis => "a number of milliseconds since 1970".to_owned(),
        TimeFormat::UnixSeconds => "a number of seconds since 1970".to_owned(),
        TimeFormat::Pattern(pattern) => format!("a UTC time since 1970 written as `{pattern}`"),
    }
}

/// A decimal number of units, exactly.
fn scaled(text: &str, unit_ns: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.checked_mul(unit_ns)?.checked_add(part * (unit_ns / 1000) / (SECOND_NS / 1000))
}

fn by_pattern(text: &str, pattern: &str) -> Option<u64> {
    let (mut rest, mut pattern) = (text, pattern.chars());
    let (mut year, mut month, mut day, mut seconds) = (1970, 1, 1, 0);
    while let Some(letter) = pattern.next() {
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        match pattern.next()? {
            'Y' => year = number(&mut rest, 4, 1970..=9999)?,
            'm' => month = number(&mut rest, 2, 1..=12)?,
            'd' => day = number(&mut rest, 2, 1..=31)?,
            'H' => seconds += 3600 * number(&mut rest, 2, 0..=23)?,
            'M' => seconds += 60 * number(&mut rest, 2, 0..=59)?,
            'S' => seconds += number(&mut rest, 2, 0..=60)?,
            _ => return None,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    (days_since_1970(year, month, day)? * 86_400 + seconds).checked_mul(SECOND_NS)
}

fn number(rest: &mut &str, digits: usize, limits: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let (text, after) = rest.split_at_checked(digits)?;
    *rest = after;
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
    limits.contains(&number).then_some(number)
}

/// The Gregorian calendar's day count; `None` for a day that its month does not have.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leaps_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let years = (year - 1970) * 365 + leaps_before(year) - leaps_before(1970);
    let months: u64 = lengths[..month as usize - 1].iter().sum();
    (day <= lengths[month as usize - 1]).then_some(years + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_they_are_written() {
        let pattern = |text: &str, pattern: &str| parse(text, &TimeFormat::Pattern(pattern.to_owned())).ok();
        assert_eq!(pattern("2001/01/01 00:47", "%Y/%m/%d %H:%M"), Some(978_310_020 * SECOND_NS));
        assert_eq!(pattern("2024-02-29T23:59:59Z", "%Y-%m-%dT%H:%M:%SZ"), Some(1_709_251_199 * SECOND_NS));
        assert_eq!(pattern("2023-02-29", "%Y-%m-%d"), None);
        assert_eq!(pattern("2023-02-2x", "%Y-%m-%d"), None);
        assert_eq!(pattern("2023-02-20 ", "%Y-%m-%d"), None);
        assert_eq!(parse("1517363399650", &TimeFormat::UnixMillis), Ok(1_517_363_399_650_000_000));
        assert_eq!(parse("1517363399.65", &TimeFormat::UnixSeconds), Ok(1_517_363_399_650_000_000));
        assert!(parse("-1", &TimeFormat::UnixSeconds).is_err());
    }
}

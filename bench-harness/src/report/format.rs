//! Numbers as people read them.

/// Three significant digits and a unit: `12.3 µs`, `4.56 ms`.
pub(crate) fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = match value {
        value if unit == "ns" || value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// Thousands apart: `1,234,567`.
pub(crate) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate or a mean: whole from 100 on, else with three digits.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => whole(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.01 || value == 0.0 => format!("{value:.2}"),
        value => format!("{value:.4}"),
    }
}

/// Bytes with a decimal unit: `1.23 MB`.
pub(crate) fn bytes(value: f64) -> String {
    let (value, unit) = match value {
        value if value < 1e3 => (value, "B"),
        value if value < 1e6 => (value / 1e3, "kB"),
        value if value < 1e9 => (value / 1e6, "MB"),
        value => (value / 1e9, "GB"),
    };
    format!("{} {unit}", number(value))
}

/// A share of one: `71 %`.
pub(crate) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0095 { format!("{:.1} %", share * 100.0) } else { format!("{:.0} %", share * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        let durations = [0.0, 999.0, 1_000.0, 12_345.0, 4_560_000.0, 123_456_789.0, 2.5e9].map(duration);
        assert_eq!(durations, ["0 ns", "999 ns", "1.00 µs", "12.3 µs", "4.56 ms", "123 ms", "2.50 s"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(whole), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.005, 1.234, 56.78, 1234.5].map(number), ["0.00", "0.0050", "1.23", "56.8", "1,235"]);
        assert_eq!([512.0, 1.5e6].map(bytes), ["512 B", "1.50 MB"]);
        assert_eq!([0.0, 0.004, 0.713].map(percent), ["0 %", "0.4 %", "71 %"]);
    }
}

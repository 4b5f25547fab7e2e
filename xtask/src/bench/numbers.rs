//! Numbers as people read them.

/// About four digits, thousands apart: `0.0123`, `1.234`, `12.34`, `1 234`, `1 234 567`.
pub(super) fn plain(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => value.to_string(),
        0.0 => "0".to_owned(),
        1000.0.. => grouped(value),
        _ => {
            let digits = if size >= 100.0 {
                1
            } else if size >= 10.0 {
                2
            } else if size >= 0.01 {
                3
            } else {
                6
            };
            let text = format!("{value:.digits$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// A ratio, with two decimals while they say something.
pub(super) fn ratio(value: f64) -> String {
    if value.abs() >= 100.0 { plain(value.round()) } else { format!("{value:.2}") }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_about_four_digits() {
        let values = [0.0, 0.0123, 1.2345, 12.345, 780.0, 1234.4, 1_234_567.8, -1500.0, 0.000_012];
        let shown = values.map(plain);
        assert_eq!(
            shown,
            ["0", "0.012", "1.234", "12.35", "780", "1 234", "1 234 568", "-1 500", "0.000012"]
        );
    }

    #[test]
    fn ratios_keep_two_decimals_while_they_matter() {
        assert_eq!(
            [0.987, 1.0, 35.5, 312.4, 12_345.6].map(ratio),
            ["0.99", "1.00", "35.50", "312", "12 346"]
        );
    }
}

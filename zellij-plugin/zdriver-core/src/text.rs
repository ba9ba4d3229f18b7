//! Text in terminal cells: widths, cutting, and times in words.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Cells that `text` takes.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Control characters would move the cursor, and those of writing direction turn the line round:
/// shown as blanks.
pub fn clean(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| if c.is_control() || turns(c) { ' ' } else { c })
        .collect()
}

/// At most `cells` wide, with "…" where something was cut off.
pub fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    if cells == 0 {
        return String::new();
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = UnicodeWidthStr::width(grapheme);
        if used + wide > cells - 1 {
            break;
        }
        kept.push_str(grapheme);
        used += wide;
    }
    kept.trim_end().to_owned() + "…"
}

/// Breaks at blanks; a word that is too long is broken anywhere. Never an empty list.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_word_bounds() {
        let wide = width(word);
        if used + wide > cells && used > 0 && word.trim().is_empty() {
            lines.push(String::new());
            used = 0;
            continue;
        }
        if used + wide > cells && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        for grapheme in word.graphemes(true) {
            let wide = UnicodeWidthStr::width(grapheme);
            if used + wide > cells && used > 0 {
                lines.push(String::new());
                used = 0;
            }
            if let Some(last) = lines.last_mut() {
                last.push_str(grapheme);
            }
            used += wide;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// "now", "4 min", "3 h", "12 d".
pub fn age(seconds: i64) -> String {
    match seconds {
        ..60 => "now".into(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Seconds since the epoch of an ISO 8601 time such as `2026-11-21T08:53:00.123456Z` or `…+01:00`.
pub fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = (time.get(..zone_at)?, time.get(zone_at..)?);
    let mut parts = clock.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: i64 = parts
        .next()
        .unwrap_or("0")
        .split('.')
        .next()?
        .parse()
        .ok()?;
    let of_day = hours * 3_600 + minutes * 60 + seconds;
    Some(days(year, month, day) * 86_400 + of_day - offset(zone)?)
}

fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Some(0),
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).unwrap_or("0").parse().ok()?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01 in the Gregorian calendar: whole 400-year cycles, counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let in_cycle = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_cycle = in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + of_year;
    year.div_euclid(400) * 146_097 + of_cycle - 719_468
}

/// How long ago, in words; empty when the time cannot be read.
pub fn ago(time: Option<&str>, now_millis: u64) -> String {
    let then = time.and_then(parse_time);
    then.map_or(String::new(), |then| age((now_millis / 1000) as i64 - then))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// A clock time that is further away could be meant of another day.
const CLOCK: i64 = 20 * 3_600;

/// When it ends: "14:32", "23 Nov", as it is written there, so in the time zone of who wrote it.
/// None when it is over, or cannot be read.
pub fn until(time: Option<&str>, now_millis: u64) -> Option<String> {
    let time = time?;
    let left = parse_time(time)? - (now_millis / 1000) as i64;
    if left <= 0 {
        return None;
    }
    if left <= CLOCK {
        return time.get(11..16).map(str::to_owned);
    }
    let month: usize = time.get(5..7)?.parse().ok()?;
    let day: u32 = time.get(8..10)?.parse().ok()?;
    Some(format!("{day} {}", MONTHS.get(month.checked_sub(1)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_as_clock_or_day() {
        let now = 1_795_251_180_000; // 2026-11-21T08:53:00Z
        let cases = [
            ("2026-11-21T10:32:07.5+01:00", Some("10:32")),
            ("2026-11-21T23:00:00Z", Some("23:00")),
            ("2026-11-23T08:00:00Z", Some("23 Nov")),
            ("2026-11-21T08:53:00Z", None),
            ("2026-11-21T08:00:00Z", None),
            ("rubbish", None),
        ];
        for (time, words) in cases {
            assert_eq!(until(Some(time), now).as_deref(), words, "{time}");
        }
        assert_eq!(until(None, now), None);
    }

    #[test]
    fn wide_and_combining_characters() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("🦀"), 2);
        assert_eq!(width(""), 0);
    }

    #[test]
    fn cutting_never_exceeds_the_cells() {
        for text in [
            "",
            "a",
            "plain text",
            "日本語テキスト",
            "🦀🦀🦀",
            "e\u{301}e\u{301}e\u{301}",
        ] {
            for cells in 0..20 {
                let short = cut(text, cells);
                assert!(width(&short) <= cells, "{text} {cells} {short}");
                if width(text) <= cells {
                    assert_eq!(short, text);
                }
            }
        }
        assert_eq!(cut("Refactor database", 9), "Refactor…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "Refactor the database layer, 日本語テキスト and averyveryverylongword";
        for cells in 1..60 {
            let lines = wrap(text, cells);
            assert!(
                lines.iter().all(|l| width(l) <= cells.max(2)),
                "{cells} {lines:?}"
            );
            let joined: String = lines.concat().split_whitespace().collect();
            let whole: String = text.split_whitespace().collect();
            assert_eq!(joined, whole, "{cells}");
        }
        assert_eq!(wrap("one two", 4), ["one", "two"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn control_characters_are_blanks() {
        assert_eq!(clean("a\x1b[31mb\nc\u{9b}d"), "a [31mb c d");
    }

    #[test]
    fn ages() {
        let cases = [
            (-5, "now"),
            (0, "now"),
            (59, "now"),
            (60, "1 min"),
            (3_599, "59 min"),
        ];
        for (seconds, words) in cases {
            assert_eq!(age(seconds), words);
        }
        assert_eq!(age(3_600), "1 h");
        assert_eq!(age(172_799), "47 h");
        assert_eq!(age(172_800), "2 d");
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_time("2000-02-29T12:30:15.999Z"), Some(951_827_415));
        assert_eq!(
            parse_time("2026-11-21T08:53:00.123456Z"),
            Some(1_795_251_180)
        );
        assert_eq!(parse_time("2026-11-21T09:53:00+01:00"), Some(1_795_251_180));
        assert_eq!(parse_time("2026-11-21T03:23:00-0530"), Some(1_795_251_180));
        for wrong in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-01-01",
            "T",
            "2026-01-01Tx:yZ",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths = |year: i64| {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut expected = 0;
        for year in 1970..2110 {
            for (month, length) in lengths(year).into_iter().enumerate() {
                for day in 1..=length {
                    assert_eq!(days(year, month as i64 + 1, day), expected);
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn ago_of_nothing_is_empty() {
        assert_eq!(ago(None, 5), "");
        assert_eq!(ago(Some("rubbish"), 5), "");
        assert_eq!(ago(Some("1970-01-01T00:00:00Z"), 120_000), "2 min");
    }
}

use super::*;
use chrono::NaiveDate;
use proptest::prelude::*;

fn parse(text: &str) -> Expression {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn mistakes_are_placed() {
    let table = [
        ("", 1, "five fields"),
        ("* * * *", 1, "not 4"),
        ("* * * * * * *", 1, "not 7"),
        ("@daily", 1, "@daily"),
        ("60 * * * *", 1, "the minute must be 0 to 59, not `60`"),
        ("0 24 * * *", 3, "the hour must be 0 to 23"),
        ("0  24 * * *", 4, "the hour must be 0 to 23"),
        ("0 0 0 * *", 5, "the day of month must be 1 to 31"),
        ("0 0 1 13 *", 7, "the month must be 1 to 12 or JAN to DEC"),
        ("0 0 1 JAN1 *", 7, "not `JAN1`"),
        ("0 0 * * 8", 9, "0 to 7 or SUN to SAT"),
        ("0 0 * * MONTUE", 9, "not `MONTUE`"),
        ("0 0 * * MON,", 13, "the day of week is missing"),
        (",", 1, "five fields"),
        (", 0 * * *", 1, "the minute is missing"),
        ("1,,2 0 * * *", 3, "the minute is missing"),
        ("1,*,2 0 * * *", 3, "stands alone"),
        ("0/5 * * * *", 1, "a step needs"),
        ("*/0 * * * *", 3, "the step must be 1 to 59"),
        ("*/60 * * * *", 3, "the step must be 1 to 59"),
        ("* */24 * * *", 5, "the step must be 1 to 23"),
        ("*/5/5 * * * *", 3, "the step must be"),
        ("10-5 * * * *", 1, "backwards"),
        ("0 0 * * FRI-MON", 9, "backwards"),
        ("10- * * * *", 4, "not ``"),
        ("0 0 * * MON#6", 13, "1 to 5"),
        ("0 0 * * +", 10, "missing"),
        ("+1 0 * * *", 1, "the minute"),
        ("? 0 * * *", 1, "the minute"),
        ("0 0 32W * *", 5, "the day of month"),
        ("L 0 * * *", 1, "the minute"),
        ("0 0 * * é", 9, "not `é`"),
        ("99999999999 0 * * *", 1, "the minute"),
        ("-1 0 * * *", 1, "the minute"),
    ];
    for (text, at, says) in table {
        let error = text.parse::<Expression>().expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.says.contains(says), "{text}: {error}");
    }
    let long = "1,".repeat(200);
    assert_eq!(long.parse::<Expression>().unwrap_err().at, EXPRESSION_CHARS_MAX + 1);
}

/// The next three times after Thursday, 2026-01-01 00:00.
#[test]
fn fields_mean_what_they_mean_everywhere() {
    let table = [
        ("0 2 * * *", ["01-01 02:00:00", "01-02 02:00:00", "01-03 02:00:00"]),
        ("30 0 2 * * *", ["01-01 02:00:30", "01-02 02:00:30", "01-03 02:00:30"]),
        ("*/20 * * * *", ["01-01 00:20:00", "01-01 00:40:00", "01-01 01:00:00"]),
        ("5-15/5 3 * * *", ["01-01 03:05:00", "01-01 03:10:00", "01-01 03:15:00"]),
        ("0 3 * * SUN", ["01-04 03:00:00", "01-11 03:00:00", "01-18 03:00:00"]),
        ("0 3 * * 7", ["01-04 03:00:00", "01-11 03:00:00", "01-18 03:00:00"]),
        ("0 3 * * fri-sun", ["01-02 03:00:00", "01-03 03:00:00", "01-04 03:00:00"]),
        ("0 3 1 * *", ["01-01 03:00:00", "02-01 03:00:00", "03-01 03:00:00"]),
        ("0 3 L * ?", ["01-31 03:00:00", "02-28 03:00:00", "03-31 03:00:00"]),
        ("0 3 LW * *", ["01-30 03:00:00", "02-27 03:00:00", "03-31 03:00:00"]),
        ("0 3 3W * *", ["01-02 03:00:00", "02-03 03:00:00", "03-03 03:00:00"]),
        ("0 3 * * MON#1", ["01-05 03:00:00", "02-02 03:00:00", "03-02 03:00:00"]),
        ("0 3 * * FRIL", ["01-30 03:00:00", "02-27 03:00:00", "03-27 03:00:00"]),
        // Either day counts; with + both are needed.
        ("0 3 13 * FRI", ["01-02 03:00:00", "01-09 03:00:00", "01-13 03:00:00"]),
        ("0 3 13 * +FRI", ["02-13 03:00:00", "03-13 03:00:00", "11-13 03:00:00"]),
        ("0 3 1 DEC,FEB *", ["02-01 03:00:00", "12-01 03:00:00", "02-01 03:00:00"]),
    ];
    for (text, expected) in table {
        let expression = parse(text);
        let mut at = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        let seen = expected.map(|_| {
            at = expression.next(at, false).unwrap();
            at.format("%m-%d %H:%M:%S").to_string()
        });
        assert_eq!(seen, expected, "{text}");
    }
}

#[test]
fn times_are_named_unless_a_star_or_step_stands_in_them() {
    for (text, names) in [
        ("0 2 * * *", true),
        ("0 2,14 * * *", true),
        ("0-10 9-17 */2 * 1-5", true),
        ("15 0 2 * * *", true),
        ("* 2 * * *", false),
        ("0 * * * *", false),
        ("0 */2 * * *", false),
        ("0 0-12/2 * * *", false),
        ("* 0 2 * * *", false),
    ] {
        assert_eq!(parse(text).names_times(), names, "{text}");
    }
}

#[test]
fn what_never_comes_is_found_out_quickly() {
    let from = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    assert_eq!(parse("0 0 30 2 *").next(from, false), None);
    assert_eq!(parse("0 0 30 2 +MON").next(from, false), None);
    assert_eq!(parse("0 0 31 4,6,9,11 *").next(from, false), None);
    let leap_monday = parse("0 0 29 2 +MON").next(from, false).unwrap();
    assert_eq!(leap_monday.to_string(), "2044-02-29 00:00:00");
}

#[test]
fn spaces_are_told_apart_from_words() {
    assert_eq!(parse("  0\t2 *  * * ").as_str(), "0 2 * * *");
    assert_eq!(parse("0 2 * * *"), parse(" 0 2 * * *"));
}

proptest! {
    #[test]
    fn any_text_is_an_expression_or_a_placed_mistake(text in "[-0-9*/,#LW?+@ A-Zé]{0,40}") {
        if let Err(error) = text.parse::<Expression>() {
            prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1, "{text:?}: {error}");
            prop_assert!(!error.says.starts_with("cannot be read"), "only croner minds {text:?}: {error}");
        }
    }

    #[test]
    fn any_fields_make_an_expression_or_a_placed_mistake(
        fields in prop::collection::vec("([0-9]{1,2}|\\*)([-/,][0-9]{1,2}){0,3}|[A-Z]{3}(-[A-Z]{3})?|[0-9]L|[0-9]#[0-9]|LW?|[0-9]W", 5..=6)
    ) {
        let text = fields.join(" ");
        if let Err(error) = text.parse::<Expression>() {
            prop_assert!(!error.says.starts_with("cannot be read"), "only croner minds {text:?}: {error}");
        }
    }
}

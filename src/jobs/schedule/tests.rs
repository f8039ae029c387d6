use super::*;
use jiff::tz::AmbiguousOffset;
use std::collections::BTreeSet;
use std::iter::successors;

/// The next `count` firings from a time on, as the zone's clocks show them.
fn firings(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let mut at = DateTime::parse_from_rfc3339(from).unwrap().timestamp_millis();
    let schedule = Schedule::parse(Some(cron), Some(zone), None, at).unwrap();
    let zone = zones::zone(zone).unwrap();
    let next = || {
        at = schedule.next_after(at)?;
        let time = Timestamp::from_millisecond(at).ok()?.to_zoned_datetime(zone.clone());
        Some(time.strftime("%m-%d %H:%M:%S %z").to_string())
    };
    std::iter::from_fn(next).take(count).collect()
}

fn refused(cron: Option<&str>, zone: Option<&str>, every_ms: Option<i64>) -> ScheduleError {
    Schedule::parse(cron, zone, every_ms, 1_790_000_000_000).unwrap_err()
}

#[test]
fn workdays_at_eight_in_berlin() {
    // From a Thursday on.
    assert_eq!(
        firings("0 8 * * 1-5", "Europe/Berlin", "2026-11-19T12:00:00Z", 3),
        ["11-20 08:00:00 +0100", "11-23 08:00:00 +0100", "11-24 08:00:00 +0100"]
    );
}

#[test]
fn seconds_names_lists_and_nicknames() {
    assert_eq!(
        firings("*/20 * * * * *", "UTC", "2026-11-19T12:00:59.999Z", 3),
        ["11-19 12:01:00 +0000", "11-19 12:01:20 +0000", "11-19 12:01:40 +0000"]
    );
    assert_eq!(
        firings("15,45 6 * jan mon", "UTC", "2026-12-31T00:00:00Z", 2),
        ["01-04 06:15:00 +0000", "01-04 06:45:00 +0000"]
    );
    assert_eq!(
        firings("@hourly", "Asia/Kolkata", "2026-11-19T12:00:00Z", 1),
        ["11-19 18:00:00 +0530"]
    );
    assert_eq!(
        firings("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1),
        ["02-29 00:00:00 +0000"]
    );
}

#[test]
fn the_time_that_was_asked_about_is_not_its_own_next() {
    let start = 1_790_000_000_000 / 60_000 * 60_000;
    let minutely = Schedule::parse(Some("* * * * *"), None, None, start).unwrap();
    assert_eq!(minutely.next_after(start), Some(start + 60_000));
    assert_eq!(minutely.next_after(start - 1), Some(start));
    assert_eq!(minutely.next_after(start + 1), Some(start + 60_000));
}

#[test]
fn a_skipped_hour_fires_once_after_the_gap() {
    // On 29 March 2026 Berlin goes from 02:00 to 03:00.
    assert_eq!(
        firings("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30:00 +0100", "03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]
    );
    assert_eq!(
        firings("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 2),
        ["03-29 03:00:00 +0200", "03-29 03:30:00 +0200"]
    );
    // So do lists and ranges, and several times in one gap once.
    assert_eq!(
        firings("30 2,14 * * *", "Europe/Berlin", "2026-03-28T14:00:00Z", 3),
        ["03-29 03:00:00 +0200", "03-29 14:30:00 +0200", "03-30 02:30:00 +0200"]
    );
    assert_eq!(
        firings("15,45 1-3 * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 4),
        [
            "03-29 01:45:00 +0100",
            "03-29 03:00:00 +0200",
            "03-29 03:15:00 +0200",
            "03-29 03:45:00 +0200"
        ]
    );
    assert_eq!(
        firings("0 2-3 * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 2),
        ["03-29 03:00:00 +0200", "03-30 02:00:00 +0200"]
    );
    // A `*` in the minutes, hours or seconds follows the clock on the wall.
    for cron in ["*/15 2 * * *", "30 */2 * * *", "*/10 30 2 * * *"] {
        let next = firings(cron, "Europe/Berlin", "2026-03-29T00:59:00Z", 1);
        assert!(!next[0].starts_with("03-29 03:00"), "{cron}: {next:?}");
    }
}

#[test]
fn a_doubled_hour_fires_once_unless_the_expression_follows_local_time() {
    // On 25 October 2026 Berlin goes from 03:00 back to 02:00.
    assert_eq!(
        firings("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]
    );
    assert_eq!(
        firings("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 5),
        [
            "10-25 02:00:00 +0200",
            "10-25 02:30:00 +0200",
            "10-25 02:00:00 +0100",
            "10-25 02:30:00 +0100",
            "10-25 03:00:00 +0100"
        ]
    );
    assert_eq!(
        firings("30 2,14 * * *", "Europe/Berlin", "2026-10-24T13:00:00Z", 3),
        ["10-25 02:30:00 +0200", "10-25 14:30:00 +0100", "10-26 02:30:00 +0100"]
    );
    assert_eq!(
        firings("0,30 1-3 * * *", "Europe/Berlin", "2026-10-25T00:40:00Z", 3),
        ["10-25 03:00:00 +0100", "10-25 03:30:00 +0100", "10-26 01:00:00 +0100"]
    );
    assert_eq!(
        firings("@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
        ["10-25 02:00:00 +0200", "10-25 02:00:00 +0100", "10-25 03:00:00 +0100"]
    );
    // By half an hour, as the clocks of Lord Howe go.
    assert_eq!(
        firings("15,45 1 * * *", "Australia/Lord_Howe", "2026-04-04T13:00:00Z", 3),
        ["04-05 01:15:00 +1100", "04-05 01:45:00 +1100", "04-06 01:15:00 +1030"]
    );
}

/// Held against jiff's own resolution of times on the wall.
#[test]
fn each_fixed_time_of_each_day_fires_once_in_every_zone() {
    let (start, end) = ("2026-01-01T12:00:00Z", "2027-01-31T12:00:00Z");
    let [start, end] = [start, end].map(|time| time.parse::<Timestamp>().unwrap());
    for name in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Tokyo",
    ] {
        let zone = zones::zone(name).unwrap();
        let (cron, times) = ("0,30 1-3 * * *", [(1, 0), (1, 30), (2, 0), (2, 30), (3, 0), (3, 30)]);
        let first = start.to_zoned_datetime(zone.clone()).date();
        let expected: BTreeSet<i64> = (0..400)
            .flat_map(|day| times.map(|(hour, minute)| (first + jiff::Span::new().days(day)).at(hour, minute, 0, 0)))
            .map(|on_the_wall| {
                let time = zone.to_ambiguous_timestamp(on_the_wall);
                let at = time.compatible().unwrap();
                match time.offset() {
                    AmbiguousOffset::Gap { .. } => {
                        let later = Timestamp::from_millisecond(at.as_millisecond() + 1).unwrap();
                        zone.preceding(later).next().unwrap().timestamp()
                    }
                    _ => at,
                }
            })
            .map(Timestamp::as_millisecond)
            .filter(|at| (start.as_millisecond() + 1..end.as_millisecond()).contains(at))
            .collect();
        let schedule = Schedule::parse(Some(cron), Some(name), None, start.as_millisecond()).unwrap();
        let next = |at: &i64| schedule.next_after(*at);
        let fired: BTreeSet<i64> = successors(next(&start.as_millisecond()), next)
            .take_while(|at| *at < end.as_millisecond())
            .collect();
        assert_eq!(fired, expected, "{name}");
    }
}

#[test]
fn firings_only_go_forward_around_every_change_of_the_clocks() {
    for zone in [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "UTC",
    ] {
        for cron in [
            "30 2 * * *",
            "0 3 * * *",
            "*/7 1-3 * * *",
            "59 59 1 * * *",
            "0 2 * * 0",
            "0,30 1-3 * * *",
        ] {
            let start = 1_772_000_000_000; // February 2026
            let schedule = Schedule::parse(Some(cron), Some(zone), None, start).unwrap();
            let mut at = start;
            for _ in 0..300 {
                let next = schedule.next_after(at).unwrap();
                assert!(next > at, "{cron} in {zone}: {at} then {next}");
                // A call in between returns the same.
                assert_eq!(schedule.next_after(next - 1), Some(next), "{cron} in {zone}");
                at = next;
            }
        }
    }
}

#[test]
fn an_interval_counts_from_its_own_start() {
    let schedule = Schedule::parse(None, None, Some(60_000), 1_000).unwrap();
    assert_eq!(schedule.next_after(1_000), Some(61_000));
    assert_eq!(schedule.next_after(60_999), Some(61_000));
    assert_eq!(schedule.next_after(61_000), Some(121_000));
    // The rhythm is the same before the start (where the clock was set back) and after a long outage.
    assert_eq!(schedule.next_after(-5_000_000), Some(1_000 - 83 * 60_000));
    assert_eq!(
        schedule.next_after(1_000 + 60_000 * 1_000_000 + 7),
        Some(1_000 + 60_000 * 1_000_001)
    );
    assert_eq!(schedule.next_after(i64::MAX), None);
}

#[test]
fn what_is_at_fault_is_named() {
    for (error, member) in [
        (refused(None, None, None), ""),
        (refused(Some("* * * * *"), None, Some(60_000)), ""),
        (refused(None, Some("Europe/Berlin"), Some(60_000)), "time_zone"),
        (refused(Some("* * * * *"), Some("Mars/Olympus"), None), "time_zone"),
        (refused(Some("* * * * *"), Some(""), None), "time_zone"),
        (refused(None, None, Some(999)), "every_ms"),
        (refused(None, None, Some(MAX_EVERY_MS + 1)), "every_ms"),
        (refused(None, None, Some(-1)), "every_ms"),
    ] {
        assert_eq!(error.member(), member, "{error}");
    }
    for cron in [
        "",
        " ",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a b c d e",
        "@never",
        "é * * * *",
        "\u{0} * * * *",
        "99999999999999999999 * * * *",
        &"1,".repeat(200),
    ] {
        let error = refused(Some(cron), None, None);
        assert!(matches!(error, ScheduleError::Cron(_)), "{cron:?}: {error:?}");
        assert_eq!(error.member(), "cron");
    }
}

#[test]
fn an_expression_without_a_firing_within_41_years_is_refused() {
    for never in [
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 12 31 2,4 *",
        // The first of a month is never its fifth Saturday.
        "0 0 1 * +6#5",
        "0 0 1W * +SAT",
        // Fields without a value.
        ", * * * *",
        "* , * * *",
        ", * * * * *",
        "* * , * *",
        "* * * , *",
    ] {
        assert_eq!(refused(Some(never), None, None), ScheduleError::Never, "{never}");
    }
    // Berlin skips this hour on each last Sunday of March.
    let skipped = "*/5 2 * 3 SUN#L";
    assert_eq!(
        refused(Some(skipped), Some("Europe/Berlin"), None),
        ScheduleError::Never
    );
    assert_eq!(
        firings(skipped, "UTC", "2026-03-29T01:00:00Z", 1),
        ["03-29 02:00:00 +0000"]
    );
}

/// Over 2100, which has no 29 February, 40 years pass.
#[test]
fn the_rarest_dates_fire() {
    for zone in ["UTC", "Europe/Berlin"] {
        let at = |year: i16| {
            let local = jiff::civil::date(year, 2, 29).at(12, 0, 0, 0);
            let time = zones::zone(zone).unwrap().to_ambiguous_timestamp(local);
            time.compatible().unwrap().as_millisecond()
        };
        for cron in ["0 12 29 2 +MON", "*/30 12 29 2 +1#5", "0 12 L 2 +MON#5"] {
            let schedule = Schedule::parse(Some(cron), Some(zone), None, at(2072)).unwrap();
            let last_of_the_day = at(2072) + 30 * 60_000;
            assert_eq!(schedule.next_after(last_of_the_day), Some(at(2112)), "{cron} in {zone}");
            assert_eq!(schedule.next_after(at(2072) - 1), Some(at(2072)), "{cron} in {zone}");
        }
    }
}

//! Suggestions for unknown names of parameters and members.

/// Longer names are not compared: none of ours is as long, and the comparison takes time in proportion to the product of both lengths.
const LONGEST: usize = 48;
/// How many characters of an unknown name an answer repeats.
const SHOWN: usize = 40;

/// Returns an unknown name as an answer may repeat it: short, and without control characters.
#[must_use]
pub fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// Returns the end of a sentence about an unknown name: the nearest known name, or all known names if none is near.
#[must_use]
pub fn hint(given: &str, known: &[&str]) -> String {
    if let Some(name) = nearest(given, known) {
        return format!("did you mean `{name}`?");
    }
    match known {
        [] => "none is known here".to_owned(),
        known => format!("known are `{}`", known.join("`, `")),
    }
}

/// Returns the known name that is nearest to the given one, if one is near: equal except for case, `_` and `-`; else a few characters
/// apart; else a longer or shorter form of it (`latitude` for `lat`).
#[must_use]
pub fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    if given.len() > LONGEST {
        return None;
    }
    let given = folded(given);
    let near = known
        .iter()
        .filter_map(|name| Some((edits(&given, &folded(name))?, *name)));
    let form = || {
        known.iter().find(|name| {
            let name = folded(name);
            let shorter = name.len().min(given.len());
            shorter >= 3 && name[..shorter] == given[..shorter]
        })
    };
    near.min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
        .or_else(|| form().copied())
}

fn folded(name: &str) -> Vec<u8> {
    let bytes = name.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
    bytes.map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Returns how many characters have to be removed and inserted to turn `a` into `b`. Returns `None` if that is more than a quarter of
/// both lengths and more than 2 (so that `lng` is nearer to `lon` than to `lat`).
fn edits(a: &[u8], b: &[u8]) -> Option<usize> {
    let both = a.len() + b.len();
    let allowed = if both < 5 { 1 } else { (both / 4).max(2) };
    if a.is_empty() || b.is_empty() || a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    // Length of the longest common subsequence with each prefix of `b`.
    let mut common = vec![0; b.len() + 1];
    for from in a {
        let mut diagonal = 0;
        for (j, to) in b.iter().enumerate() {
            let above = common[j + 1];
            common[j + 1] = if from == to { diagonal + 1 } else { above.max(common[j]) };
            diagonal = above;
        }
    }
    let edits = both - 2 * common.last()?;
    (edits <= allowed).then_some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 9] = [
        "lat",
        "lon",
        "radius_m",
        "limit",
        "max_age_s",
        "min_capacity",
        "source",
        "status",
        "vehicle_type",
    ];

    #[test]
    fn the_nearest_name_is_found() {
        for (given, meant) in [
            ("lng", "lon"),
            ("long", "lon"),
            ("longitude", "lon"),
            ("latitude", "lat"),
            ("LAT", "lat"),
            ("statuses", "status"),
            ("Status", "status"),
            ("vehicleType", "vehicle_type"),
            ("vehicle-type", "vehicle_type"),
            ("VEHICLETYPE", "vehicle_type"),
            ("vehicle_types", "vehicle_type"),
            ("radius", "radius_m"),
            ("radius_km", "radius_m"),
            ("maxAge", "max_age_s"),
            ("limits", "limit"),
            ("minCapacity", "min_capacity"),
        ] {
            assert_eq!(nearest(given, &KNOWN), Some(meant), "{given}");
        }
    }

    #[test]
    fn a_name_that_is_near_none_names_all() {
        for given in ["", "_", "x", "seats", "q", "\u{1F695}", &"lat".repeat(10_000)] {
            assert_eq!(nearest(given, &KNOWN), None, "{given:.20}");
            assert!(
                hint(given, &KNOWN).starts_with("known are `lat`, `lon`, "),
                "{given:.20}"
            );
        }
        assert_eq!(hint("x", &[]), "none is known here");
    }

    #[test]
    fn what_is_repeated_is_short_and_has_no_control_characters() {
        assert_eq!(shown("a\u{1b}[2J\nb"), "a[2Jb");
        assert_eq!(shown(&"é".repeat(10_000)).chars().count(), SHOWN);
    }
}

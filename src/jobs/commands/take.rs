use super::{Target, Words, not_understood, script};
use crate::clock::whole_ms;
use crate::ids::Id;
use crate::jobs::check::MAX_ERROR;
use crate::jobs::error::JobsError;
use crate::jobs::id::{JobId, LeaseToken};
use crate::jobs::model::{End, LeaseRequest, Leased, Retry, SettleOutcome, Settlement, State};
use crate::jobs::record::{Spec, on_one_line};
use crate::runtime::{Panicked, Room, apart};
use crate::store::{Script, StoreError};
use redis::Cmd;
use serde_json::value::RawValue;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

static LEASE: LazyLock<Script> = script!("lease", "within", "promote", "reclaim" ["sizes", "record", "due", "forget", "ends", "tail", "attempt", "reclaim"], "line");
static SETTLE: LazyLock<Script> = script!("settle", "sizes", "forget", "tail", "within", "promote", "reclaim" ["record", "due", "ends", "attempt", "reclaim"], "number_new_types" ["types", "new_types"], "end_lease" ["record", "due", "job", "ends", "attempt", "end_lease"], "line");

/// Ends of one call that read the job as it was put in, with its payload: all but completions. Redis's Lua takes some 8 ms a MiB.
const MOST_HEAVY: usize = 64;

/// What came of asking for jobs.
#[derive(Debug, Default)]
pub(in crate::jobs) struct Taken {
    pub jobs: Vec<Leased>,
    /// Where there are none: how long from when Redis was asked until something is due, if anything is.
    pub due_in: Option<Duration>,
    /// The memory for them.
    pub room: Option<Room>,
}

impl Taken {
    /// Reads what is left of an answer: many jobs on another thread.
    async fn read_all(mut words: Words, queue: &Id, token: LeaseToken, lease: Duration) -> Result<Self, StoreError> {
        let (bytes, queue) = (words.bytes(), queue.clone());
        apart(bytes, move || Self::read(&mut words, &queue, token, lease))
            .await
            .map_err(|Panicked| StoreError::Interrupted)?
    }

    fn read(words: &mut Words, queue: &Id, token: LeaseToken, lease: Duration) -> Result<Self, StoreError> {
        let now = words.number()?;
        if words.left() == 0 {
            return Ok(Self::default());
        }
        let due = words.number()?;
        let due_in = (due > 0).then(|| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)));
        let mut jobs = Vec::with_capacity(words.left() / 3);
        while words.left() > 0 {
            let id = JobId::of(queue, &words.text()?);
            let attempt = u32::try_from(words.number()?).map_err(|_too_large| not_understood())?;
            let text = words.text()?;
            let spec = Spec::read(&text)?;
            let lasts = if spec.timeout.is_zero() {
                lease
            } else {
                lease.min(spec.timeout)
            };
            let kind = spec.kind.into();
            let (priority, max_attempts, timeout) = (spec.priority, spec.max_attempts, spec.timeout);
            let (created_ms, run_at_ms) = (spec.created_ms, spec.since_ms);
            let payload = RawValue::from_string(spec.payload.to_owned()).map_err(|_no_json| not_understood())?;
            jobs.push(Leased {
                id,
                kind,
                payload,
                priority,
                attempt,
                max_attempts,
                timeout,
                created_ms,
                run_at_ms,
                token,
                lease_expires_at: now + i64::try_from(lasts.as_millis()).unwrap_or(0),
            });
        }
        Ok(Self {
            jobs,
            due_in,
            room: None,
        })
    }
}

/// What is wanted, how many bytes of it at most, under which token, and the name of the call.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Taking<'a> {
    pub request: &'a LeaseRequest,
    pub bytes: usize,
    pub token: LeaseToken,
    pub name: &'a str,
}

/// Leases what is ready. The request has been checked.
pub(in crate::jobs) async fn lease(target: Target<'_>, taking: Taking<'_>) -> Result<Taken, JobsError> {
    let Taking {
        request,
        bytes,
        token,
        name,
    } = taking;
    let words = target
        .change(&LEASE, 5 + request.kinds.len(), 96, |call| {
            call.arg(token.as_str()).arg(request.count).arg(whole_ms(request.lease));
            call.arg(name).arg(bytes);
            kinds(call, request);
        })
        .await?;
    Ok(Taken::read_all(words, target.queue, token, request.lease).await?)
}

/// Ends leases, and leases what is ready if that is asked for and any of the ends holds. Both have been checked.
pub(in crate::jobs) async fn settle(
    target: Target<'_>,
    settlements: &[Settlement],
    next: Option<Taking<'_>>,
) -> Result<(Vec<SettleOutcome>, Taken), JobsError> {
    let (mut outcomes, mut rest) = (Vec::with_capacity(settlements.len()), settlements);
    while let Some((piece, more)) = too_heavy(rest) {
        outcomes.extend(settle_piece(target, piece, None, false).await?.0);
        rest = more;
    }
    let is_any_held = outcomes
        .iter()
        .any(|outcome| matches!(outcome, SettleOutcome::Settled(_)));
    let (told, taken) = settle_piece(target, rest, next, is_any_held).await?;
    outcomes.extend(told);
    Ok((outcomes, taken))
}

/// What a call has leased whose answer was lost, if it was the last one with its name and leased anything.
pub(in crate::jobs) async fn leased_by(
    target: Target<'_>,
    name: &str,
    token: LeaseToken,
) -> Result<Vec<JobId>, StoreError> {
    let mut look = redis::cmd("HGET");
    look.arg(target.link.store().keys().queue_calls(target.queue)).arg(name);
    let noted: Option<String> = target.link.query(&look).await?;
    let mut words = noted.as_deref().unwrap_or_default().split(' ');
    if words.next() != Some(token.as_str()) {
        return Ok(Vec::new());
    }
    Ok(words.map(|short| JobId::of(target.queue, short)).collect())
}

/// Parts settlements for which more whole jobs would be read, payloads and all, than one call may.
fn too_heavy(settlements: &[Settlement]) -> Option<(&[Settlement], &[Settlement])> {
    let is_heavy = |settlement: &Settlement| !matches!(settlement.end, End::Complete { .. });
    let mut heavy = settlements.iter().enumerate().filter(|(_, one)| is_heavy(one));
    let (last, _) = heavy.nth(MOST_HEAVY)?;
    Some(settlements.split_at(last))
}

async fn settle_piece(
    target: Target<'_>,
    settlements: &[Settlement],
    next: Option<Taking<'_>>,
    is_any_held: bool,
) -> Result<(Vec<SettleOutcome>, Taken), JobsError> {
    // Drawn once, so that a call that is made again says the same.
    let ends: Vec<String> = settlements.iter().map(|settlement| word(&settlement.end)).collect();
    let groups = groups(settlements, &ends);
    let bytes: usize = ends.iter().map(|end| 40 + end.len()).sum();
    let parts = 7 + next.map_or(0, |next| next.request.kinds.len()) + 2 * settlements.len() + 3 * groups.len();
    let mut words = target
        .change(&SETTLE, parts, bytes, |call| {
            match next {
                Some(Taking {
                    request,
                    bytes,
                    token,
                    name,
                }) => {
                    call.arg(token.as_str()).arg(request.count).arg(whole_ms(request.lease));
                    call.arg(request.kinds.len())
                        .arg(u8::from(is_any_held))
                        .arg(name)
                        .arg(bytes);
                    kinds(call, request);
                }
                None => {
                    call.arg("").arg(0).arg(0).arg(0).arg(0).arg("").arg(0);
                }
            }
            for group in &groups {
                call.arg(group.token.as_str());
                call.arg(if group.is_plain { "d" } else { "e" }).arg(group.range.len());
                for (settlement, end) in settlements[group.range.clone()].iter().zip(&ends[group.range.clone()]) {
                    call.arg(settlement.id.short());
                    if !group.is_plain {
                        call.arg(end);
                    }
                }
            }
        })
        .await?;
    let outcomes = words.text()?.chars().map(outcome).collect::<Result<_, _>>()?;
    let taken = match next {
        Some(next) => Taken::read_all(words, target.queue, next.token, next.request.lease).await?,
        None => Taken::default(),
    };
    Ok((outcomes, taken))
}

/// Settlements in a row with the same token, that all are completions without a result or all are something else: most are all
/// of one call's jobs, and so told in few words.
struct Group {
    token: LeaseToken,
    is_plain: bool,
    range: Range<usize>,
}

fn groups(settlements: &[Settlement], ends: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, (settlement, end)) in settlements.iter().zip(ends).enumerate() {
        let (token, is_plain) = (settlement.token, end.is_empty());
        match groups.last_mut() {
            Some(group) if group.token == token && group.is_plain == is_plain => group.range.end += 1,
            _ => groups.push(Group {
                token,
                is_plain,
                range: index..index + 1,
            }),
        }
    }
    groups
}

fn kinds(call: &mut Cmd, request: &LeaseRequest) {
    for kind in &request.kinds {
        call.arg(kind.as_str());
    }
}

fn outcome(letter: char) -> Result<SettleOutcome, StoreError> {
    if letter == '?' {
        return Ok(SettleOutcome::Unknown);
    }
    let state = State::from_letter(letter.to_ascii_lowercase()).ok_or_else(not_understood)?;
    Ok(if letter.is_ascii_lowercase() {
        SettleOutcome::Settled(state)
    } else {
        SettleOutcome::NotYours(state)
    })
}

/// An end as `lua/settle.lua` has it.
fn word(end: &End) -> String {
    match end {
        // Told by being in a group of such.
        End::Complete { result: None } => String::new(),
        End::Complete { result: Some(result) } => format!("c{}", on_one_line(result)),
        End::Release => "r".to_owned(),
        End::Fail { error, retry } => {
            let retry = match retry {
                Retry::Policy => format!("p{}", rand::random_range(0..1_000)),
                Retry::Never => "n0".to_owned(),
                Retry::After(delay) => format!("a{}", delay.as_millis()),
                Retry::AtLeast(delay) => format!("p{},{}", rand::random_range(0..1_000), delay.as_millis()),
                Retry::Uncounted(delay) => format!("u{}", delay.as_millis()),
            };
            let error = &error[..error.floor_char_boundary(MAX_ERROR)];
            // A text is always JSON, and has no line ends then.
            format!("f{retry} {}", serde_json::to_string(error).unwrap_or_default())
        }
        End::Then { kind, payload, delay } => {
            let payload = payload.as_deref().map(on_one_line).unwrap_or_default();
            format!(
                "t{} {}\n{payload}",
                delay.as_millis(),
                kind.as_deref().unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_written_as_the_script_reads_them() {
        let fail = |error: &str, retry| {
            word(&End::Fail {
                error: error.to_owned(),
                retry,
            })
        };
        assert_eq!(fail("a\n\"b\"", Retry::Never), r#"fn0 "a\n\"b\"""#);
        assert_eq!(fail("", Retry::After(Duration::from_secs(2))), "fa2000 \"\"");
        assert_eq!(fail("", Retry::Uncounted(Duration::from_secs(2))), "fu2000 \"\"");
        assert!(fail("x", Retry::Policy).starts_with("fp"));
        assert!(fail("x", Retry::AtLeast(Duration::from_secs(2))).ends_with(",2000 \"x\""));
        assert_eq!(fail(&"é".repeat(1_000), Retry::Never).len(), 4 + 1_000 + 2);
        let then = End::Then {
            kind: Some("next".into()),
            payload: None,
            delay: Duration::from_millis(5),
        };
        assert_eq!(word(&then), "t5 next\n");
    }
}

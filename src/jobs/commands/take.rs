use super::target::{Reply, Target, not_understood, script};
use crate::clock::whole_ms;
use crate::ids::Id;
use crate::jobs::error::JobsError;
use crate::jobs::id::{JobId, LeaseToken};
use crate::jobs::limits::MAX_ERROR;
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

/// Maximum number of ends in one call that read the spec of the job, with its payload: all but completions. Redis's Lua takes some 8 ms a MiB.
const MAX_HEAVY: usize = 64;

/// The result of a lease call.
#[derive(Debug, Default)]
pub(in crate::jobs) struct Taken {
    pub jobs: Vec<Leased>,
    /// If there is no job: the time from the call until the next job is due, if any.
    pub due_in: Option<Duration>,
    /// The memory for the jobs.
    pub room: Option<Room>,
}

impl Taken {
    /// Reads the rest of a reply: a large one on another thread.
    async fn read_all(mut reply: Reply, queue: &Id, token: LeaseToken, lease: Duration) -> Result<Self, StoreError> {
        let (bytes, queue) = (reply.bytes(), queue.clone());
        apart(bytes, move || Self::read(&mut reply, &queue, token, lease))
            .await
            .map_err(|Panicked| StoreError::Interrupted)?
    }

    fn read(reply: &mut Reply, queue: &Id, token: LeaseToken, lease: Duration) -> Result<Self, StoreError> {
        let now = reply.number()?;
        if reply.left() == 0 {
            return Ok(Self::default());
        }
        let due = reply.number()?;
        let due_in = (due > 0).then(|| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)));
        let mut jobs = Vec::with_capacity(reply.left() / 3);
        while reply.left() > 0 {
            let id = JobId::of(queue, &reply.text()?);
            let attempt = u32::try_from(reply.number()?).map_err(|_too_large| not_understood())?;
            let text = reply.text()?;
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

/// A lease call: the request, the maximum size of the records, the token, and the name of the call.
#[derive(Debug, Clone, Copy)]
pub(in crate::jobs) struct Taking<'a> {
    pub request: &'a LeaseRequest,
    pub bytes: usize,
    pub token: LeaseToken,
    pub name: &'a str,
}

/// Leases ready jobs. The request is valid.
pub(in crate::jobs) async fn lease(target: &Target, taking: Taking<'_>) -> Result<Taken, JobsError> {
    let Taking {
        request,
        bytes,
        token,
        name,
    } = taking;
    let reply = target
        .change(&LEASE, 5 + request.kinds.len(), 96, |call| {
            call.arg(token.as_str()).arg(request.count).arg(whole_ms(request.lease));
            call.arg(name).arg(bytes);
            kinds(call, request);
        })
        .await?;
    Ok(Taken::read_all(reply, &target.queue, token, request.lease).await?)
}

/// Ends leases, and leases ready jobs if requested and if any of the leases was held. Both arguments are valid.
pub(in crate::jobs) async fn settle(
    target: &Target,
    settlements: &[Settlement],
    next: Option<Taking<'_>>,
) -> Result<(Vec<SettleOutcome>, Taken), JobsError> {
    let (mut outcomes, mut rest) = (Vec::with_capacity(settlements.len()), settlements);
    while let Some((piece, more)) = split_heavy(rest) {
        outcomes.extend(settle_piece(target, piece, None, false).await?.0);
        rest = more;
    }
    let is_any_held = outcomes
        .iter()
        .any(|outcome| matches!(outcome, SettleOutcome::Settled(_)));
    let (last, taken) = settle_piece(target, rest, next, is_any_held).await?;
    outcomes.extend(last);
    Ok((outcomes, taken))
}

/// Releases leased jobs; the attempts do not count.
pub(in crate::jobs) async fn release(
    target: &Target,
    leased: impl Iterator<Item = (JobId, LeaseToken)>,
) -> Result<(), JobsError> {
    let release = |(id, token)| Settlement {
        id,
        token,
        end: End::Release,
    };
    let settlements: Vec<Settlement> = leased.map(release).collect();
    if settlements.is_empty() {
        return Ok(());
    }
    settle(target, &settlements, None).await.map(drop)
}

/// Returns the jobs that a call whose answer was lost has leased, if it is the last call of its name.
pub(in crate::jobs) async fn leased_by(
    target: &Target,
    name: &str,
    token: LeaseToken,
) -> Result<Vec<JobId>, StoreError> {
    let mut look = redis::cmd("HGET");
    look.arg(target.link.store().keys().queue_calls(&target.queue))
        .arg(name);
    let noted: Option<String> = target.link.query(&look).await?;
    let mut reply = noted.as_deref().unwrap_or_default().split(' ');
    if reply.next() != Some(token.as_str()) {
        return Ok(Vec::new());
    }
    Ok(reply.map(|short| JobId::of(&target.queue, short)).collect())
}

/// Splits settlements that would read more than [`MAX_HEAVY`] specs. Returns `None` if they need no split.
fn split_heavy(settlements: &[Settlement]) -> Option<(&[Settlement], &[Settlement])> {
    let is_heavy = |settlement: &Settlement| !matches!(settlement.end, End::Complete { .. });
    let mut heavy = settlements.iter().enumerate().filter(|(_, one)| is_heavy(one));
    let (last, _) = heavy.nth(MAX_HEAVY)?;
    Some(settlements.split_at(last))
}

async fn settle_piece(
    target: &Target,
    settlements: &[Settlement],
    next: Option<Taking<'_>>,
    is_any_held: bool,
) -> Result<(Vec<SettleOutcome>, Taken), JobsError> {
    // Encoded once, so that a repeated call draws the same jitter.
    let ends: Vec<String> = settlements
        .iter()
        .map(|settlement| encode_end(&settlement.end))
        .collect();
    let groups = groups(settlements, &ends);
    let bytes: usize = ends.iter().map(|end| 40 + end.len()).sum();
    let parts = 7 + next.map_or(0, |next| next.request.kinds.len()) + 2 * settlements.len() + 3 * groups.len();
    let mut reply = target
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
    let outcomes = reply.text()?.chars().map(outcome).collect::<Result<_, _>>()?;
    let taken = match next {
        Some(next) => Taken::read_all(reply, &target.queue, next.token, next.request.lease).await?,
        None => Taken::default(),
    };
    Ok((outcomes, taken))
}

/// Consecutive settlements with the same token, which are all completions without a result or all others. Most settlements are of jobs of
/// one call, so groups keep the number of arguments small.
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

/// Encodes an end as `lua/settle.lua` expects it.
fn encode_end(end: &End) -> String {
    match end {
        // The group says that it is a completion.
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
            // A string always serializes, without line ends.
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
            encode_end(&End::Fail {
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
        assert_eq!(encode_end(&then), "t5 next\n");
    }
}

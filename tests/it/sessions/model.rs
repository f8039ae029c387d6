//! Random calls in random order, compared with a model in memory. Times to live are short, so the possible answers to a call follow from
//! when it was sent and when it was answered.

use super::{embedded, new, settings};
use crate::support::{Redis, Scene, now_ms};
use fleetpulse::ids::ExternalId;
use fleetpulse::json::Object;
use fleetpulse::sessions::{Session, SessionError, Sessions, Times, Token};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::sleep;

const SUBJECTS: [&str; 2] = ["anna", "berta"];
const LIMIT: u16 = 3;
const GRACE_MS: u32 = 60;
const MAX_MS: i64 = 1_000;

#[derive(Debug, Clone)]
enum Call {
    Create {
        subject: usize,
        idle_ms: u64,
        absolute_ms: u64,
    },
    Validate(usize),
    Merge {
        token: usize,
        stale: bool,
    },
    Rotate(usize),
    Extend {
        token: usize,
        by_ms: u64,
    },
    SignOut(usize),
    EndAll {
        subject: usize,
        except: Option<usize>,
    },
    List(usize),
    Wait(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let token = 0..8_usize;
    let subject = 0..SUBJECTS.len();
    prop_oneof![
        4 => (subject.clone(), 40..200_u64, 60..400_u64)
            .prop_map(|(subject, idle_ms, absolute_ms)| Call::Create { subject, idle_ms, absolute_ms }),
        8 => token.clone().prop_map(Call::Validate),
        3 => (token.clone(), prop::bool::weighted(0.3)).prop_map(|(token, stale)| Call::Merge { token, stale }),
        3 => token.clone().prop_map(Call::Rotate),
        2 => (token.clone(), 1..300_u64).prop_map(|(token, by_ms)| Call::Extend { token, by_ms }),
        2 => token.clone().prop_map(Call::SignOut),
        1 => (subject.clone(), prop::option::of(token)).prop_map(|(subject, except)| Call::EndAll { subject, except }),
        2 => subject.prop_map(Call::List),
        4 => (5..60_u64).prop_map(Call::Wait),
    ]
}

/// A session in the model.
#[derive(Debug)]
struct Known {
    subject: usize,
    id: String,
    times: Times,
    version: u64,
    data: Map<String, Value>,
    /// Its tokens in their order; the last is valid.
    tokens: Vec<Given>,
    /// The latest of them that was used.
    used: usize,
    over: bool,
}

/// A token in the model.
#[derive(Debug)]
struct Given {
    token: Token,
    /// When it was replaced, at the earliest and the latest.
    replaced: Span,
    /// Whether a rotation has removed it after its grace period; otherwise it may be accepted until a later one is used.
    forgotten: Sure,
}

impl From<Token> for Given {
    fn from(token: Token) -> Self {
        Self {
            token,
            replaced: 0..=0,
            forgotten: Sure::No,
        }
    }
}

impl Given {
    /// Whether its grace period had ended at a time.
    fn is_past_grace(&self, span: &Span) -> Sure {
        let grace = i64::from(GRACE_MS);
        if *span.end() < self.replaced.start() + grace {
            Sure::No
        } else if *span.start() >= self.replaced.end() + grace {
            Sure::Yes
        } else {
            Sure::Perhaps
        }
    }
}

/// The certainty of the model about a fact that depends on the time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sure {
    Yes,
    No,
    Perhaps,
}

/// The possible answers of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Open,
    Unknown,
    Reused,
    /// It expired while the call was in progress.
    Any,
}

struct Model {
    sessions: Sessions,
    known: Vec<Known>,
}

/// The time in which a call was in progress.
type Span = RangeInclusive<i64>;

impl Known {
    /// Returns the possible answers to a call with one of its tokens that was in progress at this time.
    fn expects(&self, token: usize, span: &Span) -> Expected {
        if self.over || *span.start() > self.times.ends_ms {
            return Expected::Unknown;
        }
        if *span.end() >= self.times.ends_ms {
            return Expected::Any;
        }
        if token == self.tokens.len() - 1 {
            return Expected::Open;
        }
        let given = &self.tokens[token];
        match (given.is_past_grace(span), given.forgotten) {
            (Sure::No, _) => Expected::Open,
            (_, Sure::No) if token >= self.used => Expected::Open,
            (Sure::Yes, Sure::Yes) => Expected::Reused,
            (Sure::Yes, _) if token < self.used => Expected::Reused,
            _ => Expected::Any,
        }
    }

    /// Adds the token that replaced the one at this place.
    fn rotated(&mut self, token: usize, new: Token, span: &Span) {
        assert!(token >= self.used, "a later one was in use: {self:?}");
        let last = self.tokens.len() - 1;
        for (place, given) in self.tokens.iter_mut().enumerate() {
            let past_grace = if place == last {
                Sure::Yes
            } else {
                given.is_past_grace(span)
            };
            match (place == token || place == last, past_grace) {
                // Its grace period starts, for the first time or again.
                (true, Sure::Yes) => given.replaced = span.clone(),
                (true, Sure::Perhaps) => given.replaced = *given.replaced.start()..=*span.end(),
                (false, Sure::Yes) => given.forgotten = Sure::Yes,
                (false, Sure::Perhaps) if given.forgotten == Sure::No => given.forgotten = Sure::Perhaps,
                _ => {}
            }
        }
        self.tokens.push(new.into());
    }

    /// Compares the answer of a call with the possible ones, and adopts what the model cannot predict exactly.
    fn opened(&mut self, session: &Session, span: &Span, wrote: bool) {
        let (before, after) = (self.times, session.times);
        assert_eq!((session.id.as_str(), session.version), (&*self.id, self.version));
        assert_eq!(session.data.raw().get(), Value::Object(self.data.clone()).to_string());
        assert_eq!(
            (after.created_ms, after.idle_ttl_ms),
            (before.created_ms, before.idle_ttl_ms)
        );
        assert_eq!(after.absolute_ms, before.absolute_ms);
        // Whether the expiry is moved again after this time since the last move.
        let due = |now_ms: i64| 10 * (now_ms - before.seen_ms) >= before.idle_ttl_ms;
        if after.seen_ms == before.seen_ms && !wrote {
            assert!(!due(*span.start()), "{before:?} {span:?}");
            assert_eq!(after, before);
        } else {
            assert!(span.contains(&after.seen_ms), "{after:?} {span:?}");
            assert!(wrote || due(after.seen_ms), "{before:?} {after:?}");
            let ends_ms = before
                .ends_ms
                .max(after.seen_ms + after.idle_ttl_ms)
                .min(after.absolute_ms);
            assert_eq!(after.ends_ms, ends_ms, "{before:?} {after:?}");
        }
        self.times = after;
    }
}

impl Model {
    /// Returns the session and its token that a number selects: one of the newest few, so that calls meet.
    fn token(&self, number: usize) -> Option<(usize, usize)> {
        let tokens = self.known.iter().enumerate().rev();
        tokens
            .flat_map(|(session, known)| (0..known.tokens.len()).rev().take(3).map(move |token| (session, token)))
            .nth(number)
    }

    /// Checks the outcome of a call with a token. Returns the session, if the call was accepted.
    fn settle<T>(&mut self, at: (usize, usize), span: &Span, answer: Result<T, SessionError>) -> Option<T> {
        let known = &mut self.known[at.0];
        let expected = known.expects(at.1, span);
        let (seen, value) = match answer {
            Ok(value) => (Expected::Open, Some(value)),
            Err(SessionError::Unknown) => (Expected::Unknown, None),
            Err(SessionError::Reused) => (Expected::Reused, None),
            Err(error) => panic!("{error:?}"),
        };
        assert!(
            expected == seen || expected == Expected::Any,
            "{expected:?}, not {seen:?}: {known:?} {span:?}"
        );
        known.over |= seen != Expected::Open;
        if seen == Expected::Open {
            known.used = known.used.max(at.1);
        }
        value
    }

    async fn run(&mut self, call: &Call) {
        match *call {
            Call::Wait(ms) => sleep(Duration::from_millis(ms)).await,
            Call::Create {
                subject,
                idle_ms,
                absolute_ms,
            } => self.create(subject, idle_ms, absolute_ms).await,
            Call::EndAll { subject, except } => self.end_all(subject, except).await,
            Call::List(subject) => self.list(subject).await,
            Call::Validate(n)
            | Call::Merge { token: n, .. }
            | Call::Rotate(n)
            | Call::Extend { token: n, .. }
            | Call::SignOut(n) => {
                if let Some(at) = self.token(n) {
                    self.with_token(call, at).await;
                }
            }
        }
    }

    async fn with_token(&mut self, call: &Call, at: (usize, usize)) {
        let sessions = self.sessions.clone();
        let token = self.known[at.0].tokens[at.1].token.clone();
        let start = now_ms();
        match *call {
            Call::Validate(_) => {
                let answer = sessions.validate(&token).await;
                let span = start..=now_ms();
                if let Some(session) = self.settle(at, &span, answer) {
                    self.known[at.0].opened(&session, &span, false);
                }
            }
            Call::Merge { stale, .. } => {
                let known = &self.known[at.0];
                let (version, name) = (known.version - u64::from(stale), format!("n{}", known.version));
                let patch = to_raw_value(&json!({ name.as_str(): 1 })).unwrap();
                let patch = Object::read(&patch, 1).unwrap();
                let answer = sessions.merge(&token, version, patch).await;
                let span = start..=now_ms();
                if let Err(SessionError::Conflict { version }) = answer {
                    assert!(stale && version == self.known[at.0].version);
                    // It was a use, which may have moved the expiry.
                    let answer = sessions.validate(&token).await;
                    let span = start..=now_ms();
                    if let Some(session) = self.settle(at, &span, answer) {
                        self.known[at.0].opened(&session, &span, false);
                    }
                } else if let Some(session) = self.settle(at, &span, answer) {
                    assert!(!stale);
                    let known = &mut self.known[at.0];
                    known.version += 1;
                    known.data.insert(name, json!(1));
                    known.opened(&session, &span, true);
                }
            }
            Call::Rotate(_) => {
                let answer = sessions.rotate(&token).await;
                let span = start..=now_ms();
                let known = &self.known[at.0];
                match &answer {
                    Err(SessionError::Superseded) => {
                        assert!(at.1 < known.used && known.expects(at.1, &span) != Expected::Reused);
                        return;
                    }
                    Err(SessionError::TooManyRotations { .. }) => {
                        let replaced = known.tokens.iter().rev().skip(1);
                        let accepted = replaced.filter(|given| given.is_past_grace(&span) != Sure::Yes);
                        assert!(accepted.count() >= 7, "{known:?}");
                        return;
                    }
                    _ => {}
                }
                if let Some((new, session)) = self.settle(at, &span, answer) {
                    let known = &mut self.known[at.0];
                    known.rotated(at.1, new, &span);
                    known.opened(&session, &span, true);
                }
            }
            Call::Extend { by_ms, .. } => {
                let answer = sessions.extend(&token, Duration::from_millis(by_ms)).await;
                let span = start..=now_ms();
                if let Some(session) = self.settle(at, &span, answer) {
                    let (known, by_ms) = (&mut self.known[at.0], i64::try_from(by_ms).unwrap());
                    let times = &mut known.times;
                    times.absolute_ms = (times.absolute_ms + by_ms).min(times.created_ms + MAX_MS);
                    times.ends_ms = (times.ends_ms + by_ms).min(times.absolute_ms);
                    known.opened(&session, &span, true);
                }
            }
            _ => {
                let answer = sessions.sign_out(&token).await;
                let span = start..=now_ms();
                self.settle(at, &span, answer);
                self.known[at.0].over = true;
            }
        }
    }

    async fn create(&mut self, subject: usize, idle_ms: u64, absolute_ms: u64) {
        let start = now_ms();
        let (token, session) = self
            .sessions
            .create(&new(SUBJECTS[subject], idle_ms, absolute_ms))
            .await
            .unwrap();
        let span = start..=now_ms();
        let times = session.times;
        assert!(
            span.contains(&times.created_ms) && times.seen_ms == times.created_ms,
            "{times:?} {span:?}"
        );
        assert_eq!(
            times.absolute_ms - times.created_ms,
            i64::try_from(absolute_ms).unwrap()
        );
        assert_eq!(
            times.ends_ms - times.created_ms,
            i64::try_from(absolute_ms.min(idle_ms)).unwrap()
        );
        self.known.push(Known {
            subject,
            id: session.id.as_str().to_owned(),
            times,
            version: 1,
            data: Map::new(),
            tokens: vec![token.into()],
            used: 0,
            over: false,
        });
        self.evict(subject, times.created_ms).await;
    }

    /// At the limit the oldest of those that still existed at this time were ended.
    async fn evict(&mut self, subject: usize, at_ms: i64) {
        let mut there: Vec<&mut Known> = self
            .known
            .iter_mut()
            .filter(|known| known.subject == subject && !known.over)
            .collect();
        if there.iter().any(|known| (known.times.ends_ms - at_ms).abs() <= 2) {
            // Only Redis can decide whether a session existed in its last millisecond.
            let listed = self
                .sessions
                .list(&ExternalId::parse(SUBJECTS[subject]).unwrap())
                .await
                .unwrap();
            for known in there {
                known.over = listed.iter().all(|listed| listed.id.as_str() != known.id);
            }
            return;
        }
        there.retain(|known| known.times.ends_ms > at_ms);
        let over = there.len().saturating_sub(usize::from(LIMIT));
        for known in &mut there[..over] {
            known.over = true;
        }
    }

    async fn end_all(&mut self, subject: usize, except: Option<usize>) {
        let except = except.and_then(|n| self.token(n)).map(|(session, _)| session);
        let id = except.map(|session| self.known[session].tokens[0].token.id().to_owned());
        let id = id.and_then(|id| fleetpulse::sessions::SessionId::parse(&id));
        let anybody = ExternalId::parse(SUBJECTS[subject]).unwrap();
        self.sessions.end_all(&anybody, id.as_ref()).await.unwrap();
        for (session, known) in self.known.iter_mut().enumerate() {
            known.over |= known.subject == subject && except != Some(session);
        }
    }

    async fn list(&mut self, subject: usize) {
        let start = now_ms();
        let listed = self
            .sessions
            .list(&ExternalId::parse(SUBJECTS[subject]).unwrap())
            .await
            .unwrap();
        let end = now_ms();
        let mut listed = listed.iter().peekable();
        for known in self
            .known
            .iter()
            .filter(|known| known.subject == subject && !known.over)
        {
            let there = listed.next_if(|listed| listed.id.as_str() == known.id);
            if let Some(there) = there {
                assert_eq!(there.times, known.times);
                assert!(start <= known.times.ends_ms);
            } else {
                assert!(end >= known.times.ends_ms, "it is missing: {known:?}");
            }
        }
        assert!(listed.next().is_none(), "a session that has ended is listed");
    }
}

async fn run(redis: Arc<Redis>, calls: Vec<Call>) {
    let mut short = settings();
    (short.per_subject, short.rotation_grace_ms, short.max_ttl_s) = (LIMIT, GRACE_MS, 1);
    let mut model = Model {
        sessions: embedded(&Scene::on(redis), short).await,
        known: Vec::new(),
    };
    for call in calls {
        model.run(&call).await;
    }
}

#[test]
fn any_sequence_of_calls_matches_the_model() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let redis = runtime.block_on(Redis::shared());
    let config = Config {
        cases: 40,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let calls = prop::collection::vec(call(), 10..60);
    let held = TestRunner::new(config).run(&calls, |calls| {
        runtime.block_on(run(Arc::clone(&redis), calls));
        Ok(())
    });
    held.unwrap();
}

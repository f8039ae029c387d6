//! The scripts of the sessions slice, each as one typed function. All keys of a call share a slot.

use super::keys::SessionPartition;
use super::model::{Data, Listed, NewSession, Session, Times};
use super::reply::{Refusal, Reply, id, session_id};
use super::token::{SessionId, Token};
use crate::clock;
use crate::ids::ExternalId;
use crate::once::Once;
use crate::store::{Link, Script, StoreError};
use redis::Cmd;
use std::sync::LazyLock;
use std::time::Duration;

/// The length of the windows in which sessions in use are counted. A count is kept for two windows.
const USED_WINDOW: Duration = Duration::from_mins(5);

/// The maximum number of sessions of a partition that one count checks.
const MOST_RECOUNTED: usize = 500;

const CLOCK: &str = include_str!("lua/clock.lua");
const HELD: &str = concat!(include_str!("lua/clock.lua"), include_str!("lua/held.lua"));

macro_rules! script {
    ($name:literal, $include:expr) => {
        LazyLock::new(|| Script::new($name, $include, include_str!(concat!("lua/", $name, ".lua"))))
    };
}

static CREATE: LazyLock<Script> = script!("create", CLOCK);
static VALIDATE: LazyLock<Script> = script!("validate", HELD);
static WRITE_DATA: LazyLock<Script> = script!("write_data", HELD);
static ROTATE: LazyLock<Script> = script!("rotate", HELD);
static EXTEND: LazyLock<Script> = script!("extend", HELD);
static SIGN_OUT: LazyLock<Script> = script!("sign_out", HELD);
static END_SESSIONS: LazyLock<Script> = script!("end_sessions", CLOCK);
static LIST: LazyLock<Script> = script!("list", CLOCK);
static COUNT: LazyLock<Script> = script!("count", CLOCK);
static RECOUNT: LazyLock<Script> = script!("recount", CLOCK);

/// The result of creating a session.
#[derive(Debug)]
pub(super) enum Created {
    /// It was created.
    Done(Times),
    /// Not created: the subject has too many sessions. These are all of them; the next attempt must name them.
    Full(Vec<SessionId>),
    /// Not created: a call with the same idempotency key created this session; the next attempt must name it.
    Before(SessionId),
    /// Not created: the idempotency key was used with another body.
    Differs,
}

/// The times to live of a session, milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) idle_ms: i64,
    pub(super) absolute_ms: i64,
}

/// The idempotency key of a creation, and the session that an earlier call with it created, if it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeated<'a> {
    pub(super) once: &'a Once,
    pub(super) before: Option<&'a SessionId>,
}

/// Creates a session with this token. To make room it may end the oldest of `known`; it ends what an earlier call with the same
/// idempotency key created.
pub(super) async fn create(
    link: &Link,
    token: &Token,
    new: &NewSession,
    lifetimes: Lifetimes,
    limit: u16,
    known: &[SessionId],
    repeated: Option<Repeated<'_>>,
) -> Result<Created, StoreError> {
    let keys = link.store().keys();
    let partition = token.partition();
    // A device that another program wrote may contain line breaks, which separate values in replies.
    let about = serde_json::to_string(&new.about)
        .map_err(|error| StoreError::Answer(error.to_string()))?
        .replace('\n', " ");
    let index = keys.sessions_of(&new.subject);
    let once = repeated.map(|repeated| repeated.once);
    let before = repeated.and_then(|repeated| repeated.before);
    let before_id = before.map_or(token.id(), SessionId::as_str);
    let mut call = CREATE.call(6 + known.len(), 18 + 2 * known.len(), 768);
    call.arg(&index)
        .arg(used_now(link, partition))
        .arg(keys.session(partition, token.id()))
        .arg(once.map_or(index, |once| keys.session_once(partition, &once.name)))
        .arg(keys.session(partition, before_id))
        .arg(keys.sessions_open(partition));
    push_sessions(&mut call, link, partition, known);
    call.arg(token.id())
        .arg(token.sha256())
        .arg(token.family_sha256())
        .arg(new.subject.as_str())
        .arg(about)
        .arg(new.data.raw().get())
        .arg(lifetimes.idle_ms)
        .arg(lifetimes.absolute_ms)
        .arg(limit)
        .arg(once.map_or("", |once| &once.body))
        .arg(milliseconds(Once::KEPT))
        .arg(before.map_or("", SessionId::as_str));
    push_ids(&mut call, known);
    let reply: String = link.run(&CREATE, &call).await?;
    let mut reply = Reply::new(&reply);
    Ok(match reply.outcome() {
        "full" => Created::Full(reply.ids()?),
        "before" => Created::Before(session_id(reply.text()?)?),
        "differs" => Created::Differs,
        _ => Created::Done(reply.times()?),
    })
}

/// Reads the session that a token opens, and moves its end.
pub(super) async fn validate(link: &Link, token: &Token) -> Result<Session, Refusal> {
    let mut call = token_call(&VALIDATE, 2, link, token);
    push_token(&mut call, token);
    open(link, &VALIDATE, &call, token).await
}

/// Replaces the data of the session that a token opens, if they are at this version. The token was accepted by [`validate`] just before;
/// its grace period may have ended since.
pub(super) async fn write_data(link: &Link, token: &Token, version: u64, data: &Data) -> Result<Session, Refusal> {
    let mut call = token_call(&WRITE_DATA, 2, link, token);
    push_token(&mut call, token);
    call.arg(version).arg(data.raw().get());
    open(link, &WRITE_DATA, &call, token).await
}

/// Replaces the token of a session.
pub(super) async fn rotate(link: &Link, old: &Token, new: &Token, grace: Duration) -> Result<Session, Refusal> {
    let mut call = token_call(&ROTATE, 2, link, old);
    push_token(&mut call, old);
    call.arg(new.sha256()).arg(milliseconds(grace));
    open(link, &ROTATE, &call, old).await
}

/// Extends a session of this subject.
pub(super) async fn extend(
    link: &Link,
    token: &Token,
    subject: &ExternalId,
    by: Duration,
    max_ttl: Duration,
) -> Result<Session, Refusal> {
    let mut call = token_call(&EXTEND, 3, link, token);
    call.arg(link.store().keys().sessions_of(subject));
    push_token(&mut call, token);
    call.arg(milliseconds(by)).arg(milliseconds(max_ttl)).arg(token.id());
    open(link, &EXTEND, &call, token).await
}

/// Ends the session of this subject that a token opens.
pub(super) async fn sign_out(link: &Link, token: &Token, subject: &ExternalId) -> Result<(), Refusal> {
    let keys = link.store().keys();
    let mut call = SIGN_OUT.call(3, 6, 320);
    call.arg(keys.session(token.partition(), token.id()))
        .arg(keys.sessions_of(subject))
        .arg(keys.sessions_open(token.partition()));
    push_token(&mut call, token);
    call.arg(token.id());
    let reply: String = link.run(&SIGN_OUT, &call).await?;
    Reply::new(&reply).accepted().map(drop)
}

/// Returns the subject of the session that a token names, even if the token does not open it.
pub(super) async fn subject(link: &Link, token: &Token) -> Result<Option<ExternalId>, StoreError> {
    let mut cmd = redis::cmd("HGET");
    cmd.arg(link.store().keys().session(token.partition(), token.id()))
        .arg("subject");
    let subject: Option<String> = link.query(&cmd).await?;
    subject.map(|subject| id(&subject)).transpose()
}

/// Ends the named sessions of a subject. Returns how many were ended, and the ids of all that are left.
pub(super) async fn end_sessions(
    link: &Link,
    subject: &ExternalId,
    named: &[SessionId],
) -> Result<(u64, Vec<SessionId>), StoreError> {
    let partition = SessionPartition::of(subject);
    let mut call = END_SESSIONS.call(2 + named.len(), 3 + 2 * named.len(), 64 * (3 + 2 * named.len()));
    call.arg(link.store().keys().sessions_of(subject))
        .arg(link.store().keys().sessions_open(partition));
    push_sessions(&mut call, link, partition, named);
    call.arg(subject.as_str());
    push_ids(&mut call, named);
    let (ended, left): (u64, Vec<String>) = link.run(&END_SESSIONS, &call).await?;
    Ok((ended, ids(&left)?))
}

/// Reads the named sessions of a subject. Returns those that exist, and the ids of all.
pub(super) async fn list(
    link: &Link,
    subject: &ExternalId,
    named: &[SessionId],
) -> Result<(Vec<Listed>, Vec<SessionId>), StoreError> {
    let mut call = LIST.call(1 + named.len(), 1 + 2 * named.len(), 64 * (2 + 2 * named.len()));
    call.arg(link.store().keys().sessions_of(subject));
    push_sessions(&mut call, link, SessionPartition::of(subject), named);
    push_ids(&mut call, named);
    let (all, rows): (Vec<String>, Vec<String>) = link.run(&LIST, &call).await?;
    let rows = rows.iter().map(|row| {
        let mut row = Reply::new(row);
        Ok(Listed {
            id: session_id(row.outcome())?,
            about: row.about()?,
            times: row.times()?,
        })
    });
    Ok((rows.collect::<Result<_, StoreError>>()?, ids(&all)?))
}

/// The sessions of a partition, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// How many were in use in this window or the one before, roughly.
    pub(super) used: u64,
    /// The number of sessions.
    pub(super) open: u64,
}

/// Counts the sessions of a partition. Up to 500 whose recorded end has passed are checked: they have ended, or their end has moved.
pub(super) async fn count(link: &Link, partition: SessionPartition) -> Result<Sum, StoreError> {
    let (keys, window) = (link.store().keys(), window());
    let open = keys.sessions_open(partition);
    let mut call = COUNT.call(3, 4, 192);
    call.arg(&open)
        .arg(keys.sessions_used(partition, window.saturating_sub(1)))
        .arg(keys.sessions_used(partition, window))
        .arg(MOST_RECOUNTED);
    let counted: Vec<String> = link.run(&COUNT, &call).await?;
    let [used, all, due @ ..] = counted.as_slice() else {
        return Err(StoreError::Answer("count: the reply is too short".to_owned()));
    };
    let number = |text: &String| {
        text.parse::<u64>()
            .map_err(|error| StoreError::Answer(format!("count: {error}")))
    };
    let (used, all) = (number(used)?, number(all)?);
    if due.is_empty() {
        return Ok(Sum { used, open: all });
    }
    let due = ids(due)?;
    let mut call = RECOUNT.call(1 + due.len(), 1 + 2 * due.len(), 64 * (1 + 2 * due.len()));
    call.arg(open);
    push_sessions(&mut call, link, partition, &due);
    push_ids(&mut call, &due);
    let ended: u64 = link.run(&RECOUNT, &call).await?;
    Ok(Sum {
        used,
        open: all.saturating_sub(ended),
    })
}

/// Returns the key that counts the sessions in use now. It depends on this instance's clock, because the count is approximate anyway.
fn used_now(link: &Link, partition: SessionPartition) -> String {
    link.store().keys().sessions_used(partition, window())
}

fn window() -> u64 {
    clock::now_ms().unsigned_abs() / 1_000 / USED_WINDOW.as_secs()
}

/// Begins a call with the session that a token names, and the key that counts its use.
fn token_call(script: &Script, keys: usize, link: &Link, token: &Token) -> Cmd {
    let mut call = script.call(keys, keys + 5, 448);
    call.arg(link.store().keys().session(token.partition(), token.id()))
        .arg(used_now(link, token.partition()));
    call
}

/// Appends the hashes by which held.lua identifies a token.
fn push_token(call: &mut Cmd, token: &Token) {
    call.arg(token.sha256()).arg(token.family_sha256());
}

fn push_sessions(call: &mut Cmd, link: &Link, partition: SessionPartition, sessions: &[SessionId]) {
    for session in sessions {
        call.arg(link.store().keys().session(partition, session.as_str()));
    }
}

fn push_ids(call: &mut Cmd, sessions: &[SessionId]) {
    for session in sessions {
        call.arg(session.as_str());
    }
}

/// Runs a script that answers with a session.
async fn open(link: &Link, script: &Script, call: &Cmd, token: &Token) -> Result<Session, Refusal> {
    let reply: String = link.run(script, call).await?;
    let mut reply = Reply::new(&reply).accepted()?;
    // In the order in which held.lua returns them.
    Ok(Session {
        id: session_id(token.id())?,
        subject: reply.id()?,
        about: reply.about()?,
        data: reply.data()?,
        version: reply.number()?,
        times: reply.times()?,
    })
}

fn ids(texts: &[String]) -> Result<Vec<SessionId>, StoreError> {
    texts.iter().map(|text| session_id(text)).collect()
}

/// Converts a number to one that Redis and Lua represent exactly: an integer far below 2^53.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

//! Writes answers as JSON, directly from the data of the live index.
//!
//! The JSON is written by hand: an answer has some hundred member names, and serde searches each for characters to escape, which took a
//! visible share of the CPU time of nearby queries. Only text from a client is written by serde.

use super::members::{Member, Members};
use super::model::{Entity, Hit, Profile};
use crate::http::Stamps;
use crate::ids::Id;
use crate::runtime::{NoRoom, NoTurn, Room, Turn};
use tokio::task::yield_now;

/// The form of entities in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Flat objects of JSON.
    Json,
    /// `GeoJSON` features (RFC 7946).
    GeoJson,
}

/// The entities that a query found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// Entities with their distances.
    Hits(&'a [Hit]),
    /// Entities without distances.
    Entities(&'a [Entity]),
}

impl Found<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Hits(hits) => hits.len(),
            Self::Entities(entities) => entities.len(),
        }
    }

    fn id(&self, index: usize) -> &Id {
        match self {
            Self::Hits(hits) => &hits[index].entity.id,
            Self::Entities(entities) => &entities[index].id,
        }
    }
}

/// A list of entities, with its properties.
#[derive(Clone, Copy)]
pub struct List<'a> {
    /// The entities, in order.
    pub found: Found<'a>,
    /// The source of the answer: `live` or `redis`.
    pub source: &'static str,
    /// Whether the answer may miss what other instances stored recently.
    pub stale: bool,
    /// Whether there are more entities than the limit; `None` for lists that report only what did not fit.
    pub truncated: Option<bool>,
    /// Returns the cursor of the page after an id, for lists with pages. Its alphabet needs no escaping in JSON.
    pub cursor: Option<&'a dyn Fn(&Id) -> String>,
    /// The current time, Unix milliseconds, from which ages are computed.
    pub now_ms: i64,
    /// The form of the entities.
    pub form: Form,
    /// The members of each entity that are shown.
    pub members: Members,
    /// The most bytes that the body may have; entities that do not fit are left out.
    pub most_bytes: usize,
}

/// Bytes of a body that are reserved for the members after the entities.
const TAIL: usize = 512;

/// Bytes that are written in one step, which takes some hundred microseconds.
const STEP: usize = 64 * 1024;

impl List<'_> {
    /// Writes the body of the answer. It always contains the first entity. A long body is written in steps, in the turn of long work on
    /// this thread, and other tasks run in between; `memory` takes room for it.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn write(&self, turn: Option<Turn>, memory: &mut Option<Room>) -> Result<Vec<u8>, NotWritten> {
        let (mut json, mut written) = (self.begin(), 0);
        if self.step(&mut json, &mut written) {
            // In a box, because it would make the state of every short answer larger.
            return Box::pin(self.write_rest(json, written, turn, memory)).await;
        }
        Ok(self.end(json, written))
    }

    /// Writes what the first step has left.
    async fn write_rest(
        &self,
        mut json: Json,
        mut written: usize,
        mut turn: Option<Turn>,
        memory: &mut Option<Room>,
    ) -> Result<Vec<u8>, NotWritten> {
        loop {
            pause(&json, &mut turn, memory).await?;
            if !self.step(&mut json, &mut written) {
                return Ok(self.end(json, written));
            }
        }
    }

    /// Writes the body in one step.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let (mut json, mut written) = (self.begin(), 0);
        while self.step(&mut json, &mut written) {}
        self.end(json, written)
    }

    /// Writes the entities of one step. Returns whether another step is needed.
    fn step(&self, json: &mut Json, written: &mut usize) -> bool {
        json.some(self.found, written, self.now_ms, self.form, self.room())
    }

    const fn room(&self) -> usize {
        self.most_bytes.saturating_sub(TAIL)
    }

    fn begin(&self) -> Json {
        let mut json = Json::new(self.found.len(), self.members);
        match self.form {
            Form::Json => json.raw(b"{\"results\":["),
            Form::GeoJson => json.raw(b"{\"type\":\"FeatureCollection\",\"features\":["),
        }
        json
    }

    fn end(&self, mut json: Json, written: usize) -> Vec<u8> {
        json.raw(b"]");
        json.tail(self.source, self.stale);
        let is_cut = written < self.found.len();
        let is_truncated = is_cut || self.truncated == Some(true);
        if is_cut || self.truncated.is_some() {
            json.raw(b",\"truncated\":");
            json.boolean(is_truncated);
        }
        if let (true, Some(cursor), Some(last)) = (is_truncated, self.cursor, written.checked_sub(1)) {
            json.raw(b",\"cursor\":\"");
            json.raw(cursor(self.found.id(last)).as_bytes());
            json.raw(b"\"");
        }
        json.raw(b"}");
        json.text
    }
}

/// Why an answer is not written.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum NotWritten {
    /// More calls with long work wait than there may be.
    #[error(transparent)]
    NoTurn(#[from] NoTurn),
    /// No memory is left for it.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// Yields to other tasks between two steps of long work. The bytes written so far, and those of the next step, are counted first.
async fn pause(json: &Json, turn: &mut Option<Turn>, memory: &mut Option<Room>) -> Result<(), NotWritten> {
    if let Some(memory) = memory {
        memory.try_resize(json.text.len() + STEP)?;
    }
    if turn.is_none() {
        *turn = Some(Turn::wait().await?);
    }
    yield_now().await;
    Ok(())
}

/// The answers of many queries, in order, as they are found.
pub struct Lists {
    json: Json,
    now_ms: i64,
    most_bytes: usize,
    is_empty: bool,
    is_cut: bool,
}

impl Lists {
    /// Begins an answer of at most `most_bytes` bytes, as of `now_ms`.
    #[must_use]
    pub fn new(members: Members, now_ms: i64, most_bytes: usize) -> Self {
        let mut json = Json::new(0, members);
        json.raw(b"{\"results\":[");
        Self {
            json,
            now_ms,
            most_bytes: most_bytes.saturating_sub(TAIL),
            is_empty: true,
            is_cut: false,
        }
    }

    /// How many bytes are written.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.json.text.len()
    }

    /// Adds the answer of the next query, as [`List::write`] does. Returns false if it does not fit: it is left out then, and nothing may
    /// be added. Of the first one, the entities that fit are kept.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn push(
        &mut self,
        hits: &[Hit],
        mut turn: Option<Turn>,
        memory: &mut Option<Room>,
    ) -> Result<bool, NotWritten> {
        let (before, mut written) = (self.json.text.len(), 0);
        self.json.raw(if self.is_empty { b"[" } else { b",[" });
        let found = Found::Hits(hits);
        while self
            .json
            .some(found, &mut written, self.now_ms, Form::Json, self.most_bytes)
        {
            pause(&self.json, &mut turn, memory).await?;
        }
        self.json.raw(b"]");
        self.is_cut = written < hits.len() || self.json.text.len() > self.most_bytes;
        if self.is_cut && !self.is_empty {
            self.json.text.truncate(before);
        }
        self.is_empty = false;
        Ok(!self.is_cut)
    }

    /// Marks that the answers of the next queries are missing.
    pub const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// The answer's body; `stale` as in [`List`].
    #[must_use]
    pub fn finish(mut self, stale: bool) -> Vec<u8> {
        self.json.raw(b"]");
        self.json.tail("live", stale);
        if self.is_cut {
            self.json.raw(b",\"truncated\":true");
        }
        self.json.raw(b"}");
        self.json.text
    }
}

/// Serialises one entity.
#[must_use]
pub fn entity(entity: &Entity, now_ms: i64) -> Vec<u8> {
    let mut json = Json::new(1, Members::default());
    json.entity(entity, None, now_ms, Form::Json);
    json.text
}

/// Serialises a profile.
#[must_use]
pub fn profile(id: &str, profile: &Profile) -> Vec<u8> {
    let mut json = Json::new(1, Members::default());
    json.raw(b"{\"id\":\"");
    json.raw(id.as_bytes());
    json.raw(b"\"");
    json.profile::<true>(profile);
    json.raw(b"}");
    json.text
}

/// JSON that is being written.
struct Json {
    text: Vec<u8>,
    stamps: Stamps,
    members: Members,
}

impl Json {
    fn new(entities: usize, members: Members) -> Self {
        // An entity without a profile takes about 160 bytes.
        Self {
            text: Vec::with_capacity(128 + 176 * entities),
            stamps: Stamps::default(),
            members,
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    fn int(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    fn boolean(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    /// A coordinate; the shortest text that reads as the same number.
    fn degrees(&mut self, degrees: f64) {
        self.raw(zmij::Buffer::new().format_finite(degrees).as_bytes());
    }

    /// A length with millimetres: positions are not more precise, and further digits would only make the answer larger.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no distance is negative, and no two places are further apart than 20,100,000,000 mm"
    )]
    fn metres(&mut self, metres: f64) {
        // Half up; `f64::round` is a call on processors of the base instruction set.
        let millimetres = (metres * 1000.0 + 0.5) as u64;
        self.raw(itoa::Buffer::new().format(millimetres / 1000).as_bytes());
        let digits = (millimetres % 1000) as u32;
        let digit = |number: u32| b'0' + (number % 10) as u8;
        self.raw(&[b'.', digit(digits / 100), digit(digits / 10), digit(digits)]);
    }

    /// What a client chose, escaped.
    fn chosen(&mut self, value: &impl serde::Serialize) {
        // Text and scalars into memory: there is nothing in this that can fail.
        let _ = serde_json::to_writer(&mut self.text, value);
    }

    /// Writes entities from number `written` on for one step, and counts them. Returns whether there are more to write: not if the next
    /// one would make the text longer than `most_bytes`. The first is written in any case.
    fn some(&mut self, found: Found<'_>, written: &mut usize, now_ms: i64, form: Form, most_bytes: usize) -> bool {
        let stop = self.text.len() + STEP;
        while *written < found.len() && self.text.len() < stop {
            let before = self.text.len();
            if *written > 0 {
                self.raw(b",");
            }
            match found {
                Found::Hits(hits) => {
                    let Hit { entity, distance_m } = &hits[*written];
                    self.entity(entity, Some(*distance_m), now_ms, form);
                }
                Found::Entities(entities) => self.entity(&entities[*written], None, now_ms, form),
            }
            if self.text.len() > most_bytes && *written > 0 {
                self.text.truncate(before);
                return false;
            }
            *written += 1;
        }
        *written < found.len()
    }

    fn tail(&mut self, source: &'static str, stale: bool) {
        self.raw(b",\"source\":\"");
        self.raw(source.as_bytes());
        self.raw(b"\",\"stale\":");
        self.boolean(stale);
    }

    fn entity(&mut self, entity: &Entity, distance_m: Option<f64>, now_ms: i64, form: Form) {
        let (lat, lon) = (entity.fix.point.lat(), entity.fix.point.lon());
        match form {
            Form::Json => {
                self.raw(b"{\"id\":\"");
                // The alphabet of ids has nothing to escape.
                self.raw(entity.id.as_bytes());
                self.raw(b"\"");
                if self.members.has(Member::Lat) {
                    self.raw(b",\"lat\":");
                    self.degrees(lat);
                }
                if self.members.has(Member::Lon) {
                    self.raw(b",\"lon\":");
                    self.degrees(lon);
                }
                if self.members == Members::default() {
                    self.members::<true>(entity, distance_m, now_ms);
                } else {
                    self.members::<false>(entity, distance_m, now_ms);
                }
                self.raw(b"}");
            }
            Form::GeoJson => {
                self.raw(b"{\"type\":\"Feature\",\"id\":\"");
                self.raw(entity.id.as_bytes());
                self.raw(b"\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[");
                self.degrees(lon);
                self.raw(b",");
                self.degrees(lat);
                self.raw(b"]},\"properties\":{");
                self.members::<false>(entity, distance_m, now_ms);
                self.raw(b"}}");
            }
        }
    }

    /// Writes the name of a member. The comma before it is left out if it is the first, which it cannot be among `ALL` members.
    fn name<const ALL: bool>(&mut self, name: &'static [u8]) {
        let is_first = !ALL && self.text.last() == Some(&b'{');
        self.raw(&name[usize::from(is_first)..]);
    }

    const fn shows<const ALL: bool>(&self, member: Member) -> bool {
        ALL || self.members.has(member)
    }

    /// Writes the members that follow the place. `ALL` means that all members are shown and that some are written already: most answers are
    /// such, and a check for each member would be a measurable part of a query.
    fn members<const ALL: bool>(&mut self, entity: &Entity, distance_m: Option<f64>, now_ms: i64) {
        let fix = &entity.fix;
        if let Some(distance_m) = distance_m.filter(|_| self.shows::<ALL>(Member::DistanceM)) {
            self.name::<ALL>(b",\"distance_m\":");
            self.metres(distance_m);
        }
        if self.shows::<ALL>(Member::AgeMs) {
            self.name::<ALL>(b",\"age_ms\":");
            self.int((now_ms - fix.timestamp_ms).max(0));
        }
        if self.shows::<ALL>(Member::Timestamp) {
            self.name::<ALL>(b",\"timestamp\":\"");
            self.text.extend_from_slice(self.stamps.write(fix.timestamp_ms));
            self.raw(b"\"");
        }
        for (member, name, value) in [
            (Member::AccuracyM, &b",\"accuracy_m\":"[..], fix.accuracy_m),
            (Member::AltitudeM, b",\"altitude_m\":", fix.altitude_m),
            (Member::SpeedMps, b",\"speed_mps\":", fix.speed_mps),
            (Member::HeadingDeg, b",\"heading_deg\":", fix.heading_deg),
        ] {
            if let Some(value) = value.filter(|_| self.shows::<ALL>(member)) {
                self.name::<ALL>(name);
                self.raw(zmij::Buffer::new().format_finite(value).as_bytes());
            }
        }
        if let Some(profile) = &entity.profile {
            self.profile::<ALL>(profile);
        }
    }

    fn profile<const ALL: bool>(&mut self, profile: &Profile) {
        if let Some(status) = &profile.status
            && self.shows::<ALL>(Member::Status)
        {
            self.name::<ALL>(b",\"status\":");
            self.chosen(status);
        }
        if let Some(vehicle_type) = &profile.vehicle_type
            && self.shows::<ALL>(Member::VehicleType)
        {
            self.name::<ALL>(b",\"vehicle_type\":");
            self.chosen(vehicle_type);
        }
        if let Some(capacity) = profile.capacity.filter(|_| self.shows::<ALL>(Member::Capacity)) {
            self.name::<ALL>(b",\"capacity\":");
            self.int(i64::from(capacity));
        }
        if !profile.attributes.is_empty() && self.shows::<ALL>(Member::Attributes) {
            self.name::<ALL>(b",\"attributes\":");
            self.chosen(&profile.attributes);
        }
    }
}

#[cfg(test)]
mod tests;

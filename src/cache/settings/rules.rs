use super::limits::MAX_KEY;
use crate::ids::Id;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

/// Something that happened to an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened, such as `product.updated`.
    pub kind: Id,
    /// The id of the entity; `{id}` in a rule.
    pub entity: Id,
    /// The type of the entity; `{entity_type}` in a rule.
    pub entity_type: Option<Id>,
    /// Further data of the sender; its strings, integers and booleans are `{data.NAME}` in a rule.
    pub data: Map<String, Value>,
}

impl Event {
    /// Creates an event without further data.
    #[must_use]
    pub fn new(kind: Id, entity: Id) -> Self {
        Self {
            kind,
            entity,
            entity_type: None,
            data: Map::new(),
        }
    }

    /// Returns the text of a placeholder.
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "id" => Some(Cow::Borrowed(self.entity.as_str())),
            "entity_type" => self.entity_type.as_deref().map(Cow::Borrowed),
            name => match self.data.get(name.strip_prefix(DATA)?)? {
                Value::String(text) => Some(Cow::Borrowed(text)),
                Value::Bool(is) => Some(Cow::Owned(is.to_string())),
                Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(number.to_string())),
                _ => None,
            },
        }
    }
}

/// The prefix of placeholders for members of the data.
const DATA: &str = "data.";

/// What an event invalidates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every entry with this tag.
    Tag(Id),
    /// Every entry of this namespace.
    Namespace(Id),
    /// One entry.
    Key(Id, String),
}

/// A part of the rules that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{part}\": {why}")]
pub struct TargetError {
    part: String,
    why: String,
    /// The placeholder that the event has no value for, or whose value does not fit.
    placeholder: Option<String>,
}

impl TargetError {
    /// Returns the member of the event that is to be changed, as in a JSON pointer without its first slash.
    #[must_use]
    pub fn member(&self) -> String {
        match self.placeholder.as_deref() {
            None | Some("id") => "entity_id".to_owned(),
            Some(name) => name.replacen(DATA, "data/", 1),
        }
    }
}

/// The rules by which events invalidate entries. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRules(Arc<[Rule]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// The event's type, or its prefix.
    kind: String,
    is_prefix: bool,
    targets: Vec<Template>,
}

/// A target with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Template {
    Tag(String),
    Namespace(String),
    Key(String, String),
}

impl EventRules {
    /// Returns the number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what an event invalidates, each target once.
    ///
    /// # Errors
    /// [`TargetError`] if the event has no value for a placeholder, or if a value makes a tag, a namespace or a key invalid.
    pub fn targets(&self, event: &Event) -> Result<Vec<Target>, TargetError> {
        let mut targets = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.is_for(&event.kind)) {
            for template in &rule.targets {
                let target = template.fill(|name| event.value(name))?;
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        Ok(targets)
    }
}

impl Rule {
    fn is_for(&self, kind: &str) -> bool {
        if self.is_prefix {
            kind.starts_with(&self.kind)
        } else {
            kind == self.kind
        }
    }

    fn parse(text: &str) -> Result<Self, TargetError> {
        let fault = |why| Template::fault(text, why);
        let (kind, targets) = text.split_once('=').ok_or_else(|| fault("has no ="))?;
        let kind = kind.trim();
        let (kind, is_prefix) = kind.strip_suffix('*').map_or((kind, false), |kind| (kind, true));
        if !is_prefix || !kind.is_empty() {
            Id::parse(kind).map_err(|_unspecific| fault("a type is an id, or one with * after it"))?;
        }
        let targets = targets
            .split(',')
            .map(str::trim)
            .map(Template::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            kind: kind.to_owned(),
            is_prefix,
            targets,
        })
    }
}

impl Template {
    fn parse(text: &str) -> Result<Self, TargetError> {
        let template = match text.split_once(':') {
            Some(("tag", tag)) => Self::Tag(tag.to_owned()),
            Some(("namespace", namespace)) => Self::Namespace(namespace.to_owned()),
            Some(("key", key)) => match key.split_once('/') {
                Some((namespace, key)) => Self::Key(namespace.to_owned(), key.to_owned()),
                None => return Err(Self::fault(text, "a key is NAMESPACE/KEY")),
            },
            _ => return Err(Self::fault(text, "is none of tag:…, namespace:…, key:…")),
        };
        // The shortest values reveal every fault except the length.
        let is_known =
            |name: &str| ["id", "entity_type"].contains(&name) || name.len() > DATA.len() && name.starts_with(DATA);
        template
            .fill(|name| is_known(name).then_some(Cow::Borrowed("x")))
            .map_err(|TargetError { why, .. }| Self::fault(text, why))?;
        Ok(template)
    }

    fn fault(part: &str, why: impl Into<String>) -> TargetError {
        TargetError {
            part: part.to_owned(),
            why: why.into(),
            placeholder: None,
        }
    }

    fn fill<'a>(&self, value: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<Target, TargetError> {
        let id = |text: &str| {
            let filled = filled(text, &value)?;
            Id::parse(&filled).map_err(|_unspecific| unfit(text, &filled, "is no id"))
        };
        match self {
            Self::Tag(tag) => Ok(Target::Tag(id(tag)?)),
            Self::Namespace(namespace) => Ok(Target::Namespace(id(namespace)?)),
            Self::Key(namespace, key) => {
                let filled = filled(key, &value)?;
                if filled.is_empty() || filled.len() > MAX_KEY {
                    return Err(unfit(key, &filled, "a key has 1 to 256 bytes"));
                }
                Ok(Target::Key(id(namespace)?, filled))
            }
        }
    }
}

/// Returns the error for a target that is invalid after its placeholders are replaced.
fn unfit(text: &str, filled: &str, why: &str) -> TargetError {
    let last = text.rsplit_once('{').and_then(|(_, rest)| rest.split_once('}'));
    TargetError {
        placeholder: last.map(|(name, _)| name.to_owned()),
        ..Template::fault(filled, why)
    }
}

/// Replaces the placeholders of a text, `{NAME}`, with their values.
fn filled<'a>(text: &str, value: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<String, TargetError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| Template::fault(text, "has { without }"))?;
        let value = value(name).ok_or_else(|| TargetError {
            placeholder: Some(name.to_owned()),
            ..Template::fault(text, format!("there is no {{{name}}}"))
        })?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

impl FromStr for EventRules {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let rules = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        Ok(Self(rules.map(Rule::parse).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> Id {
        Id::parse(id).unwrap()
    }

    fn event(kind: &str, entity: &str) -> Event {
        Event::new(id(kind), id(entity))
    }

    #[test]
    fn every_matching_rule_applies_to_an_event() {
        let rules: EventRules =
            "product.updated = tag:product:{id}, key:prices/{id}/eur ; product.*=tag:product:{id},namespace:catalog;"
                .parse()
                .unwrap();
        assert_eq!(rules.len(), 2);
        let targets = rules.targets(&event("product.updated", "p-7")).unwrap();
        assert_eq!(
            targets,
            [
                Target::Tag(id("product:p-7")),
                Target::Key(id("prices"), "p-7/eur".to_owned()),
                Target::Namespace(id("catalog")),
            ]
        );
        assert_eq!(rules.targets(&event("product.removed", "p-7")).unwrap().len(), 2);
        assert_eq!(rules.targets(&event("order.paid", "p-7")).unwrap(), []);
    }

    #[test]
    fn an_invalid_rule_is_refused_with_its_text() {
        for bad in [
            "product.updated",
            "=tag:a",
            "a b=tag:a",
            "a=tag:",
            "a=tag:x y",
            "a=key:prices",
            "a=key:prices/",
            "a=everything",
            "a=",
            "a=tag:{name}",
            "a=tag:{data.}",
            "a=key:prices/{id",
        ] {
            let error = bad.parse::<EventRules>().unwrap_err();
            assert!(error.to_string().starts_with('"'), "{bad}: {error}");
        }
        assert!("".parse::<EventRules>().unwrap().is_empty());
    }

    #[test]
    fn an_id_that_makes_a_tag_too_long_is_an_error() {
        let rules: EventRules = "a=tag:product:{id}".parse().unwrap();
        assert!(rules.targets(&event("a", &"x".repeat(128))).is_err());
    }

    #[test]
    fn a_rule_may_use_further_data_of_the_event() {
        let rules: EventRules = "moved=tag:{entity_type}:{id},key:zones/{data.city}/{data.zone}/{data.is_open}"
            .parse()
            .unwrap();
        let mut moved = event("moved", "7");
        let missing = rules.targets(&moved).unwrap_err();
        assert_eq!(missing.to_string(), "\"{entity_type}:{id}\": there is no {entity_type}");
        moved.entity_type = Some(id("scooter"));
        moved.data = Map::from_iter([
            ("city".to_owned(), Value::from("{id}")),
            ("zone".to_owned(), Value::from(12)),
            ("is_open".to_owned(), Value::from(true)),
        ]);
        let targets = [
            Target::Tag(id("scooter:7")),
            Target::Key(id("zones"), "{id}/12/true".to_owned()),
        ];
        assert_eq!(rules.targets(&moved).unwrap(), targets, "a value is no placeholder");
        for useless in [Value::Null, Value::from(1.5), Value::from(vec![1])] {
            moved.data.insert("zone".to_owned(), useless);
            assert!(rules.targets(&moved).is_err());
        }
        let rules: EventRules = "moved=tag:zone:{data.city}".parse().unwrap();
        moved.data.insert("city".to_owned(), Value::from("a b"));
        assert_eq!(rules.targets(&moved).unwrap_err().member(), "data/city");
    }
}

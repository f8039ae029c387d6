use super::MAX_KEY;
use crate::ids::Id;
use std::str::FromStr;
use std::sync::Arc;

/// Stands for the entity's id in a target.
const ENTITY: &str = "{id}";

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

/// A part of the rules that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{part}\": {why}")]
pub struct TargetError {
    part: String,
    why: &'static str,
}

/// Which events invalidate what. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRules(Arc<[Rule]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// The event's type, or what it begins with.
    kind: String,
    is_prefix: bool,
    targets: Vec<Template>,
}

/// A target in which the entity's id is still to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Template {
    Tag(String),
    Namespace(String),
    Key(String, String),
}

impl EventRules {
    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What an event of this type about this entity invalidates, each target once.
    ///
    /// # Errors
    /// [`TargetError`] if the entity's id makes a tag, a namespace or a key too long.
    pub fn targets(&self, kind: &str, entity: &Id) -> Result<Vec<Target>, TargetError> {
        let mut targets = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.is_for(kind)) {
            for template in &rule.targets {
                let target = template.fill(entity)?;
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
        let fault = |why| TargetError {
            part: text.to_owned(),
            why,
        };
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
        // Whatever is wrong with it but its length shows with the shortest id.
        let Ok(shortest) = Id::parse("x") else {
            return Ok(template);
        };
        template
            .fill(&shortest)
            .map_err(|TargetError { why, .. }| Self::fault(text, why))?;
        Ok(template)
    }

    fn fault(part: &str, why: &'static str) -> TargetError {
        TargetError {
            part: part.to_owned(),
            why,
        }
    }

    fn fill(&self, entity: &Id) -> Result<Target, TargetError> {
        let id = |text: &str| {
            let filled = text.replace(ENTITY, entity);
            Id::parse(&filled).map_err(|_unspecific| Self::fault(&filled, "is no id with this entity"))
        };
        match self {
            Self::Tag(tag) => Ok(Target::Tag(id(tag)?)),
            Self::Namespace(namespace) => Ok(Target::Namespace(id(namespace)?)),
            Self::Key(namespace, key) => {
                let key = key.replace(ENTITY, entity);
                if key.is_empty() || key.len() > MAX_KEY {
                    return Err(Self::fault(&key, "a key has 1 to 256 bytes"));
                }
                Ok(Target::Key(id(namespace)?, key))
            }
        }
    }
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

    #[test]
    fn an_event_goes_by_every_rule_that_names_it() {
        let rules: EventRules =
            "product.updated = tag:product:{id}, key:prices/{id}/eur ; product.*=tag:product:{id},namespace:catalog;"
                .parse()
                .unwrap();
        assert_eq!(rules.len(), 2);
        let targets = rules.targets("product.updated", &id("p-7")).unwrap();
        assert_eq!(
            targets,
            [
                Target::Tag(id("product:p-7")),
                Target::Key(id("prices"), "p-7/eur".to_owned()),
                Target::Namespace(id("catalog")),
            ]
        );
        assert_eq!(rules.targets("product.removed", &id("p-7")).unwrap().len(), 2);
        assert_eq!(rules.targets("order.paid", &id("p-7")).unwrap(), []);
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_part() {
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
        ] {
            let error = bad.parse::<EventRules>().unwrap_err();
            assert!(error.to_string().starts_with('"'), "{bad}: {error}");
        }
        assert!("".parse::<EventRules>().unwrap().is_empty());
    }

    #[test]
    fn an_id_that_makes_a_tag_too_long_is_told() {
        let rules: EventRules = "a=tag:product:{id}".parse().unwrap();
        assert!(rules.targets("a", &id(&"x".repeat(128))).is_err());
    }
}

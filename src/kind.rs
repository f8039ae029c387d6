//! The three kinds of entity; keys, channels, URLs and metrics use their names.

use std::fmt;

/// What kind of thing an entity is. Each kind has an index, a TTL and an update channel of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// People who drive for the platform.
    Drivers,
    /// Vehicles, with or without a driver: scooters, shuttles, cars.
    Vehicles,
    /// Riders and other users of an app.
    Users,
}

impl Kind {
    /// Every kind, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Drivers, Self::Vehicles, Self::Users];

    /// The word used in URLs, key names, channels, settings and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drivers => "drivers",
            Self::Vehicles => "vehicles",
            Self::Users => "users",
        }
    }

    /// Position in [`Kind::ALL`], for arrays with an element per kind.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

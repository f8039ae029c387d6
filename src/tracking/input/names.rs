//! The names of a position's members as devices send them.

/// A member of a position that the service uses; those of the profile come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Member {
    Id,
    Lat,
    Lon,
    Timestamp,
    Accuracy,
    Altitude,
    Speed,
    Heading,
    Status,
    VehicleType,
    Capacity,
    Attributes,
}

impl Member {
    /// All members, each at the index of its number.
    pub(super) const ALL: [Self; 12] = [
        Self::Id,
        Self::Lat,
        Self::Lon,
        Self::Timestamp,
        Self::Accuracy,
        Self::Altitude,
        Self::Speed,
        Self::Heading,
        Self::Status,
        Self::VehicleType,
        Self::Capacity,
        Self::Attributes,
    ];

    /// Returns the name that our documents and JSON pointers use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Lat => "lat",
            Self::Lon => "lon",
            Self::Timestamp => "timestamp",
            Self::Accuracy => "accuracy_m",
            Self::Altitude => "altitude_m",
            Self::Speed => "speed_mps",
            Self::Heading => "heading_deg",
            Self::Status => "status",
            Self::VehicleType => "vehicle_type",
            Self::Capacity => "capacity",
            Self::Attributes => "attributes",
        }
    }

    /// Returns whether a position is refused when this member is invalid; other members are dropped then.
    pub(super) const fn decides(self) -> bool {
        matches!(self, Self::Id | Self::Lat | Self::Lon | Self::Timestamp)
    }
}

/// One name of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) member: Member,
    /// If a member is given under several names, the one of the lowest rank counts.
    pub(super) rank: u8,
}

/// The length of the longest name.
const LONGEST: usize = "timestamp_ms".len();

impl Name {
    /// Returns the name that is written exactly so, in lower case, as nearly every device writes it.
    #[inline]
    pub(super) fn exact(name: &str) -> Option<Self> {
        use Member::{
            Accuracy, Altitude, Attributes, Capacity, Heading, Id, Lat, Lon, Speed, Status, Timestamp, VehicleType,
        };
        let (member, rank) = match name {
            "id" => (Id, 0),
            "lat" => (Lat, 0),
            "latitude" => (Lat, 1),
            "lon" => (Lon, 0),
            "lng" => (Lon, 1),
            "longitude" => (Lon, 2),
            "timestamp" => (Timestamp, 0),
            "timestamp_ms" => (Timestamp, 1),
            "time" => (Timestamp, 2),
            "ts" => (Timestamp, 3),
            "tst" => (Timestamp, 4),
            "recorded_at" => (Timestamp, 5),
            "accuracy_m" => (Accuracy, 0),
            "accuracy" => (Accuracy, 1),
            "acc" => (Accuracy, 2),
            "altitude_m" => (Altitude, 0),
            "altitude" => (Altitude, 1),
            "alt" => (Altitude, 2),
            "speed_mps" => (Speed, 0),
            "speed" => (Speed, 1),
            "heading_deg" => (Heading, 0),
            "heading" => (Heading, 1),
            "bearing" => (Heading, 2),
            "course" => (Heading, 3),
            "status" => (Status, 0),
            "vehicle_type" => (VehicleType, 0),
            "capacity" => (Capacity, 0),
            "attributes" => (Attributes, 0),
            _ => return None,
        };
        Some(Self { member, rank })
    }

    /// Returns the name, ignoring case.
    #[cold]
    pub(super) fn in_any_case(name: &str) -> Option<Self> {
        let mut buffer = [0; LONGEST];
        let lower = buffer.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Self::exact(std::str::from_utf8(lower).ok()?)
    }
}

/// The largest absolute latitude that Redis GEO accepts, degrees (the limit of the Web Mercator square).
pub const MAX_LATITUDE_DEG: f64 = 85.051_128_78;

/// A place on earth that Redis GEO can hold: finite, within ±[`MAX_LATITUDE_DEG`] and ±180°.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    lat: f64,
    lon: f64,
}

/// Why two numbers are not a [`Point`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Not finite, or beyond [`MAX_LATITUDE_DEG`].
    #[error("latitude must be between -85.05112878 and 85.05112878 degrees")]
    Latitude,
    /// Not finite, or beyond ±180°.
    #[error("longitude must be between -180 and 180 degrees")]
    Longitude,
}

impl Point {
    /// Latitude 0, longitude 0.
    pub const NULL_ISLAND: Self = Self { lat: 0.0, lon: 0.0 };

    /// Creates a point from degrees.
    ///
    /// # Errors
    /// [`PointError`] names the coordinate that is not finite or out of range.
    #[inline]
    pub fn new(lat: f64, lon: f64) -> Result<Self, PointError> {
        // A NaN fails both comparisons' `contains`, so it needs no test of its own.
        if !(-MAX_LATITUDE_DEG..=MAX_LATITUDE_DEG).contains(&lat) {
            return Err(PointError::Latitude);
        }
        if !(-180.0..=180.0).contains(&lon) {
            return Err(PointError::Longitude);
        }
        Ok(Self { lat, lon })
    }

    /// Latitude, degrees north.
    #[must_use]
    #[inline]
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Longitude, degrees east.
    #[must_use]
    #[inline]
    pub const fn lon(self) -> f64 {
        self.lon
    }
}

/// The largest longitude that [`wrap_longitude`] accepts, degrees in either direction: maps that scroll across the antimeridian send
/// longitudes up to a full turn beyond it.
pub const MAX_WRAPPED_LONGITUDE_DEG: f64 = 540.0;

/// Returns the longitude of the same meridian within ±180°, exactly. Returns `None` if it is not finite, or beyond
/// ±[`MAX_WRAPPED_LONGITUDE_DEG`].
///
/// ```
/// use fleetpulse_index::geo::wrap_longitude;
/// assert_eq!(wrap_longitude(190.0), Some(-170.0));
/// assert_eq!(wrap_longitude(-180.0), Some(-180.0));
/// assert_eq!(wrap_longitude(541.0), None);
/// ```
#[must_use]
#[inline]
pub fn wrap_longitude(lon: f64) -> Option<f64> {
    if !(-MAX_WRAPPED_LONGITUDE_DEG..=MAX_WRAPPED_LONGITUDE_DEG).contains(&lon) {
        return None;
    }
    // The difference is exact for values between half of 360 and twice 360 (Sterbenz lemma).
    Some(match lon {
        lon if lon > 180.0 => lon - 360.0,
        lon if lon < -180.0 => lon + 360.0,
        lon => lon,
    })
}

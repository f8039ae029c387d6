//! Recordings, row by row: `id,ts_ms,lat,lon[,speed,heading]` in any order of columns, others ignored.

use crate::ids::{Id, IdError};
use csv::{ReaderBuilder, StringRecord, Trim};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The first line is not a header with the columns that are needed.
    #[error("line 1: the header has no column {0:?}; needed are id, ts_ms, lat and lon")]
    Header(&'static str),
    /// A row is not well formed.
    #[error("line {line}: {reason}")]
    Row {
        /// Counted from 1, the header included.
        line: u64,
        /// The reason.
        reason: String,
    },
}

/// One recorded fix.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: Id,
    /// Unix milliseconds; `None` if the source has no time (0 in the file).
    pub(super) recorded_ms: Option<i64>,
    pub(super) lat: f64,
    pub(super) lon: f64,
    /// Metres a second.
    pub(super) speed: Option<f64>,
    /// Degrees, 0 ≤ h < 360.
    pub(super) heading: Option<f64>,
}

/// The indexes of the columns.
#[derive(Debug)]
struct Columns {
    id: usize,
    ts_ms: usize,
    lat: usize,
    lon: usize,
    speed: Option<usize>,
    heading: Option<usize>,
}

/// An open recording; holds one row at a time, however long the file.
pub(super) struct TraceReader {
    path: PathBuf,
    csv: csv::Reader<Box<dyn Read + Send>>,
    columns: Columns,
    record: StringRecord,
}

impl TraceReader {
    /// Opens a file, gzip or plain by its first two bytes, and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, TraceError> {
        let io = |source| TraceError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let gzip = file.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut csv = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
        let header = csv.headers().map_err(|error| understand(path, error))?;
        let find = |name: &str| header.iter().position(|column| column == name);
        let need = |name: &'static str| find(name).ok_or(TraceError::Header(name));
        let columns = Columns {
            id: need("id")?,
            ts_ms: need("ts_ms")?,
            lat: need("lat")?,
            lon: need("lon")?,
            speed: find("speed"),
            heading: find("heading"),
        };
        Ok(Self {
            path: path.to_owned(),
            csv,
            columns,
            record: StringRecord::new(),
        })
    }

    /// Returns the next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row>, TraceError> {
        let more = self.csv.read_record(&mut self.record);
        if !more.map_err(|error| understand(&self.path, error))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        match parse(&self.record, &self.columns) {
            Ok(row) => Ok(Some(row)),
            Err(reason) => Err(TraceError::Row { line, reason }),
        }
    }
}

fn understand(path: &Path, error: csv::Error) -> TraceError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => TraceError::Io {
            path: path.to_owned(),
            source,
        },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => TraceError::Row {
            line,
            reason: format!("{len} columns, but the header has {expected_len}"),
        },
        csv::ErrorKind::Utf8 { .. } => TraceError::Row {
            line,
            reason: "not UTF-8".to_owned(),
        },
        _ => TraceError::Row { line, reason },
    }
}

fn parse(record: &StringRecord, columns: &Columns) -> Result<Row, String> {
    let text = |column: usize| record.get(column).unwrap_or_default();
    let number = |name: &str, column: usize| {
        let parsed = text(column).parse().ok().filter(|value: &f64| value.is_finite());
        parsed.ok_or_else(|| format!("{name} {:?} is not a number", text(column)))
    };
    let optional = |name: &str, column: Option<usize>| match column {
        Some(column) if !text(column).is_empty() => number(name, column).map(Some),
        _ => Ok(None),
    };
    let ts_ms: i64 = text(columns.ts_ms)
        .parse()
        .ok()
        .filter(|ts_ms| *ts_ms >= 0)
        .ok_or_else(|| format!("ts_ms {:?} is not a time in milliseconds", text(columns.ts_ms)))?;
    Ok(Row {
        id: Id::parse(text(columns.id)).map_err(|error: IdError| format!("id {:?}: {error}", text(columns.id)))?,
        recorded_ms: Some(ts_ms).filter(|ts_ms| *ts_ms != 0),
        lat: number("lat", columns.lat)?,
        lon: number("lon", columns.lon)?,
        speed: optional("speed", columns.speed)?,
        heading: optional("heading", columns.heading)?.map(|heading| heading.rem_euclid(360.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env::temp_dir;
    use std::fs;
    use std::process;

    fn read(name: &str, text: &str) -> Result<Vec<Row>, TraceError> {
        let path = temp_dir().join(format!("fleetpulse-trace-{}-{name}.csv", process::id()));
        fs::write(&path, text).unwrap();
        let rows = TraceReader::open(&path).and_then(|mut reader| {
            let mut rows = Vec::new();
            while let Some(row) = reader.next()? {
                rows.push(row);
            }
            Ok(rows)
        });
        fs::remove_file(&path).unwrap();
        rows
    }

    #[test]
    fn fixtures_are_read_gzip_or_plain() {
        for (file, rows) in [("nyc_pickups_5k.csv.gz", 5000), ("aircraft_1k.csv", 948)] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file);
            let mut reader = TraceReader::open(&path).unwrap();
            let mut count = 0;
            while let Some(row) = reader.next().unwrap() {
                assert_eq!(row.recorded_ms.is_some(), row.speed.is_some());
                count += 1;
            }
            assert_eq!(count, rows);
        }
    }

    #[test]
    fn columns_may_come_in_any_order_and_optional_ones_be_empty() {
        let rows = read(
            "order",
            "lon,note,lat,heading,ts_ms,id\n8.5,x,47.1,360,5,a\n8.6,\"y,z\",47.2,,0,b\n",
        )
        .unwrap();
        assert_eq!(
            (rows[0].lat, rows[0].heading, rows[0].recorded_ms),
            (47.1, Some(0.0), Some(5))
        );
        assert_eq!((rows[1].lon, rows[1].heading, rows[1].recorded_ms), (8.6, None, None));
    }

    #[test]
    fn a_fault_is_reported_with_its_line() {
        let header = "id,ts_ms,lat,lon\na,1,2,3\n";
        for (name, row, expected) in [
            ("short", "b,1,2", "line 3: 3 columns, but the header has 4"),
            ("nan", "b,1,NaN,3", "line 3: lat \"NaN\" is not a number"),
            (
                "time",
                "b,soon,2,3",
                "line 3: ts_ms \"soon\" is not a time in milliseconds",
            ),
            (
                "id",
                "{b},1,2,3",
                "line 3: id \"{b}\": an id consists of A-Z a-z 0-9 . _ : @ - only",
            ),
        ] {
            let error = read(name, &format!("{header}{row}\n")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert!(matches!(
            read("header", "id,lat,lon\n").unwrap_err(),
            TraceError::Header("ts_ms")
        ));
        assert!(matches!(read("empty", "").unwrap_err(), TraceError::Header("id")));
        assert!(matches!(
            read("broken", "\u{1f}").unwrap_err(),
            TraceError::Header("id")
        ));
        assert!(matches!(
            TraceReader::open(Path::new("/nowhere")),
            Err(TraceError::Io { .. })
        ));
    }
}

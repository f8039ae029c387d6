//! `fleetpulse routes`: prints the route table.

use crate::app;
use std::fmt::Write;

/// The table, a line for each route: method, path, operation, scope, summary. A route that the document leaves out has no operation.
#[must_use]
pub fn table() -> String {
    let mut rows = vec![["METHOD", "PATH", "OPERATION", "SCOPE", "SUMMARY"].map(str::to_owned)];
    for route in app::routes() {
        let operation = route.operation();
        let id = operation.as_ref().and_then(|operation| operation.operation_id.clone());
        let summary = operation.and_then(|operation| operation.summary);
        rows.push([
            route.method.to_string(),
            route.path.to_owned(),
            id.unwrap_or_else(|| "-".to_owned()),
            route.scope.to_string(),
            summary.unwrap_or_default(),
        ]);
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut table = String::new();
    for [method, path, id, scope, summary] in &rows {
        let [w0, w1, w2, w3, _] = widths;
        let line = format!("{method:w0$}  {path:w1$}  {id:w2$}  {scope:w3$}  {summary}");
        // Writing to a String cannot fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

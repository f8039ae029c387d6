//! `fleetpulse routes`: prints the route table, for a terminal or as the page `docs/routes.md`.

use super::markdown;
use crate::app;
use std::fmt::Write;

/// The columns of a route: method, path, operation, scope, summary.
type Row = [String; 5];

/// The text above the table of the page.
const ABOVE: &str = "# Routes

<!-- Written by `fleetpulse routes --markdown`. Do not edit; run `make docs`. -->

Every route of the service. `{kind}` is `drivers`, `vehicles` or `users`. [HTTP conventions](http.md) hold for all of them; the guides
explain them. A running service has the full description at `/docs` and `/openapi.json`, and `fleetpulse openapi` prints it; routes
without an operation are not in it.

The scope is what a caller will need once there is [authentication](../SECURITY.md). It is not enforced yet.
";

/// Returns the table, a line for each route.
#[must_use]
pub fn table() -> String {
    let mut rows = vec![["METHOD", "PATH", "OPERATION", "SCOPE", "SUMMARY"].map(str::to_owned)];
    rows.extend(self::rows());
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

/// Returns the Markdown page.
#[must_use]
pub fn page() -> String {
    let mut page = format!("{ABOVE}\n");
    let head = ["method", "path", "operation", "scope", "summary"];
    let rows = rows().map(|[method, path, id, scope, summary]| {
        [
            markdown::code(&method),
            markdown::code(&path),
            markdown::code(&id),
            markdown::code(&scope),
            markdown::text(&summary),
        ]
    });
    markdown::table(&mut page, head, rows);
    page
}

/// A route that the document leaves out has no operation: `-`.
fn rows() -> impl Iterator<Item = Row> {
    app::routes().into_iter().map(|route| {
        let operation = route.operation();
        let id = operation.as_ref().and_then(|operation| operation.operation_id.clone());
        let summary = operation.and_then(|operation| operation.summary);
        [
            route.method.to_string(),
            route.path.to_owned(),
            id.unwrap_or_else(|| "-".to_owned()),
            route.scope.to_string(),
            summary.unwrap_or_default(),
        ]
    })
}

//! Tables of the Markdown pages that commands print.

/// Appends a table.
pub(super) fn table<const N: usize>(page: &mut String, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    line(page, head);
    line(page, ["---"; N]);
    for row in rows {
        line(page, row);
    }
}

fn line<const N: usize>(page: &mut String, cells: [impl AsRef<str>; N]) {
    for cell in cells {
        page.push_str("| ");
        page.push_str(cell.as_ref());
        page.push(' ');
    }
    page.push_str("|\n");
}

/// Returns a cell in code style; nothing if there is none (empty, or `-`).
pub(super) fn code(text: &str) -> String {
    match text {
        "" | "-" => String::new(),
        text => format!("`{}`", self::text(text)),
    }
}

/// Returns a cell of text.
pub(super) fn text(text: &str) -> String {
    text.replace('|', r"\|")
}

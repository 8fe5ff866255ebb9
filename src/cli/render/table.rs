//! Tables whose columns line up in any script.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// Names that are wider than this are wrapped, to leave room for the rest.
const WIDEST_NAME: u16 = 42;

/// A table with a header; cells are wrapped to the width of the terminal, if there is one.
pub(in crate::cli) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    // A name that is cut in two can be neither read nor copied.
    let widest = table.column_max_content_widths().first().copied().unwrap_or_default();
    if widest <= WIDEST_NAME
        && let Some(names) = table.column_mut(0)
    {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

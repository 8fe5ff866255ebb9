//! Tables whose columns line up in any script.

use comfy_table::{ContentArrangement, Table, presets};

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
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

//! A table of the page.

use comfy_table::Table;

/// A table's cells.
pub(super) struct Grid {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Grid {
    /// Whether a column holds words, which begin at the left; numbers end at the right.
    pub(super) fn is_words(&self, column: &usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(*column));
        cells.any(|cell| cell.starts_with(char::is_alphabetic))
    }
}

impl From<Table> for Grid {
    fn from(table: Table) -> Grid {
        let texts = |row: &comfy_table::Row| row.cell_iter().map(comfy_table::Cell::content).collect();
        Grid { header: table.header().map(texts).unwrap_or_default(), rows: table.row_iter().map(texts).collect() }
    }
}

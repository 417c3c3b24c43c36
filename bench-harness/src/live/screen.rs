//! Frames on stderr, each over the one before, below what was printed.
//!
//! The terminal's modes are left as they are, so there is nothing to restore after a panic, an error or a kill: each frame is one write
//! that ends with the cursor below it and without colours. Input stays with the terminal, so Ctrl-C is the signal that it always is.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::view::{HEIGHT, View};

/// Rows of the frame that stands on stderr; stderr is one for the whole process, and so is this.
static ROWS: Mutex<u16> = Mutex::new(0);

/// Draws a view over the frame before.
pub(crate) fn draw(view: &View, has_colours: bool) -> io::Result<()> {
    let size = rustix::termios::tcgetwinsize(io::stderr())?;
    // A character in the last column would wrap, and one row is the cursor's.
    let area = Rect::new(0, 0, size.ws_col.saturating_sub(1), HEIGHT.min(size.ws_row.saturating_sub(1)));
    let mut frame = Buffer::empty(area);
    view.draw(area, &mut frame);
    let mut rows = rows();
    let text = format!("{}{}", back(*rows), encoded(&frame, has_colours));
    *rows = area.height;
    io::stderr().write_all(text.as_bytes())
}

/// Takes the frame away.
pub(crate) fn erase() -> io::Result<()> {
    Above.flush()
}

/// Stderr for lines: they stay above the frame, which the next one draws anew below them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Above;

impl Write for Above {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut rows = rows();
        io::stderr().write_all(back(std::mem::take(&mut *rows)).as_bytes())?;
        io::stderr().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write(&[]).map(drop)
    }
}

fn rows() -> MutexGuard<'static, u16> {
    ROWS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Up to where a frame of so many rows began, with nothing below.
fn back(rows: u16) -> String {
    if rows == 0 { String::new() } else { format!("\r\x1b[{rows}A\x1b[J") }
}

/// A frame as a terminal takes it: a line for each row.
fn encoded(frame: &Buffer, has_colours: bool) -> String {
    let mut text = String::new();
    let width = usize::from(frame.area.width).max(1);
    for row in frame.content.chunks(width) {
        let mut style = "";
        for cell in row {
            let next = if has_colours { style_of(cell) } else { "" };
            if next != style {
                text.push_str("\x1b[0m");
                text.push_str(next);
                style = next;
            }
            text.push_str(cell.symbol());
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push_str(if style.is_empty() { "\n" } else { "\x1b[0m\n" });
    }
    text
}

/// The few styles that a view has.
fn style_of(cell: &Cell) -> &'static str {
    match (cell.fg, cell.modifier) {
        (Color::Red, _) => "\x1b[31m",
        (Color::Cyan, _) => "\x1b[36m",
        (_, Modifier::BOLD) => "\x1b[1m",
        (_, Modifier::DIM) => "\x1b[2m",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Stylize;
    use ratatui::text::Line;
    use ratatui::widgets::Widget;

    use super::*;

    #[test]
    fn a_row_is_a_line_that_ends_without_colours() {
        let area = Rect::new(0, 0, 8, 2);
        let mut frame = Buffer::empty(area);
        Line::from(vec!["ab".bold(), " ".into(), "cd".red()]).render(area, &mut frame);
        assert_eq!(encoded(&frame, true), "\x1b[0m\x1b[1mab\x1b[0m \x1b[0m\x1b[31mcd\x1b[0m\n\n");
        assert_eq!(encoded(&frame, false), "ab cd\n\n");
    }

    #[test]
    fn a_frame_begins_where_the_one_before_did() {
        assert_eq!((back(0).as_str(), back(14).as_str()), ("", "\r\x1b[14A\x1b[J"));
    }
}

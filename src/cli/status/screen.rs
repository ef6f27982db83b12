//! The terminal's second screen: what stood on the first one is there again afterwards.

use std::io::Write as _;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::tcgetwinsize;

/// Second screen, no cursor (xterm's control sequences, which every terminal of today knows).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The second screen, until it is dropped.
pub(super) struct Screen;

impl Screen {
    pub(super) fn enter() -> Self {
        write(ENTER);
        Self
    }

    /// Columns and rows; 80 and 24 where the terminal doesn't say.
    pub(super) fn size() -> (usize, usize) {
        let size = tcgetwinsize(std::io::stdout()).ok();
        let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
    }

    /// Shows these lines, as many as there is room for; `false` if there is no terminal any more.
    pub(super) fn draw(&mut self, lines: &[String], height: usize) -> bool {
        let lines: Vec<String> = lines
            .iter()
            .take(height)
            .map(|line| format!("{line}\x1b[K"))
            .collect();
        write(&format!("\x1b[H{}\x1b[J", lines.join("\r\n")))
    }

    /// Gives the terminal back while the program is stopped (Ctrl-Z).
    pub(super) fn pause(self) -> Self {
        drop(self);
        // It goes on from here; a program that can't stop itself just does.
        let _ = kill_process(getpid(), Signal::STOP);
        Self::enter()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        write(LEAVE);
    }
}

fn write(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .is_ok()
}

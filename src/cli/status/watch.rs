//! `nbcourier status --watch`: a window on a terminal, or a line of JSON for each change.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use jiff::Zoned;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::screen::Screen;
use super::{Seen, exit};
use crate::cli::{Context, Stop, output};

/// Between two looks.
const PACE: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context) -> Result<u8, Stop> {
    if context.output.json {
        return print(context).await;
    }
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if dumb || !std::io::stdout().is_terminal() {
        let message = "`--watch` redraws a terminal, and the output goes to none";
        return Err(Stop::new(exit::ARGUMENTS, message)
            .hint("add --json for a line at each change, or leave --watch out"));
    }
    draw(context).await
}

/// The newest look, and since when the daemon has not answered.
#[derive(Default)]
struct Window {
    seen: Option<Seen>,
    down: Option<(Zoned, Stop)>,
}

impl Window {
    /// Looks again. Where nobody answers, what was seen last stays.
    ///
    /// # Errors
    /// What no waiting heals, at the first look.
    async fn look(&mut self, context: &Context) -> Result<(), Stop> {
        let stop = match Seen::look(context).await {
            Ok(seen) if seen.status["up_since"].is_string() => {
                (self.seen, self.down) = (Some(seen), None);
                return Ok(());
            }
            Ok(mut seen) => {
                let stop = seen.trouble.take();
                self.seen = Some(seen);
                stop
            }
            Err(stop) if stop.code != exit::UNREACHABLE && self.seen.is_none() => return Err(stop),
            Err(stop) => Some(stop),
        };
        if let (None, Some(stop)) = (&self.down, stop) {
            self.down = Some((Zoned::now(), stop));
        }
        Ok(())
    }

    fn lines(&self, width: usize) -> Vec<String> {
        let up = match (&self.down, &self.seen) {
            (Some((since, _)), _) => format!("down since {}", since.strftime("%H:%M:%S")),
            (None, Some(seen)) => seen.up(),
            (None, None) => String::new(),
        };
        let mut lines = match &self.seen {
            Some(seen) => seen.lines(&up, width),
            None => output::wrapped(&format!("nbcourier · {up}"), width),
        };
        if let Some((_, stop)) = &self.down {
            let why = format!("! {}", stop.message);
            let advice = stop
                .hint
                .as_ref()
                .map(|hint| format!("  what to do: {hint}"));
            let told = [Some(why), advice].into_iter().flatten();
            let told: Vec<String> = told
                .flat_map(|line| output::wrapped(&line, width))
                .collect();
            lines.splice(1..1, told);
        }
        lines
    }

    fn json(&self) -> Value {
        let mut value = self.seen.as_ref().map_or_else(
            || json!({}),
            |seen| {
                let mut value = seen.status.clone();
                value["runs"] = json!(seen.runs);
                value
            },
        );
        let since = self
            .down
            .as_ref()
            .map(|(since, _)| since.timestamp().to_string());
        value["down_since"] = json!(since);
        value
    }
}

/// One object a line, whenever something has changed, until nobody reads them.
async fn print(context: &Context) -> Result<u8, Stop> {
    let mut window = Window::default();
    let mut last = None;
    loop {
        window.look(context).await?;
        let value = window.json();
        if last.as_ref() != Some(&value) {
            let mut stdout = std::io::stdout().lock();
            let line = output::json(&value, false);
            if writeln!(stdout, "{line}")
                .and_then(|()| stdout.flush())
                .is_err()
            {
                return Ok(exit::DONE);
            }
            last = Some(value);
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Ctrl-C drops this, and with it the screen.
async fn draw(context: &Context) -> Result<u8, Stop> {
    let mut ends = [SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let mut resized = signal(SignalKind::window_change())?;
    let mut stops = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
    let mut window = Window::default();
    window.look(context).await?;
    let mut screen = Screen::enter();
    loop {
        let (width, height) = Screen::size();
        if !screen.draw(&window.lines(width), height) {
            return Ok(exit::DONE);
        }
        let [terminate, hangup] = &mut ends;
        tokio::select! {
            () = tokio::time::sleep(PACE) => window.look(context).await?,
            _ = resized.recv() => {}
            _ = stops.recv() => screen = screen.pause(),
            () = told(terminate) => return Ok(exit::INTERRUPTED),
            () = told(hangup) => return Ok(exit::INTERRUPTED),
        }
    }
}

/// A signal that can't be waited for does what it usually does.
async fn told(signal: &mut std::io::Result<Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

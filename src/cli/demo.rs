//! `nbcourier demo`: the real daemon beside a small DAQ of its own, in one directory.

mod hub;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Context, Stop, exit, init::TEMPLATE};
use crate::config::{self, Config};
use crate::daemon;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Deliver into a real `JupyterHub`, installed below the directory (python3, node ≥ 20)
    #[arg(long)]
    hub: bool,
    /// End after this time, for example 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    /// Where everything is kept
    #[arg(long, value_name = "DIRECTORY", default_value = "nbcourier-demo")]
    dir: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write 30s, 5min or 1h".to_owned())?;
    Duration::try_from(span).map_err(|_| "a time can't be negative".to_owned())
}

/// Between two runs of the demo's DAQ.
const CADENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Stop> {
    let dir = std::path::absolute(&arguments.dir)?;
    for part in ["data", "templates", "notebooks"] {
        std::fs::create_dir_all(dir.join(part))?;
    }
    std::fs::write(dir.join("templates/quicklook.ipynb"), TEMPLATE)?;
    let say = |line: String| context.output.line(line);
    let hub = match arguments.hub {
        true => Some(hub::start(&dir, &say).await?),
        false => None,
    };
    let destination = match &hub {
        Some(hub) => hub.destination(),
        None => "[destination.directory]\npath = \"notebooks\"\ndirectory = \"\"\n".into(),
    };
    let config = configuration(&dir, &destination)?;
    let _log = super::log::start(context, &config)?;
    let mut running = daemon::start(Arc::new(config), None).await?;
    introduce(&say, &dir, running.page());
    if let Some(hub) = &hub {
        say(format!("the hub       {}", hub.link()));
    }
    tokio::select! {
        daq = acquire(&dir, &say) => daq?,
        () = end(arguments.lasts) => {}
        () = running.attend() => {}
    }
    say("stopping".into());
    running.stop().await;
    if let Some(hub) = hub {
        hub.stop().await;
    }
    say(format!("everything stays in {} for a look", dir.display()));
    Ok(exit::DONE)
}

fn configuration(dir: &Path, destination: &str) -> Result<Config, Stop> {
    let text = format!(
        "log = \"warn\"\n\
         [daemon]\nstate = \"state\"\n\
         [status]\nlisten = \"127.0.0.1:0\"\n\
         [watch.daq]\n\
         directory = \"data\"\n\
         ready = {{ marker = \"DONE\" }}\n\
         settle = \"0s\"\n\
         parameters = [\"run.json\"]\n\
         existing = \"all\"\n\
         [notebook.quicklook]\n\
         template = \"templates/quicklook.ipynb\"\n\
         {destination}"
    );
    let file = dir.join("nbcourier.toml");
    std::fs::write(&file, &text)?;
    config::load(&file).map_err(|mistakes| Stop::new(exit::CONFIGURATION, mistakes.to_string()))
}

fn introduce(say: &impl Fn(String), dir: &Path, page: Option<&str>) {
    say(
        "nbcourier demo: a small DAQ writes a run every 2 s, nbcourier delivers its notebook"
            .into(),
    );
    say(format!(
        "configuration {}",
        dir.join("nbcourier.toml").display()
    ));
    say(format!("runs          {}", dir.join("data").display()));
    say(format!("notebooks     {}", dir.join("notebooks").display()));
    say(format!("page          {}", page.unwrap_or("-")));
    say(format!(
        "ask it        nbcourier -c {} status",
        dir.join("nbcourier.toml").display()
    ));
    say("end           Ctrl-C".into());
}

/// The DAQ: for ever one run after the other, its marker last.
async fn acquire(dir: &Path, say: &impl Fn(String)) -> Result<(), Stop> {
    let data = dir.join("data");
    let first = 1 + std::fs::read_dir(&data)?.count();
    for number in first.. {
        let run = data.join(format!("run_{number:06}"));
        std::fs::create_dir(&run)?;
        let beam = if number % 3 == 0 { "muon" } else { "electron" };
        let facts = serde_json::json!({ "beam": beam, "energy": 20 * (1 + number % 5), "events": 1000 * number });
        std::fs::write(run.join("run.json"), facts.to_string())?;
        std::fs::write(run.join("DONE"), "")?;
        if number < first + 3 {
            say(format!("run           {} has ended", run.display()));
        }
        tokio::time::sleep(CADENCE).await;
    }
    Ok(())
}

async fn end(lasts: Option<Duration>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminate {
            Some(terminate) => terminate.recv().await,
            None => std::future::pending().await,
        }
    };
    let over = async {
        match lasts {
            Some(lasts) => tokio::time::sleep(lasts).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
        () = over => {}
    }
}

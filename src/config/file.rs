//! Which tables the files hold, and how they become a [`Config`].

use std::path::PathBuf;

use toml::Spanned;

use super::announce::announcer;
use super::checked::{At, Config, Notebook, Source, Unknown};
use super::destination::destination;
use super::item::Item;
use super::ledger::ledger;
use super::sheet::Sheet;
use super::status::status;
use super::table::Table;
use super::values::{names, object, path, pattern_text, some_time};
use super::watch::watch;
use crate::notebook::check_expression;
use crate::retry::{Paces, RetryPolicy};
use crate::run::SPOOL;

/// The tables that only the main file may hold.
const MAIN_ONLY: [&str; 6] = ["log", "daemon", "ledger", "retry", "status", "spool"];

/// Reads the main file and those of `conf.d`. Every mistake is noted in its sheet; where there is
/// one, the result means nothing.
pub(super) fn read(sheets: &[Sheet]) -> Option<Config> {
    let trees: Vec<Spanned<_>> = sheets.iter().map(Sheet::tree).collect();
    let tops = sheets
        .iter()
        .zip(&trees)
        .map(|(sheet, tree)| Table::top(sheet, tree));
    let tops: Vec<Table<'_>> = tops.collect();
    let main = tops.first()?;
    let general = general(main);
    let spool = main.table("spool");
    let spool_directory = spool.read("directory", path);
    spool.finish();
    let (watches, notebooks, destinations) = (
        named(&tops, "watch"),
        named(&tops, "notebook"),
        named(&tops, "destination"),
    );
    let announcers = named(&tops, "announce");
    if !sheets.iter().any(Sheet::is_broken) {
        complete(
            main,
            &watches,
            &notebooks,
            &destinations,
            spool_directory.is_some(),
        );
    }

    let mut sources: Vec<&str> = watches.iter().map(|table| table.name).collect();
    sources.extend(spool_directory.is_some().then_some(SPOOL));
    let goals: Vec<&str> = destinations.iter().map(|table| table.name).collect();
    let notebook = |table| notebook(table, &sources, &goals);
    let notebooks: Vec<_> = notebooks.into_iter().map(notebook).collect();
    let watches: Vec<_> = watches.into_iter().map(watch).collect();
    let destinations: Vec<_> = destinations.into_iter().map(destination).collect();
    let announcers: Vec<_> = announcers.into_iter().map(announcer).collect();
    for (number, top) in tops.into_iter().enumerate() {
        if number > 0 {
            refuse_general(&top);
        }
        top.finish();
    }
    Some(Config {
        spool: spool_directory,
        watches: watches.into_iter().collect::<Option<_>>()?,
        notebooks: notebooks.into_iter().collect::<Option<_>>()?,
        destinations: destinations.into_iter().collect::<Option<_>>()?,
        announcers: announcers.into_iter().collect::<Option<_>>()?,
        ..general
    })
}

/// The state directory.
pub(super) fn state(main: &Sheet) -> PathBuf {
    let tree = main.tree();
    daemon(&Table::top(main, &tree))
}

fn daemon(main: &Table<'_>) -> PathBuf {
    let daemon = main.table("daemon");
    let state = daemon.read("state", path).unwrap_or_else(usual_state);
    daemon.finish();
    state
}

/// What the single tables hold.
fn general(main: &Table<'_>) -> Config {
    let log = main.read("log", filter).unwrap_or("info");
    let state = daemon(main);
    let ledger = ledger(main.table("ledger"), &state);
    let retry = retry(main.table("retry"));
    let status = status(main.table("status"));
    Config {
        file: main.sheet.file.clone(),
        log: log.to_owned(),
        state,
        ledger,
        retry,
        paces: Paces::default(),
        listen: status.listen,
        read_token: status.read_token,
        contact: status.contact,
        watches: vec![],
        spool: None,
        notebooks: vec![],
        destinations: vec![],
        announcers: vec![],
    }
}

/// The tables `[key.NAME]` of all files; a name stands for one table.
fn named<'a>(tops: &[Table<'a>], key: &'static str) -> Vec<Table<'a>> {
    let mut found: Vec<Table<'a>> = vec![];
    for table in tops.iter().flat_map(|top| top.tables(key)) {
        if let Some(first) = found.iter().find(|first| first.name == table.name) {
            let message = format!("{} is also in {}", table.title, first.place());
            table.note(&message, "rename one of the two");
        } else if key == "watch" && table.name == SPOOL {
            table.note(
                "this name is reserved for runs from the spool",
                "take another name",
            );
        } else {
            found.push(table);
        }
    }
    found
}

fn refuse_general(top: &Table<'_>) {
    for key in MAIN_ONLY {
        let hint =
            "here are only [watch.NAME], [notebook.NAME], [destination.NAME] and [announce.NAME]";
        top.refuse(key, &format!("`{key}` belongs into the main file"), hint);
    }
}

/// Notes what a configuration can't be without.
fn complete(
    main: &Table<'_>,
    watches: &[Table<'_>],
    notebooks: &[Table<'_>],
    destinations: &[Table<'_>],
    spool: bool,
) {
    // Where something of the kind is written and mistaken, that has been noted already.
    let mistaken = |key| main.has(key) && main.sheet.is_mistaken();
    let lacks = [
        (
            watches.is_empty() && !spool && !mistaken("watch") && !mistaken("spool"),
            "no run can be seen",
            "add [watch.NAME] with `directory`, or [spool] with `directory`",
        ),
        (
            notebooks.is_empty() && !mistaken("notebook"),
            "there is no notebook to deliver",
            "add [notebook.NAME] with `template`",
        ),
        (
            destinations.is_empty() && !mistaken("destination"),
            "there is no destination to deliver to",
            "add [destination.NAME] with `hub`, `server` or `path`",
        ),
    ];
    for (_, message, hint) in lacks.into_iter().filter(|(lacks, ..)| *lacks) {
        main.sheet.note_whole(message, hint);
    }
}

fn notebook(table: Table<'_>, sources: &[&str], goals: &[&str]) -> Option<Notebook> {
    let template = table
        .must("template", "template = \"templates/quicklook.ipynb\"")
        .and_then(|item| template(&item));
    let file_name = table.read("name", file_name);
    let watches = table.read("watch", |item| names(item, "watch", sources));
    let to = table.read("to", |item| names(item, "destination", goals));
    let when = table.read("when", when);
    let parameters = table.read("parameters", object).unwrap_or_default();
    let unknown = table
        .read("unknown_parameters", unknown)
        .unwrap_or_default();
    let at = table.read("at", at).unwrap_or_default();
    let name = table.name.to_owned();
    table.finish();
    Some(Notebook {
        name,
        template: template?,
        file_name: file_name.unwrap_or_else(|| "{run_name}.ipynb".into()),
        watches,
        to,
        when,
        parameters,
        unknown,
        at,
    })
}

fn at(item: &Item<'_>) -> Option<At> {
    match item.text()? {
        "begin" => Some(At::Begin),
        "end" => Some(At::End),
        _ => item.no(
            "`at` is no time in the life of a run",
            "\"begin\" or \"end\"",
        ),
    }
}

/// A file, or `contents:PATH` on the user's own server.
fn template(item: &Item<'_>) -> Option<Source> {
    let text = pattern_text(item)?;
    if ![".ipynb", ".py"].iter().any(|kind| text.ends_with(kind)) {
        let hint = "a template is a file that ends in .ipynb, or in .py (py:percent)";
        return item.no("this is no notebook", hint);
    }
    let Some(inside) = text.strip_prefix("contents:") else {
        return path(item).map(Source::File);
    };
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.');
    if !inside.split('/').all(plain) {
        let hint = "such as \"contents:templates/quick.ipynb\", below the root that Jupyter shows";
        return item.no("this is no path on a Jupyter server", hint);
    }
    Some(Source::Contents(inside.to_owned()))
}

/// An expression over parameters.
fn when(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    match check_expression(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => item.no(
            &error.what,
            "such as \"beam == 'electron' and events > 1000\"",
        ),
    }
}

fn unknown(item: &Item<'_>) -> Option<Unknown> {
    match item.text()? {
        "warn" => Some(Unknown::Warn),
        "inject" => Some(Unknown::Inject),
        "error" => Some(Unknown::Error),
        _ => item.no(
            "`unknown_parameters` is none of its values",
            "one of warn, inject, error",
        ),
    }
}

fn file_name(item: &Item<'_>) -> Option<String> {
    let text = pattern_text(item)?;
    if text.contains('/') || !text.ends_with(".ipynb") || text == ".ipynb" {
        let hint =
            "such as \"{run}.ipynb\"; directories belong into `directory` of the destination";
        return item.no("`name` is no file name of a notebook", hint);
    }
    Some(text)
}

fn retry(table: Table<'_>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let longest_item = table.get("longest");
    let longest = longest_item
        .as_ref()
        .and_then(some_time)
        .unwrap_or(usual.longest);
    let policy = RetryPolicy {
        first: table
            .read("first", some_time)
            .unwrap_or(usual.first.min(longest)),
        longest,
        give_up_after: table
            .read("give_up_after", some_time)
            .unwrap_or(usual.give_up_after),
    };
    if policy.first > policy.longest {
        table.note(
            "`first` of [retry] is longer than `longest`",
            "swap the two",
        );
    }
    table.finish();
    policy
}

fn filter<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.text()?;
    if text.trim().is_empty() || tracing_subscriber::EnvFilter::try_new(text).is_err() {
        return item.no(
            "`log` is no log filter",
            "one of error, warn, info, debug, trace",
        );
    }
    Some(text)
}

fn usual_state() -> PathBuf {
    // systemd lists several with `:` between them.
    let given = std::env::var("STATE_DIRECTORY").ok();
    let first = given.as_deref().and_then(|list| list.split(':').next());
    let first = first.filter(|directory| directory.starts_with('/'));
    PathBuf::from(first.unwrap_or("/var/lib/nbcourier"))
}
